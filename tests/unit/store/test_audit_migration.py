"""The audit trail of an earlier release: it stays as written, and goes on."""

from sqlalchemy import text

from engine.store import audit, schema_version
from engine.store.audit import Act, Verification
from engine.store.database import open_database
from engine.store.dialect import SCHEMAS, SqliteFiles
from engine.store.seal import Sealer
from tests.databases import KEY
from tests.stored import NOON

EARLIER = ("0004", "0025")
AT = round(NOON.timestamp() * 1_000_000)
INSERT = (
    "INSERT INTO engine.audit (id, at, actor, action, subject, detail, hash) "
    "VALUES (:id, :at, 'eve', 'view', :subject, :detail, :hash)"
)


def as_written_then(sealer, rows):
    """Yield rows with the links that the earlier release gave them."""
    link = b""
    for number, subject in enumerate(rows, 1):
        detail = sealer.seal(b"", f"audit|{number}|")
        words = (str(number), str(AT), "eve", "view", subject)
        parts = [*(word.encode() for word in words), detail]
        link = sealer.chain(link, b"".join(len(p).to_bytes(4) + p for p in parts))
        yield {"id": number, "at": AT, "subject": subject, "detail": detail,
               "hash": link}  # fmt: skip


def test_the_chain_of_before_verifies_and_who_viewed_is_found_in_both(tmp_path):
    sealer, backend = Sealer(KEY), SqliteFiles(tmp_path, create=True)
    for schema, revision in zip(SCHEMAS, EARLIER, strict=True):
        with backend.engine.begin() as connection:
            backend.prepare(connection)
            schema_version.migrate(connection, schema, sealer, revision)
    with backend.engine.begin() as connection:
        for row in as_written_then(sealer, ["person P1", "person P2"]):
            connection.execute(text(INSERT), row)
        connection.execute(text("INSERT INTO engine.sequence VALUES ('audit', 2)"))
    backend.close()

    store = open_database(f"sqlite:///{tmp_path}", KEY)
    with store.engine() as connection:
        before = audit.verify(connection, store.sealer)
        now = Act(NOON, "kim", "view", "person", patient="P1")
        audit.write(connection, store.sealer, [now])
        after = audit.verify(connection, store.sealer)
        wanted = audit.Wanted(subjects=("person P1",), patients=("P1",))
        found = audit.search(connection, store.sealer, wanted)
    store.close()

    assert (before, after) == (Verification(2), Verification(3))
    assert [row.act.actor for row in found] == ["kim", "eve"]
