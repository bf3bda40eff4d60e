"""Resources belong to source records, and say which destinations have them. Pre-deploy.

Of a person with several records the whole Patient goes to the record that was heard of
last: what each of them had said before was not kept apart.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa
from alembic import op

from engine.store.seal import Sealer, fingerprint

revision = "0004"
down_revision = "0003"

Row = sa.RowMapping
PATIENT: Final = "urn:interop:patient"
ENTERPRISE: Final = "EI"
_BODY: Final = b',"resource":'
_PAGE: Final = 500


def _engine(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *map(sa.column, columns), schema="engine")


_resource = _engine(
    "resource", "key", "resource_type", "person", "hash", "content", "message_id",
    "record", "sent",
)  # fmt: skip
_decision = _engine("decision", "message", "record")
_record = _engine("record", "id", "person")
_delivery = _engine(
    "delivery", "message_id", "channel", "destination", "content_type", "state"
)


def upgrade() -> None:
    """Name the record and the receivers of each resource, and no person any more."""
    for column in (
        sa.Column("record", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sent", sa.Text(), server_default="", nullable=False),
    ):
        op.add_column("resource", column, schema="engine")
    connection, config = op.get_bind(), op.get_context().config
    assert config is not None
    for row in _rows(connection):
        _rewrite(connection, config.attributes["sealer"], row)
    op.drop_index("resource_by_person", table_name="resource", schema="engine")
    op.drop_column("resource", "person", schema="engine")
    op.create_index("resource_by_record", "resource", ["record"], schema="engine")


def _rows(connection: sa.Connection) -> Iterator[Row]:
    """Yield the resources of persons, as they stood when this began."""
    wanted = sa.select(_resource.c.key).where(_resource.c.person != "")
    keys = connection.execute(wanted).scalars().all()
    for start in range(0, len(keys), _PAGE):
        page = sa.select(_resource).where(
            _resource.c.key.in_(keys[start : start + _PAGE])
        )
        yield from connection.execute(page).mappings().all()


def _rewrite(connection: sa.Connection, sealer: Sealer, row: Row) -> None:
    """Write a row anew: of a record, and of nobody by name."""
    before = bytes(row["key"])
    number = _record_of(connection, row)
    opened = sealer.open(bytes(row["content"]), f"resource|{before.hex()}|")
    start = 4 + int.from_bytes(opened[:4])
    criteria, content = opened[4:start].decode(), _neutral(opened[start:], row)
    key = before
    if row["resource_type"] == "Patient" and number:
        criteria = f"record={number}"
        key = sealer.blind(f"resource|Patient|{criteria}")
        taken = sa.delete(_resource).where(_resource.c.key == key)
        connection.execute(taken)
    length = len(criteria.encode()).to_bytes(4)
    connection.execute(
        sa.update(_resource)
        .where(_resource.c.key == before)
        .values(
            key=key,
            record=number,
            sent=_receivers(connection, row["message_id"]),
            hash=fingerprint(b"%d|" % number + content),
            content=sealer.seal(
                length + criteria.encode() + content, f"resource|{key.hex()}|"
            ),
        )
    )


def _record_of(connection: sa.Connection, row: Row) -> int:
    """Return the record that the last message named, else the person's first."""
    named = sa.select(sa.func.min(_decision.c.record)).where(
        _decision.c.message == row["message_id"], _decision.c.record > 0
    )
    first = sa.select(sa.func.min(_record.c.id)).where(
        _record.c.person == row["person"]
    )
    asked = (connection.execute(each).scalar() for each in (named, first))
    return next(filter(None, asked), 0)


def _receivers(connection: sa.Connection, message: int) -> str:
    """Return the destinations that were sent the last message as FHIR."""
    rows = connection.execute(
        sa.select(_delivery.c.channel, _delivery.c.destination)
        .distinct()
        .where(
            _delivery.c.message_id == message,
            _delivery.c.content_type == "application/fhir+json",
            _delivery.c.state != "discarded",
        )
    )
    return " ".join(sorted(f"{row.channel}/{row.destination}" for row in rows))


def _neutral(content: bytes, row: Row) -> bytes:
    """Return a resource that speaks of its record's patient, whoever that is."""
    place = content.index(_BODY)
    head, body = json.loads(content[:place] + b"}"), content[place + len(_BODY) : -1]
    found_by = head["found_by"]
    own = [
        url
        for url, query in found_by.items()
        if query.startswith("Patient?") and query.endswith(f"|{row['person']}")
    ]
    if row["resource_type"] == "Patient":
        own.append(head["fullUrl"])
        head["fullUrl"], body = PATIENT, _without_identity(body)
    for url in own:
        found_by.pop(url, None)
        body = body.replace(f'"{url}"'.encode(), f'"{PATIENT}"'.encode())
    return _written(head)[:-1] + _BODY + body + b"}"


def _without_identity(body: bytes) -> bytes:
    """Leave out of a Patient what the index said: its identifier and its links."""
    resource = json.loads(body)
    resource.pop("link", None)
    stated = resource.get("identifier", [])
    resource["identifier"] = [one for one in stated if not _is_enterprise(one)]
    return _written(resource)


def _written(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _is_enterprise(identifier: Mapping[str, Any]) -> bool:
    codings = identifier.get("type", {}).get("coding", [])
    return any(coding.get("code") == ENTERPRISE for coding in codings)
