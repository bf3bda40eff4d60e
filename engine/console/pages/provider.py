"""Sign-in at the identity provider, and the way back from it.

The browser comes back from another site, where a strict cookie does not travel: what
it holds meanwhile is lax, and the page it lands on leads in by itself.

Spec:
    security.md S07 and S49; console.md S14.
"""

from dataclasses import asdict
from http import HTTPStatus
from typing import Final

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console import entry, oidc
from engine.console.oidc import Asked, Identity, Provider, Refused
from engine.console.rendering import plain_page
from engine.console.session import sign_in
from engine.console.surroundings import address, surroundings
from engine.errors import IllegalTransitionError
from engine.store import accounts, ceremonies
from engine.store.accounts import Account
from engine.store.audit import Order

COOKIE: Final = "__Host-provider"
KIND: Final = "oidc"
BACK: Final = "/sign-in/provider/back"
_log = structlog.get_logger()


def leave(request: Request) -> Response:
    """Send the browser to the identity provider."""
    provider, here = _provider(request), surroundings(request)
    try:
        place, asked = oidc.begin(provider, address(request) + BACK)
    except Refused as error:
        return _away(request, str(error))
    with here.database.engine() as connection:
        content = orjson.dumps(asdict(asked))
        held = ceremonies.begin(
            connection, here.database.sealer, KIND, content, here.now()
        )
    answer = RedirectResponse(place, HTTPStatus.SEE_OTHER)
    answer.set_cookie(COOKIE, held, secure=True, httponly=True, samesite="lax")
    return answer


def back(request: Request, code: str = "", state: str = "") -> Response:
    """Take a browser back with the provider's code, and begin its session."""
    provider, here = _provider(request), surroundings(request)
    if entry.is_over(request):
        return entry.wait(request, "sign_in.html", name="")
    asked = _asked(request)
    if asked is None or not code or asked.state != state:
        return entry.refused(request, "sign_in.html", name="")
    try:
        found = oidc.end(provider, address(request) + BACK, asked, code, here.now())
        whose = _account(request, found)
    except (Refused, IllegalTransitionError) as error:
        entry.count_failure(request)
        return _away(request, str(error))
    shown = plain_page(request, "arrived.html", HTTPStatus.OK)
    shown.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
    return sign_in(request, whose, "identity provider", shown)


def _provider(request: Request) -> Provider:
    found = oidc.provider_of(surroundings(request).settings)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return found


def _away(request: Request, sentence: str) -> Response:
    """Say why the provider did not help, and that a local account still opens."""
    _log.warning("identity_provider", reason=sentence)
    told = f"{sentence}. In an emergency sign in with a local account; that is told."
    status = HTTPStatus.BAD_GATEWAY
    return plain_page(request, "sign_in.html", status, complaint=told, name="")


def _asked(request: Request) -> Asked | None:
    here, held = surroundings(request), request.cookies.get(COOKIE, "")
    with here.database.engine() as connection:
        sealer = here.database.sealer
        found = ceremonies.take(connection, sealer, KIND, held, here.now())
    return None if found is None else Asked(**orjson.loads(found))


def _account(request: Request, found: Identity) -> Account:
    """Return the account of somebody, made or changed as the provider now says.

    Raises:
        Refused: the account is disabled here.
        IllegalTransitionError: another account has the name, or nobody would be left
            to administer.
    """
    here = surroundings(request)
    order = Order("identity provider", here.now(), "as the provider says")
    grants, tags = frozenset(found.grants), frozenset(found.tags)
    with here.database.engine() as connection:
        sealer = here.database.sealer
        known = accounts.by_external(connection, found.external)
        if known is None:
            name = _name(found.name)
            return accounts.create(
                connection, sealer, name, grants, tags, order, found.external
            )
        if known.disabled_at is not None:
            raise Refused("this account is disabled here")
        if (known.grants, known.tags) != (grants, tags):
            accounts.regrant(connection, sealer, known.name, grants, tags, order)
        return accounts.expect(connection, known.name)


def _name(said: str) -> str:
    try:
        return accounts.account_name(said)
    except ValueError as error:
        raise Refused("the provider's name for you is no name here") from error
