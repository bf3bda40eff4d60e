"""The latest version of each resource, by key and by source record; document versions.

A resource belongs to the source record that its message named, and so to whoever that
record belongs to today: a move of records moves what they said.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, select, update

from engine.store.counters import chunks
from engine.store.dialect import put
from engine.store.patient_tables import record
from engine.store.plain_sql import fetcher
from engine.store.schema import Found, instant
from engine.store.seal import Sealer, fingerprint
from engine.store.tables import document, resource


@dataclass(frozen=True, slots=True)
class KnownResource:
    """A resource as it was last sent.

    ``resource_type`` and ``criteria`` (``identifier=system|value``) are its key.
    ``content`` is its JSON. ``record`` is the source record it is about, 0 for nobody's
    or everybody's. ``source_time`` is the time the source gave the update it came from,
    to tell late messages; None when the source gave none. ``sent`` are the FHIR
    destinations that were sent it, as ``channel/destination``; keeping it adds to them.
    """

    resource_type: str
    criteria: str
    content: bytes
    record: int = 0
    source_time: datetime | None = None
    message_id: int = 0
    sent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class NewDocument:
    """One version of a document: its set, its number, its own id and what it replaces.

    ``set_id`` stays the same over all versions; ``content_hash`` (hexadecimal) tells
    whether a later rendering says anything else.
    """

    set_id: str
    number: int
    document_id: str
    relates_to: str = ""
    message_id: int = 0
    content_hash: str = ""


_CHANGES: Final = ("record", "hash", "content", "source_time", "message_id", "sent")
_LOAD_ONE: Final = select(resource).where(resource.c.key == bindparam("wanted"))
_LOAD: Final = select(resource).where(
    resource.c.key.in_(bindparam("keys", expanding=True))
)
_LATER: Final = (
    update(resource)
    .where(resource.c.key == bindparam("wanted"))
    .values(source_time=bindparam("happened"), message_id=bindparam("number"))
)
_OF_PERSON: Final = (
    select(resource)
    .join(record, record.c.id == resource.c.record)
    .where(record.c.person == bindparam("person"))
    .order_by(resource.c.resource_type, resource.c.message_id, resource.c.key)
)
_OF_RECORDS: Final = (
    select(resource)
    .where(
        resource.c.record.in_(bindparam("records", expanding=True)),
        resource.c.resource_type == bindparam("kind"),
    )
    .order_by(resource.c.message_id, resource.c.key)
)
_LATEST: Final = (
    select(document)
    .where(document.c.set_key == bindparam("set_key"))
    .order_by(document.c.number.desc())
    .limit(1)
)


def load(
    connection: Connection, sealer: Sealer, keys: Collection[tuple[str, str]]
) -> dict[tuple[str, str], KnownResource]:
    """Return what is known under (type, criteria) keys; unknown keys are left out."""
    if not keys:
        return {}
    blind = [_key(sealer, *key) for key in keys]
    if len(blind) == 1:  # by far the most frequent question; IN costs twice as much
        rows = connection.execute(_LOAD_ONE, {"wanted": blind[0]})
    else:
        rows = connection.execute(_LOAD, {"keys": blind})
    found = [opened(sealer, row) for row in rows]
    return {(one.resource_type, one.criteria): one for one in found}


class Mark(NamedTuple):
    """What tells whether a kept resource is still the one somebody remembers."""

    fingerprint: bytes
    source_time: datetime | None
    sent: frozenset[str] = frozenset()


def marks(
    connection: Connection, sealer: Sealer, keys: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Mark]:
    """Return the marks of resources without opening them; unknown keys are left out."""
    if not keys:
        return {}
    blind = {_key(sealer, *key): key for key in keys}
    return {blind[key]: mark for key, mark in _marks(connection, list(blind)).items()}


def _marks(connection: Connection, keys: Sequence[bytes]) -> dict[bytes, Mark]:
    fetch = fetcher(connection)
    rows = [row for some in chunks(keys) for row in fetch(_marks_of(len(some)), some)]
    return {
        bytes(key): Mark(
            bytes(found), None if at is None else instant(at), frozenset(sent.split())
        )
        for key, found, at, sent in rows
    }


@lru_cache(maxsize=64)
def _marks_of(count: int) -> str:
    """Fetch fingerprint, time and receivers of so many resources."""
    places = ", ".join(["?"] * count)
    return (
        "SELECT key, hash, source_time, sent FROM engine.resource "  # noqa: S608 - only places are written in
        f"WHERE key IN ({places})"
    )


def of_person(
    connection: Connection, sealer: Sealer, person: str
) -> list[KnownResource]:
    """Return everything known of a person, by type and first message."""
    rows = connection.execute(_OF_PERSON, {"person": person})
    return [opened(sealer, row) for row in rows]


def of_records(
    connection: Connection, sealer: Sealer, records: Collection[int], kind: str
) -> list[KnownResource]:
    """Return what is known of some source records, of one resource type."""
    asked = {"records": list(records), "kind": kind}
    return [opened(sealer, row) for row in connection.execute(_OF_RECORDS, asked)]


def store(
    connection: Connection, sealer: Sealer, resources: Sequence[KnownResource]
) -> int:
    """Keep resources as the latest versions; return how many had changed.

    Of one that says nothing new only the time is moved on.
    """
    wanted = {_key(sealer, one.resource_type, one.criteria): one for one in resources}
    if not wanted:
        return 0
    known = _marks(connection, list(wanted))
    rows: list[dict[str, object]] = []
    later: list[dict[str, object]] = []
    for key, one in sorted(wanted.items()):
        digest, mark = fingerprint_of(one), known.get(key)
        if mark is not None and mark.sent:
            one = replace(one, sent=one.sent | mark.sent)  # noqa: PLW2901 - joined
        if mark is None or mark.fingerprint != digest or mark.sent != one.sent:
            rows.append(_row(sealer, key, one, digest))
        elif mark.source_time != one.source_time:
            number = one.message_id
            later.append({"wanted": key, "happened": one.source_time, "number": number})
    put(connection, resource, rows, replace=_CHANGES)
    if later:
        connection.execute(_LATER, later)
    return len(rows)


def _row(
    sealer: Sealer, key: bytes, one: KnownResource, digest: bytes
) -> dict[str, object]:
    return {
        "key": key,
        "resource_type": one.resource_type,
        "record": one.record,
        "sent": " ".join(sorted(one.sent)),
        "hash": digest,
        "content": _sealed(sealer, key, one),
        "source_time": one.source_time,
        "message_id": one.message_id,
    }


@lru_cache(maxsize=8_192)
def _key(sealer: Sealer, resource_type: str, criteria: str) -> bytes:
    return sealer.blind(f"resource|{resource_type}|{criteria}")


def fingerprint_of(one: KnownResource) -> bytes:
    """Return the fingerprint of what a resource says, and of whom."""
    return _fingerprint(one.record, one.content)


@lru_cache(maxsize=4_096)
def _fingerprint(record: int, content: bytes) -> bytes:
    return fingerprint(b"%d|" % record + content)


def _sealed(sealer: Sealer, key: bytes, one: KnownResource) -> bytes:
    """Return criteria and content sealed together: both may name a patient."""
    criteria = one.criteria.encode()
    content = len(criteria).to_bytes(4) + criteria + one.content
    return sealer.seal(content, f"resource|{key.hex()}|")


def opened(sealer: Sealer, row: Found) -> KnownResource:
    """Return a resource from its row.

    Raises:
        EngineError: it is damaged.
    """
    text = sealer.open(row.content, f"resource|{row.key.hex()}|")
    start = 4 + int.from_bytes(text[:4])
    return KnownResource(
        resource_type=row.resource_type,
        criteria=text[4:start].decode(),
        content=text[start:],
        record=row.record,
        source_time=row.source_time,
        message_id=row.message_id,
        sent=frozenset(row.sent.split()),
    )


def latest_document(
    connection: Connection, sealer: Sealer, set_id: str
) -> NewDocument | None:
    """Return the last version of a document set; None when there is none yet."""
    key = sealer.blind(f"document|{set_id}")
    row = connection.execute(_LATEST, {"set_key": key}).one_or_none()
    if row is None:
        return None
    facts = sealer.open(row.content, f"document|{key.hex()}|{row.number}")
    return NewDocument(**json.loads(facts))


def store_documents(
    connection: Connection,
    sealer: Sealer,
    documents: Sequence[NewDocument],
    now: datetime,
) -> None:
    """Keep versions of documents."""
    rows: list[dict[str, object]] = []
    for one in documents:
        key = sealer.blind(f"document|{one.set_id}")
        facts = json.dumps(asdict(one)).encode()
        rows.append(
            {
                "set_key": key,
                "number": one.number,
                "content": sealer.seal(facts, f"document|{key.hex()}|{one.number}"),
                "message_id": one.message_id,
                "made_at": now,
            }
        )
    put(connection, document, rows, replace=("content", "message_id", "made_at"))
