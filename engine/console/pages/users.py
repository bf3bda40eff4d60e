"""S14 Users and roles: the least right that does the work.

Spec:
    console.md S14; security.md S03, S08, S10 and S13.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.console import entry
from engine.console.listing import Listing, answer
from engine.console.masking import profiles_of, scope_of
from engine.console.permissions import (
    PROFILE,
    ROLES,
    SAID,
    Permission,
    Role,
    grants_of,
)
from engine.console.queries import users as queries
from engine.console.rendering import page
from engine.console.surroundings import (
    Surroundings,
    address,
    caller,
    limits,
    surroundings,
)
from engine.errors import IllegalTransitionError
from engine.store import accounts, factors, invitations, sessions, tokens
from engine.store.accounts import EVERY_TAG
from engine.store.audit import Order
from engine.store.database import Connection

_CHANGED: Final = "what {} may do was changed since it was shown: look again"
CODE_LASTS: Final = timedelta(hours=24)
LONGEST_DAYS: Final = 3650
COLUMNS: Final = (
    *("name", "state", "roles", "tags", "factors", "sessions", "external"),
    *("created_at", "last_seen"),
)


def users(request: Request) -> Response:
    """List accounts, tokens, and what each role may do."""
    return _listed(request)


def _listed(request: Request, shown: Mapping[str, str] | None = None) -> Response:
    here = surroundings(request)
    with here.database.reading() as connection:
        rows = queries.rows(connection, limits(here), here.now())
        issued = tokens.tokens(connection)
    return answer(
        request,
        Listing("users", COLUMNS, rows),
        "users.html",
        tokens=[(each, queries.token_state(each, here.now())) for each in issued],
        roles=ROLES,
        said=SAID,
        permissions=list(Permission),
        tags=sorted({tag for its in here.tags.values() for tag in its}),
        profiles=_profiles(here),
        shown=shown or {},
    )


def _profiles(here: Surroundings) -> list[str]:
    return sorted(PROFILE + name for name in profiles_of(here.settings))


def user(request: Request, name: str) -> Response:
    """Show one account and what can be done about it."""
    here = surroundings(request)
    with here.database.reading() as connection:
        found = accounts.by_name(connection, name)
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no account {name}")
        has = factors.factors(connection, here.database.sealer, found.id)
        living = sessions.living(connection, limits(here), here.now())
        keepers = accounts.administrators(connection)
    return page(
        request,
        "user.html",
        account=found,
        seen=queries.stands(found),
        factors=[each for each in has if each.kind in entry.PROVING],
        sessions=[each for each in living if each.account.id == found.id],
        is_last=[each.id for each in keepers] == [found.id],
        roles=[*Role, *_profiles(here)],
        shown={},
    )


def invite(
    request: Request,
    name: Annotated[str, Form()] = "",
    roles: Annotated[list[str] | None, Form()] = None,
    tags: Annotated[str, Form()] = EVERY_TAG,
) -> Response:
    """Make an account and show the link that leads into it, this once."""
    here, order = surroundings(request), _order(request, "")
    grants, wanted = grants_from(roles), name_from(name)
    with _told(), here.database.engine() as connection:
        sealer = here.database.sealer
        accounts.create(connection, sealer, wanted, grants, _tags(tags), order)
        shown = way_in(connection, request, wanted, order)
    return _listed(request, {"link": shown, "name": wanted})


def act(
    request: Request, name: str, what: str, reason: Annotated[str, Form()] = ""
) -> Response:
    """Disable or enable an account, end its sessions, reset its second factor."""
    here = surroundings(request)
    if what not in queries.DEEDS:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    with _told(), here.database.engine() as connection:
        order = _order(request, reason)
        queries.DEEDS[what](connection, here.database.sealer, name, order)
    return entry.go(f"/users/{name}")


def change_role(
    request: Request,
    name: str,
    roles: Annotated[list[str] | None, Form()] = None,
    tags: Annotated[str, Form()] = EVERY_TAG,
    reason: Annotated[str, Form()] = "",
    seen: Annotated[str, Form()] = "",
) -> Response:
    """Change what an account may do; its sessions end."""
    here, grants = surroundings(request), grants_from(roles)
    with _told(), here.database.engine() as connection:
        if seen and seen != queries.stands(accounts.expect(connection, name)):
            raise IllegalTransitionError(_CHANGED.format(name))
        order, sealer = _order(request, reason), here.database.sealer
        accounts.regrant(connection, sealer, name, grants, _tags(tags), order)
    return entry.go(f"/users/{name}")


def new_code(
    request: Request, name: str, reason: Annotated[str, Form()] = ""
) -> Response:
    """Show a new link into an account, for who has lost the password."""
    here = surroundings(request)
    with _told(), here.database.engine() as connection:
        shown = way_in(connection, request, name, _order(request, reason))
    return _listed(request, {"link": shown, "name": name})


def way_in(connection: Connection, request: Request, name: str, order: Order) -> str:
    """Return the address that leads somebody in, once; earlier ones end.

    Raises:
        IllegalTransitionError: there is no such account.
    """
    sealer, ends = surroundings(request).database.sealer, order.now + CODE_LASTS
    code = invitations.invite(connection, sealer, name, ends, order)
    return f"{address(request)}/welcome?code={code}"


def new_token(
    request: Request,
    name: Annotated[str, Form()] = "",
    permissions: Annotated[list[str] | None, Form()] = None,
    tags: Annotated[str, Form()] = EVERY_TAG,
    days: Annotated[int, Form()] = 90,
) -> Response:
    """Make a token for a program and show it, this once."""
    here, wanted = surroundings(request), scope_from(request, permissions)
    if not name.strip():
        sentence = "a token has a name"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    ends = here.now() + timedelta(days=max(1, min(days, LONGEST_DAYS)))
    with here.database.engine() as connection:
        secret = tokens.issue(
            connection,
            here.database.sealer,
            name.strip(),
            wanted,
            ends,
            _order(request, ""),
            _tags(tags),
        )
    return _listed(request, {"token": secret, "name": name.strip()})


def revoke_token(
    request: Request, number: int, reason: Annotated[str, Form()] = ""
) -> Response:
    """End a token now."""
    here = surroundings(request)
    with _told(), here.database.engine() as connection:
        order = _order(request, reason)
        tokens.revoke(connection, here.database.sealer, number, order)
    return entry.go("/users#tokens")


@contextmanager
def _told() -> Iterator[None]:
    """Answer a move that cannot be made with its sentence."""
    try:
        yield
    except IllegalTransitionError as error:
        sentence = f"nothing was changed: {error}"
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error


def name_from(text: str) -> str:
    """Return a name for an account.

    Raises:
        HTTPException: it is none.
    """
    try:
        return accounts.account_name(text)
    except ValueError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


def scope_from(request: Request, words: list[str] | None) -> list[str]:
    """Return what a token is to be given.

    Raises:
        HTTPException: a word is neither permission nor masking profile, or none is.
    """
    try:
        return scope_of(words or [], surroundings(request).settings)
    except ValueError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


def grants_from(words: list[str] | None) -> list[str]:
    """Return roles and permissions by their names of today.

    Raises:
        HTTPException: a word is neither, or there is none.
    """
    try:
        found = grants_of(words or [])
    except ValueError as error:
        sentence = f"{error} is neither role nor permission"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence) from error
    if not found:
        sentence = "choose at least one role: " + ", ".join(Role)
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    return found


def _tags(words: str) -> list[str]:
    return words.split() or [EVERY_TAG]


def _order(request: Request, reason: str) -> Order:
    return Order(caller(request).name, surroundings(request).now(), reason)
