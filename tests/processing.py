"""Workers on a store that tests have journalled into, and what became of it."""

import json

from engine.channels.format.load import load_site
from engine.channels.processing.assemble import lines_of
from engine.channels.worker import Worker
from engine.store.delivery_moves import content
from engine.store.queues import DeliveryFilter, deliveries
from engine.store.search import MessageFilter, messages
from tests.databases import empty_database
from tests.fakes import NOON
from tests.stored import accept, arrival

SITE = 'site = "test"\n'
CHANNEL = """\
channel: adt
source:
  mllp: {{port: 2575}}
  hl7: {{{hl7}}}
identity: {{match: false}}
destinations:
  - name: his
    mllp: {{host: 127.0.0.1, port: 6661}}
"""


def lines(folder, *, strict=False, hl7=()):
    """Return what processes the channel ``adt``; ``hl7`` is ``key: value`` texts."""
    options = ", ".join([f"profile: {'strict' if strict else 'lenient'}", *hl7])
    config = folder / "config"
    (config / "channels").mkdir(parents=True, exist_ok=True)
    (config / "interop.toml").write_text(SITE)
    (config / "channels" / "adt.yaml").write_text(CHANNEL.format(hl7=options))
    return lines_of(load_site(config, variables={}))


def process(store, found, now=NOON):
    """Process everything there is."""
    worker = Worker(store, found, lambda: now)
    while worker.turn():
        pass


def states(store):
    """Return state and reason of every message, in accept order."""
    with store.reading() as connection:
        found = messages(connection, store.sealer, MessageFilter(), limit=1000)
    return [(row.state.value, row.reason) for row in reversed(found)]


def queued(store):
    """Return the content of every delivery, in order."""
    with store.reading() as connection:
        found = deliveries(connection, DeliveryFilter())
        kept = [content(connection, store.sealer, each.id) for each in found]
    return [each[0] for each in kept if each]


TO_A_SERVER = """\
channel: adt
source:
  mllp: {{port: 2575}}
identity: {{match: {match}}}
map-options: {{source-message: none{switches}}}
destinations:
  - name: clinic
    fhir: {{url: "http://127.0.0.1:1/fhir", validate: always{more}}}
"""


def bundles(tmp_path, story, switches="", *, match="false", more=""):
    """Return the Bundles a worker makes of messages that come in this order."""
    config = tmp_path / "config"
    (config / "channels").mkdir(parents=True, exist_ok=True)
    (config / "interop.toml").write_text(SITE)
    switches = f", {switches}" if switches else ""
    text = TO_A_SERVER.format(switches=switches, match=match, more=more)
    (config / "channels" / "adt.yaml").write_text(text)
    store = empty_database("sqlite", tmp_path)
    accept(store, *(arrival(f"C{at}", data=data) for at, data in enumerate(story)))
    process(store, lines_of(load_site(config, variables={})))
    return [json.loads(content) for content in queued(store)]


def latest(found, kind):
    """Return the last version sent of each resource of a type."""
    held = {}
    for bundle in found:
        for row in bundle["entry"]:
            if row["resource"]["resourceType"] == kind:
                held[row["fullUrl"]] = row["resource"]
    return list(held.values())
