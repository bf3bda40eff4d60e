"""One's own account: password, factors, sessions; and how one looks at the console.

Spec:
    security.md S05, S08 and S12; console.md 2 (patient data) and 8 (session warning).
"""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final

import structlog
from fastapi import Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.channels.alerts.emergencies import raise_alarm
from engine.console import entry, passwords, totp
from engine.console.pages import sign_in, welcome
from engine.console.permissions import Permission, Role
from engine.console.rendering import page
from engine.console.session import sign_in as begin
from engine.console.surroundings import (
    caller,
    limits,
    own_place,
    session,
    surroundings,
)
from engine.store import accounts, factors, sessions
from engine.store.audit import Order
from engine.store.sessions import Session
from engine.store.words import FactorKind

LONGEST_GLASS: Final = 60
TOTP: Final = "totp"
_log = structlog.get_logger()
_NO_SESSION: Final = "this is for people at a browser, not for programs"
_NO_REASON: Final = "emergency access needs a reason; nothing was opened"


def own(request: Request) -> Session:
    """Return the session of who asks.

    Raises:
        HTTPException: a program asks, by its token.
    """
    found = session(request)
    if found is None:
        raise HTTPException(HTTPStatus.FORBIDDEN, _NO_SESSION)
    return found


def account(request: Request) -> Response:
    """Show what somebody has to sign in with, and where they are signed in."""
    here, mine = surroundings(request), own(request)
    with here.database.reading() as connection:
        living = sessions.living(connection, limits(here), here.now())
    has = entry.factors_of(request, mine.account)
    return page(
        request,
        "account.html",
        factors=[each for each in has if each.kind in entry.PROVING],
        recovery=sum(each.kind is FactorKind.RECOVERY for each in has),
        sessions=[each for each in living if each.account.id == mine.account.id],
        mine=mine,
        least=passwords.LEAST,
        complaint="",
    )


def password(
    request: Request,
    password: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Keep a new password; the other sessions end."""
    here, whose = surroundings(request), own(request).account
    if wrong := welcome.fault_of(request, whose, password, again):
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, wrong)
    kept, order = passwords.hashed(password), _order(request, "by oneself")
    with here.database.engine() as connection:
        accounts.set_password(connection, here.database.sealer, whose.name, kept, order)
        accounts.end_sessions(connection, whose.id)
    return begin(request, whose, own(request).means, entry.go("/account"))


def totp_form(request: Request) -> Response:
    """Show the key for an authenticator app."""
    key, whose = totp.new_key(), own(request).account
    content = {"account": whose.id, "key": key}
    shown = welcome.ask_code(request, whose, key, in_session=True)
    return entry.begin(request, TOTP, content, shown)


def add_totp(request: Request, code: Annotated[str, Form()] = "") -> Response:
    """Keep an authenticator app whose code is right; show new recovery codes."""
    here, whose = surroundings(request), own(request).account
    content = entry.under_way(request, TOTP)
    if content is None or content["account"] != whose.id:
        return entry.go("/account/totp")
    step = totp.step_of(content["key"], code, here.now())
    if step is None:
        key, wrong = content["key"], welcome.NOT_ITS_CODE
        return welcome.ask_code(request, whose, key, wrong, in_session=True)
    entry.under_way(request, TOTP, once=True)
    order = _order(request, "by oneself")
    with here.database.engine() as connection:
        key = content["key"].encode()
        number = factors.add_totp(connection, here.database.sealer, whose, key, order)
        factors.use_step(connection, number, step)
    return recovery_codes(request)


def recovery_codes(request: Request) -> Response:
    """Show new recovery codes, this once; earlier ones end."""
    here, whose = surroundings(request), own(request).account
    order = _order(request, "by oneself")
    with here.database.engine() as connection:
        sealer = here.database.sealer
        codes = factors.new_recovery_codes(connection, sealer, whose, order)
    return page(request, "account_recovery.html", codes=codes)


def remove_factor(request: Request, number: int) -> Response:
    """Take one factor away, unless it is the last of somebody who needs one."""
    here, whose = surroundings(request), own(request).account
    has = [e for e in entry.factors_of(request, whose) if e.kind in entry.PROVING]
    needed = whose.grants & set(here.settings.console_second_factor)
    if needed and len(has) == 1:
        sentence = "your role needs a second factor: add another one first"
        raise HTTPException(HTTPStatus.CONFLICT, sentence)
    order = _order(request, "by oneself")
    with here.database.engine() as connection:
        factors.remove(connection, here.database.sealer, whose, number, order)
    return entry.go("/account")


def end_others(request: Request) -> Response:
    """End every session of one's own but this one."""
    here, mine = surroundings(request), own(request)
    order = _order(request, "by oneself")
    with here.database.engine() as connection:
        sealer = here.database.sealer
        sessions.end_others(connection, sealer, mine, order)
    return entry.go("/account")


def confirm_form(request: Request, back: str = "/account") -> Response:
    """Ask who is there again, before something that matters."""
    whose = own(request).account
    kinds = {each.kind for each in entry.factors_of(request, whose)}
    values = {"back": own_place(back), "kinds": kinds, "has_password": whose.password}
    return page(request, "confirm.html", complaint="", **values)


def confirm(
    request: Request,
    password: Annotated[str, Form()] = "",
    code: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "/account",
) -> Response:
    """Take password or code again, and go on."""
    here, mine = surroundings(request), own(request)
    whose = mine.account
    if entry.is_over(request, whose.name):
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, entry.WAIT)
    fits = bool(password) and passwords.fits(password, whose.password)
    if not fits and not (code and sign_in.proved(request, whose, code)):
        entry.count_failure(request, whose.name)
        raise HTTPException(HTTPStatus.FORBIDDEN, entry.REFUSED)
    with here.database.engine() as connection:
        sessions.prove(connection, mine.id, here.now())
    return entry.go(own_place(back))


