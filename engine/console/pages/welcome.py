"""The first time in: a password of one's own, then a second factor.

Spec:
    security.md S03 to S05; console.md S14.
"""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from engine.console import entry, passwords, totp
from engine.console.rendering import page, plain_page
from engine.console.session import sign_in
from engine.console.surroundings import surroundings
from engine.store import accounts, factors, invitations
from engine.store.accounts import Account
from engine.store.audit import Order

PAGE: Final = "welcome.html"
UNLIKE: Final = "the two are not the same"
NOT_ITS_CODE: Final = "this is not the code of now: look again, and at your clock"


def welcome(request: Request, code: str = "") -> Response:
    """Show where somebody with a code chooses a password."""
    if entry.is_over(request):
        return entry.wait(request, "sign_in.html", name="")
    here = surroundings(request)
    with here.database.reading() as connection:
        found = invitations.invited(connection, code, here.now())
    if found is None or not found.enrols:
        return entry.refused(request, "sign_in.html", name="")
    return show(request, code, found.account)


def show(request: Request, code: str, whose: Account, complaint: str = "") -> Response:
    """Show the form for a new password."""
    wrong = HTTPStatus.UNPROCESSABLE_ENTITY
    status = wrong if complaint else HTTPStatus.OK
    values = {"code": code, "name": whose.name, "least": passwords.LEAST}
    return plain_page(request, PAGE, status, complaint=complaint, **values)


def choose(
    request: Request,
    code: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Use up a code and keep the password that comes with it."""
    if entry.is_over(request):
        return entry.wait(request, "sign_in.html", name="")
    here = surroundings(request)
    with here.database.reading() as connection:
        found = invitations.invited(connection, code, here.now())
    if found is None or not found.enrols:
        return entry.refused(request, "sign_in.html", name="")
    whose = found.account
    wrong = fault_of(request, whose, password, again)
    if wrong:
        return show(request, code, whose, wrong)
    kept = passwords.hashed(password)
    order = Order(whose.name, here.now(), "chosen with a one-time code")
    with here.database.engine() as connection:
        used = invitations.use(connection, code, here.now())
        if used:
            sealer = here.database.sealer
            accounts.set_password(connection, sealer, whose.name, kept, order)
            accounts.end_sessions(connection, whose.id)
    if used is None:
        return entry.refused(request, "sign_in.html", name="")
    return entry.onward(request, whose, "one-time code")


def fault_of(request: Request, whose: Account, password: str, again: str) -> str:
    """Return why this will not do as somebody's password, or nothing."""
    if password != again:
        return UNLIKE
    known = [whose.name, surroundings(request).settings.site, "interop", "engine"]
    return passwords.complaint(password, known)


def factor_form(request: Request) -> Response:
    """Show the key for an authenticator app to somebody who needs a second factor."""
    content = entry.under_way(request, entry.ENROL)
    whose = entry.account_of(request, content)
    if whose is None or content is None:
        return entry.go("/sign-in")
    key = totp.new_key()
    shown = ask_code(request, whose, key, in_session=False)
    return entry.begin(request, entry.ENROL, {**content, "key": key}, shown)


def ask_code(
    request: Request, whose: Account, key: str, complaint: str = "", *, in_session: bool
) -> Response:
    """Show the key for an authenticator app, and ask for the code it makes."""
    shown = page if in_session else plain_page
    wrong = HTTPStatus.UNPROCESSABLE_ENTITY
    site = surroundings(request).settings.site
    return shown(
        request,
        "account_totp.html" if in_session else "enrol.html",
        wrong if complaint else HTTPStatus.OK,
        complaint=complaint,
        key=key,
        picture=totp.picture(key, whose.name, site),
    )


def factor(request: Request, code: Annotated[str, Form()] = "") -> Response:
    """Keep an authenticator app whose code is right, and begin the session."""
    content = entry.under_way(request, entry.ENROL)
    whose = entry.account_of(request, content)
    if whose is None or content is None or "key" not in content:
        return entry.go("/sign-in/enrol")
    here, key = surroundings(request), content["key"]
    if entry.is_over(request, whose.name):
        return entry.wait(request, "sign_in.html", name="")
    step = totp.step_of(key, code, here.now())
    if step is None:
        return ask_code(request, whose, key, NOT_ITS_CODE, in_session=False)
    if entry.under_way(request, entry.ENROL, once=True) is None:
        return entry.go("/sign-in")
    order = Order(whose.name, here.now(), "at the first sign-in")
    with here.database.engine() as connection:
        sealer = here.database.sealer
        number = factors.add_totp(connection, sealer, whose, key.encode(), order)
        factors.use_step(connection, number, step)
        codes = factors.new_recovery_codes(connection, sealer, whose, order)
    shown = plain_page(request, "recovery.html", codes=codes)
    return sign_in(request, whose, f"{content['means']} and authenticator app", shown)
