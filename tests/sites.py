"""A small site on disk with something in every queue, for the command line."""

import atexit
import functools
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner

from engine.channels.format.load import load_site
from engine.channels.processing.assemble import lines_of
from engine.channels.worker import Worker
from engine.cli.project import write_project
from engine.cli.root import interop
from engine.peers.synthetic import Plan, make_feed
from engine.settings import load_settings
from engine.store import claims, deliveries, journal, results, settlement
from engine.store.database import open_database
from engine.store.deliveries import NewDelivery, Turn
from engine.store.delivery_state import Event
from engine.store.journal import Arrival
from engine.store.key_file import load_or_create_key
from engine.store.message_state import MessageState
from engine.store.results import Batch, Failure, Outcome, SearchKey
from engine.store.settlement import Settlement
from tests.builders import adt_a01

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
FEW = Plan(kind="adt", patients=12, duplicates=4, days=2, seed=3)
SETTINGS = """
site = "test"
[store]
url = "sqlite:///../store"
key = "../store.key"
"""


@dataclass(frozen=True)
class Site:
    """A configuration folder and its store."""

    config: Path

    def run(self, *words, stdin=None):
        """Run interop on this site."""
        arguments = [*map(str, words), "--config", str(self.config)]
        return CliRunner().invoke(interop, arguments, input=stdin)

    def database(self, role="worker"):
        """Open the store as a process of the engine would."""
        settings = load_settings(self.config, variables={})
        key = load_or_create_key(settings.key_file)
        return open_database(settings.store_url, key, role=role)


def site_at(folder):
    """Return a site with settings and an empty store."""
    config = folder / "config"
    config.mkdir()
    (config / "interop.toml").write_text(SETTINGS, encoding="utf-8")
    (folder / "store").mkdir()
    site = Site(config)
    site.database().close()
    return site


def busy_site(folder):
    """Return a site with a delivered, an errored and a failed message."""
    shutil.copytree(_busy_template(), folder, dirs_exist_ok=True)
    return Site(folder / "config")


@functools.cache
def _busy_template():
    folder = Path(tempfile.mkdtemp(prefix="interop-site-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with_messages(site_at(folder))
    return folder


def with_messages(site):
    """Journal three messages: one goes out, one fails in edit, one is refused."""
    edge, worker = site.database("edge"), site.database("worker")
    arrivals = [
        Arrival("adt", "mllp", "peer", NOON, adt_a01(), control_id=f"M{number}",
                message_type="ADT", trigger_event="A01")
        for number in (1, 2, 3)
    ]  # fmt: skip
    with edge.journal() as connection:
        ids = [a.id for a in journal.append(connection, edge.sealer, arrivals)]
    with worker.engine() as connection:
        claims.claim(connection, worker.sealer, "adt", 10)
    failure = Failure("edit", "permanent", "table-miss", "no row for GLU", "no row")
    sent = [
        Outcome(ids[0], MessageState.PROCESSED, person="P1", deliveries=(bundle("P1"),),
                keys=(SearchKey("identifier", "100482"),)),
        Outcome(ids[1], MessageState.ERROR, failure=failure),
        Outcome(ids[2], MessageState.PROCESSED, person="P3",
                deliveries=(bundle("P3"),)),
    ]  # fmt: skip
    with worker.engine() as connection:
        results.record(connection, worker.sealer, Batch("adt", sent), NOON)
    turn = Turn("adt", "fhir", "edge", NOON, NOON + timedelta(minutes=1))
    with edge.engine() as connection:
        heads = deliveries.claim_heads(connection, edge.sealer, turn, 10)
    ends = [
        Settlement(heads[0], Event.ACCEPT),
        Settlement(heads[1], Event.PARK, class_="permanent", code="http-422",
                   sentence="FHIR 422"),
    ]  # fmt: skip
    with edge.engine() as connection:
        settlement.settle(connection, edge.sealer, ends, NOON)
    edge.close()
    worker.close()


def bundle(person):
    """Return a Bundle for the FHIR server."""
    content, kind = b'{"resourceType":"Bundle"}', "application/fhir+json"
    return NewDelivery("adt", "fhir", person, content, kind, person=person)


def site_with_doubt(folder):
    """Return a project that has processed a person and a doubtful second record."""
    shutil.copytree(_doubtful_template(), folder, dirs_exist_ok=True)
    return Site(folder / "config")


@functools.cache
def _doubtful_template():
    folder = Path(tempfile.mkdtemp(prefix="interop-doubt-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_project(folder)
    site = Site(folder / "config")
    feed = [made for made in make_feed(FEW) if made.truth == "register"]
    again = next(made for made in feed if made.record.tag == "hurried")
    whose = again.record.person
    first = next(m for m in feed if m.record.person == whose and not m.record.tag)
    edge, worker = site.database("edge"), site.database("worker")
    arrivals = [
        Arrival("hospital-adt", "mllp", "peer", NOON, made.data, message_type="ADT",
                trigger_event="A01", control_id=made.control_id)
        for made in (first, again)
    ]  # fmt: skip
    with edge.journal() as connection:
        journal.append(connection, edge.sealer, arrivals)
    lines = lines_of(load_site(site.config, None, {}))
    Worker(worker, lines, lambda: NOON).turn()
    edge.close()
    worker.close()
    return folder
