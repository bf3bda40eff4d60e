"""Workers on a store that tests have journalled into, and what became of it."""

from engine.channels.format.load import load_site
from engine.channels.processing.assemble import lines_of
from engine.channels.worker import Worker
from engine.store.delivery_moves import content
from engine.store.queues import DeliveryFilter, deliveries
from engine.store.search import MessageFilter, messages
from tests.fakes import NOON

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
