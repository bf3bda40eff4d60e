"""Sign in with name and password, a second factor or a one-time code; sign out.

Spec:
    security.md S03, S05, S06 and S08.
"""

from typing import Annotated

from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from engine.console import entry, passwords, totp
from engine.console.pages import welcome
from engine.console.rendering import plain_page
from engine.console.session import COOKIE, session_in, sign_in
from engine.console.surroundings import caller, surroundings
from engine.store import accounts, factors, invitations, sessions
from engine.store.accounts import Account
from engine.store.audit import Order
from engine.store.words import FactorKind

PAGE = "sign_in.html"


def form(request: Request) -> Response:
    """Show the ways in; ``with=code`` opens the one for who has a one-time code."""
    coded = request.query_params.get("with") == "code"
    return plain_page(request, PAGE, complaint="", name="", coded=coded)


def enter(
    request: Request,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    code: Annotated[str, Form()] = "",
) -> Response:
    """Take a name with its password, or a one-time code."""
    if code:
        return _enter_by_code(request, code.strip())
    wanted = name.strip().casefold()
    if entry.is_over(request, wanted):
        return entry.wait(request, PAGE, name=name)
    here = surroundings(request)
    with here.database.reading() as connection:
        found = accounts.by_name(connection, wanted)
    kept = found.password if found else ""
    fits = passwords.fits(password, kept)
    if not fits or found is None or found.disabled_at is not None:
        return entry.refused(request, PAGE, wanted, name=name)
    if passwords.is_outdated(kept):
        _keep_anew(request, found, password)
    return entry.onward(request, found, "password")


def _keep_anew(request: Request, whose: Account, password: str) -> None:
    here = surroundings(request)
    order = Order(whose.name, here.now(), "kept with stronger parameters")
    kept = passwords.hashed(password)
    with here.database.engine() as connection:
        accounts.set_password(connection, here.database.sealer, whose.name, kept, order)


def _enter_by_code(request: Request, code: str) -> Response:
    if entry.is_over(request):
        return entry.wait(request, PAGE, name="")
    here = surroundings(request)
    with here.database.engine() as connection:
        found = invitations.invited(connection, code, here.now())
        if found and not found.enrols:
            found = invitations.use(connection, code, here.now())
    if found is None:
        return entry.refused(request, PAGE, name="")
    if found.enrols:
        return welcome.show(request, code, found.account)
    return sign_in(request, found.account, "one-time code", entry.go("/"))


def second_form(request: Request) -> Response:
    """Ask for the second factor."""
    whose = entry.account_of(request, entry.under_way(request, entry.SECOND))
    if whose is None:
        return entry.go("/sign-in")
    return plain_page(
        request, "second.html", complaint="", kinds=_kinds(request, whose)
    )


def second(request: Request, code: Annotated[str, Form()] = "") -> Response:
    """Take the code of an authenticator app, or a recovery code."""
    content = entry.under_way(request, entry.SECOND)
    whose = entry.account_of(request, content)
    if whose is None or content is None:
        return entry.go("/sign-in")
    kinds = _kinds(request, whose)
    if entry.is_over(request, whose.name):
        return entry.wait(request, "second.html", kinds=kinds)
    means = proved(request, whose, code)
    if not means:
        return entry.refused(request, "second.html", whose.name, kinds=kinds)
    if entry.under_way(request, entry.SECOND, once=True) is None:
        return entry.go("/sign-in")
    return sign_in(request, whose, f"{content['means']} and {means}", entry.go("/"))


def _kinds(request: Request, whose: Account) -> set[FactorKind]:
    return {each.kind for each in entry.factors_of(request, whose)}


def proved(request: Request, whose: Account, code: str) -> str:
    """Use up a code; return what it was of, or nothing."""
    here = surroundings(request)
    with here.database.engine() as connection:
        for each in factors.factors(connection, here.database.sealer, whose.id):
            if each.kind is FactorKind.TOTP:
                step = totp.step_of(each.secret.decode(), code, here.now())
                if step is not None and factors.use_step(connection, each.id, step):
                    return "authenticator app"
        if factors.use_recovery_code(connection, whose.id, code):
            return "recovery code"
    return ""


def leave(request: Request) -> Response:
    """End the session."""
    here = surroundings(request)
    order = Order(caller(request).name, here.now(), "")
    held = session_in(request.headers.raw)
    with here.database.engine() as connection:
        sessions.end(connection, here.database.sealer, held, order)
    answer = entry.go("/sign-in")
    answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
    return answer
