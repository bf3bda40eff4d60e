"""Accounts of people and tokens of programs: the moves of the page of users.

Spec:
    console.md S14 and 6; security.md S10 and S13.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from engine.console.api import access_models, models
from engine.console.api.orders import Ordered, Reasoned, carried_out
from engine.console.pages.users import (
    CODE_LASTS,
    LONGEST_DAYS,
    grants_from,
    name_from,
    scope_from,
    way_in,
)
from engine.console.queries import users as queries
from engine.console.surroundings import limits, surroundings
from engine.store import accounts, tokens
from engine.store.accounts import EVERY_TAG
from engine.store.audit import Order
from engine.store.database import Connection
from engine.store.seal import Sealer

Users = models.Listed[access_models.User]
Tokens = models.Listed[access_models.Token]
Deed = Literal["disable", "enable", "end-sessions", "reset-factors"]
Tag = Annotated[str, StringConstraints(pattern=r"^\S+$")]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)
]
_EVERY: tuple[Tag, ...] = (EVERY_TAG,)


class NewUser(Ordered):
    """Whom to make an account for; ``tags`` are of channels, ``*`` is every one."""

    name: Name
    roles: list[str]
    tags: tuple[Tag, ...] = Field(_EVERY, min_length=1)


class Granted(Reasoned):
    """What an account may do from now on, instead of before."""

    roles: list[str]
    tags: tuple[Tag, ...] = Field(_EVERY, min_length=1)


class NewToken(Ordered):
    """What a program may do, for channels of which tags, and for how long."""

    name: Name
    permissions: list[str]
    tags: tuple[Tag, ...] = Field(_EVERY, min_length=1)
    days: int = Field(90, ge=1, le=LONGEST_DAYS)


def users(request: Request) -> Users:
    """List the accounts, by name."""
    here = surroundings(request)
    with here.database.reading() as connection:
        found = queries.rows(connection, limits(here), here.now())
    return Users(items=[access_models.User.model_validate(_split(e)) for e in found])


def _split(row: dict[str, object]) -> dict[str, object]:
    words = ("roles", "tags", "factors")
    named = {each: str(row[each]).split() for each in words}
    return row | named | {"seen_at": row["last_seen"]}


def create(request: Request, asked: NewUser) -> Response:
    """Make an account; the answer has the link that leads into it, once."""
    grants, name = grants_from(asked.roles), name_from(asked.name)

    def done(
        connection: Connection, sealer: Sealer, order: Order
    ) -> access_models.Issued:
        accounts.create(connection, sealer, name, grants, asked.tags, order)
        return _led_in(connection, request, name, order)

    return carried_out(request, asked, done)


def invite(request: Request, name: str, asked: Reasoned) -> Response:
    """Make a new link into an account, for who lost the password; earlier ones end."""
    return carried_out(
        request,
        asked,
        lambda connection, _, order: _led_in(connection, request, name, order),
    )


def _led_in(
    connection: Connection, request: Request, name: str, order: Order
) -> access_models.Issued:
    link = way_in(connection, request, name, order)
    ends = order.now + CODE_LASTS
    return access_models.Issued(name=name, secret=link, expires_at=ends)


def grant(request: Request, name: str, asked: Granted) -> Response:
    """Change what an account may do; its sessions end."""
    grants = grants_from(asked.roles)

    def done(connection: Connection, sealer: Sealer, order: Order) -> models.Done:
        accounts.regrant(connection, sealer, name, grants, asked.tags, order)
        return models.Done(what="roles", count=1)

    return carried_out(request, asked, done)


def act(request: Request, name: str, what: Deed, asked: Reasoned) -> Response:
    """Disable or enable an account, end its sessions, reset its second factor."""

    def done(connection: Connection, sealer: Sealer, order: Order) -> models.Done:
        queries.DEEDS[what](connection, sealer, name, order)
        return models.Done(what=what, count=1)

    return carried_out(request, asked, done)


def issued(request: Request) -> Tokens:
    """List the tokens, the newest last; never what they are."""
    here = surroundings(request)
    with here.database.reading() as connection:
        found = tokens.tokens(connection)
    return Tokens(
        items=[
            access_models.Token(
                id=each.id,
                name=each.name,
                permissions=sorted(each.permissions),
                tags=sorted(each.tags),
                created_at=each.created_at,
                created_by=each.created_by,
                expires_at=each.expires_at,
                state=queries.token_state(each, here.now()),
            )
            for each in found
        ]
    )


def issue(request: Request, asked: NewToken) -> Response:
    """Make a token for a program; the answer has it, once."""
    words = scope_from(request, asked.permissions)

    def done(
        connection: Connection, sealer: Sealer, order: Order
    ) -> access_models.Issued:
        ends = order.now + timedelta(days=asked.days)
        secret = tokens.issue(
            connection, sealer, asked.name, words, ends, order, asked.tags
        )
        return access_models.Issued(name=asked.name, secret=secret, expires_at=ends)

    return carried_out(request, asked, done)


def revoke(request: Request, number: int, asked: Reasoned) -> Response:
    """End a token now."""

    def done(connection: Connection, sealer: Sealer, order: Order) -> models.Done:
        tokens.revoke(connection, sealer, number, order)
        return models.Done(what="revoke", count=1)

    return carried_out(request, asked, done)
