"""How the API shows accounts, tokens and backups; a secret once, to who made it."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from engine.console.api.models import Shown


class User(Shown):
    """One account; ``factors`` are the kinds of proof beside the password."""

    name: str
    state: str
    roles: list[str]
    tags: list[str]
    factors: list[str]
    sessions: int
    external: str
    created_at: datetime
    seen_at: datetime | None


class Token(Shown):
    """One token, never what it is; ``state`` is in use, expired or revoked."""

    id: int
    name: str
    permissions: list[str]
    tags: list[str]
    created_at: datetime
    created_by: str
    expires_at: datetime
    state: str


class Issued(Shown):
    """A link that leads into an account once, or a token.

    It is shown this once: ``secret`` is empty where the order was sent again.
    """

    WITHHELD: ClassVar[Mapping[str, object]] = {"secret": ""}

    name: str
    secret: str
    expires_at: datetime


class Backup(Shown):
    """One copy of the store; ``verified_at`` is when it was last found whole."""

    name: str
    made_at: datetime
    size: int
    verified_at: datetime | None


class Looked(Shown):
    """What is wrong with a backup; nothing where it is whole."""

    name: str
    faults: list[str]
