"""The way in: one proof after the other until a session begins.

Between two steps the browser holds the secret of a ceremony, and nothing else.

Spec:
    security.md S05 to S08.
"""

from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.rendering import plain_page
from engine.console.session import address_of, cookie_in, sign_in
from engine.console.surroundings import surroundings, throttle
from engine.store import accounts, audit, ceremonies, factors
from engine.store.accounts import Account
from engine.store.audit import Act
from engine.store.factors import Factor
from engine.store.words import FactorKind

COOKIE: Final = "__Host-ceremony"
SECOND: Final = "second"
ENROL: Final = "enrol"
REFUSED: Final = "This is not right, or was used before, or its time is over."
WAIT: Final = "Too many wrong tries. Try again in 15 minutes."
PROVING: Final = frozenset({FactorKind.TOTP, FactorKind.PASSKEY})
Content = dict[str, Any]


def is_over(request: Request, name: str = "") -> bool:
    """Tell whether this address or account has failed too often lately."""
    counted, now = throttle(request), surroundings(request).now()
    keys = _keys(request, name)
    return any(counted.is_over(each, now) for each in keys)


def refused(
    request: Request, template: str, whose: str = "", /, **values: object
) -> Response:
    """Count and write down a wrong try, and show the form again."""
    count_failure(request, whose)
    status = HTTPStatus.UNAUTHORIZED
    return plain_page(request, template, status, complaint=REFUSED, **values)


def count_failure(request: Request, whose: str = "") -> None:
    """Count and write down a wrong try; a name that there is not is not repeated."""
    here = surroundings(request)
    for each in _keys(request, whose):
        throttle(request).failed(each, here.now())
    with here.database.engine() as connection:
        known = bool(whose) and accounts.by_name(connection, whose) is not None
        name = whose if known else "unknown"
        detail = f"from {address_of(request)}"
        act = Act(here.now(), name, "sign-in.failed", f"user {name}", detail)
        audit.write(connection, here.database.sealer, [act])


def wait(request: Request, template: str, /, **values: object) -> Response:
    """Say that there were too many wrong tries, whatever was sent now."""
    status = HTTPStatus.TOO_MANY_REQUESTS
    return plain_page(request, template, status, complaint=WAIT, **values)


def _keys(request: Request, name: str) -> list[str]:
    keys = [f"address {address_of(request)}"]
    return [*keys, f"account {name}"] if name else keys


def onward(request: Request, whose: Account, means: str) -> Response:
    """Ask for the second factor, or for a new one where one is needed, or begin."""
    here = surroundings(request)
    with here.database.reading() as connection:
        has = factors.factors(connection, here.database.sealer, whose.id)
    if any(each.kind in PROVING for each in has):
        content = {"account": whose.id, "means": means}
        return begin(request, SECOND, content, go("/sign-in/second"))
    if whose.grants & set(here.settings.console_second_factor):
        content = {"account": whose.id, "means": means}
        return begin(request, ENROL, content, go("/sign-in/enrol"))
    return sign_in(request, whose, means, go("/"))


def go(path: str) -> Response:
    """Return the way to another page."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def begin(request: Request, kind: str, content: Content, answer: Response) -> Response:
    """Begin a ceremony; the answer carries its secret to the browser."""
    here = surroundings(request)
    with here.database.engine() as connection:
        held = ceremonies.begin(
            connection, here.database.sealer, kind, orjson.dumps(content), here.now()
        )
    answer.set_cookie(COOKIE, held, secure=True, httponly=True, samesite="strict")
    return answer


def under_way(request: Request, kind: str, *, once: bool = False) -> Content | None:
    """Return what a ceremony of this browser is about; ``once`` ends it."""
    here = surroundings(request)
    held = cookie_in(request.headers.raw, COOKIE)
    if not held:
        return None
    read = ceremonies.take if once else ceremonies.look
    with here.database.engine() as connection:
        found = read(connection, here.database.sealer, kind, held, here.now())
    return None if found is None else orjson.loads(found)


def account_of(request: Request, content: Content | None) -> Account | None:
    """Return whose ceremony it is; None when there is none, or they may not come in."""
    if content is None:
        return None
    here = surroundings(request)
    with here.database.reading() as connection:
        found = accounts.by_id(connection, content["account"])
    return None if found is None or found.disabled_at else found


def factors_of(request: Request, whose: Account) -> list[Factor]:
    """Return what somebody has beside the password."""
    here = surroundings(request)
    with here.database.reading() as connection:
        return factors.factors(connection, here.database.sealer, whose.id)
