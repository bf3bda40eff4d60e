"""The latest version of each resource, by key and by person; document versions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from engine.store.seal import Sealer


@dataclass(frozen=True, slots=True)
class KnownResource:
    """A resource as it was last sent.

    ``resource_type`` and ``criteria`` (``identifier=system|value``) are its key.
    ``content`` is its JSON. ``source_time`` is the time the source gave the update it
    came from, to tell late messages; None when the source gave none.
    """

    resource_type: str
    criteria: str
    content: bytes
    person: str = ""
    source_time: datetime | None = None
    message_id: int = 0


@dataclass(frozen=True, slots=True)
class NewDocument:
    """One version of a document: its set, its number, its own id and what it replaces.

    ``set_id`` stays the same over all versions.
    """

    set_id: str
    number: int
    document_id: str
    relates_to: str = ""
    message_id: int = 0


def load(
    connection: Connection, sealer: Sealer, keys: Collection[tuple[str, str]]
) -> dict[tuple[str, str], KnownResource]:
    """Return what is known under (type, criteria) keys; unknown keys are left out."""
    raise NotImplementedError


def of_person(
    connection: Connection, sealer: Sealer, person: str
) -> list[KnownResource]:
    """Return everything known of a person, by type and first message."""
    raise NotImplementedError


def store(
    connection: Connection, sealer: Sealer, resources: Sequence[KnownResource]
) -> int:
    """Keep resources as the latest versions; return how many had changed."""
    raise NotImplementedError


def move(
    connection: Connection,
    sealer: Sealer,
    keys: Collection[tuple[str, str]],
    person: str,
) -> None:
    """Give resources to another person, after a link or an unlink."""
    raise NotImplementedError


def move_person(connection: Connection, source: str, target: str) -> None:
    """Give all resources of a person to another one, after a merge."""
    raise NotImplementedError


def latest_document(
    connection: Connection, sealer: Sealer, set_id: str
) -> NewDocument | None:
    """Return the last version of a document set; None when there is none yet."""
    raise NotImplementedError


def store_documents(
    connection: Connection,
    sealer: Sealer,
    documents: Sequence[NewDocument],
    now: datetime,
) -> None:
    """Keep versions of documents."""
    raise NotImplementedError