def extend(request: Request) -> Response:
    """Stay signed in: the gate has noted that the session is in use."""
    own(request)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def mask(request: Request, on: Annotated[bool, Form()] = False) -> Response:  # noqa: FBT002 - a field of a form
    """Hide patient data in this session, for who shares a screen; or no longer."""
    here, mine = surroundings(request), own(request)
    with here.database.engine() as connection:
        order = _order(request, "")
        sessions.mask(connection, here.database.sealer, mine, order, on=on)
    return entry.go("/")


def view_as(request: Request, role: Annotated[str, Form()] = "") -> Response:
    """Look at the console as a role does; without a role, as oneself again."""
    here, mine = surroundings(request), own(request)
    if role:
        _may_look(mine, role)
    with here.database.engine() as connection:
        order = _order(request, "")
        sessions.view_as(connection, here.database.sealer, mine, role, order)
    return entry.go("/")


def _may_look(mine: Session, role: str) -> None:
    if not mine.account.administers:
        sentence = f"this needs the permission {Permission.ADMINISTER}"
        raise HTTPException(HTTPStatus.FORBIDDEN, sentence)
    if role not in set(Role):
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"{role!r} is no role")


def glass_form(request: Request) -> Response:
    """Ask why somebody needs to see patients now."""
    own(request)
    return page(request, "glass.html", longest=LONGEST_GLASS)


def break_glass(
    request: Request,
    reason: Annotated[str, Form()] = "",
    minutes: Annotated[int, Form()] = LONGEST_GLASS,
) -> Response:
    """Show patient data for a while: written down first, told to all at once."""
    here, mine = surroundings(request), own(request)
    if not reason.strip():
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, _NO_REASON)
    lasts = timedelta(minutes=max(1, min(minutes, LONGEST_GLASS)))
    order = _order(request, reason.strip())
    with here.database.engine() as connection:
        sealer, until = here.database.sealer, here.now() + lasts
        sessions.break_glass(connection, sealer, mine, until, order)
        who = mine.account.name
        sentence = f"{who} has emergency access to patient data"
        raise_alarm(connection, here.settings, who, sentence, here.now())
    _log.warning("emergency_access", user=mine.account.name, until=until.isoformat())
    return entry.go("/")


def mend_glass(request: Request) -> Response:
    """End emergency access now."""
    here, mine = surroundings(request), own(request)
    with here.database.engine() as connection:
        order = _order(request, "")
        sessions.mend_glass(connection, here.database.sealer, mine, order)
    return entry.go("/")


def _order(request: Request, reason: str) -> Order:
    return Order(caller(request).name, surroundings(request).now(), reason)
