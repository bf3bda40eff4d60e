"""One channel from the block to its destinations: accept, worker and rendering."""

import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path

from engine.channels.format.load import load_site
from engine.channels.processing.assemble import line_of
from engine.channels.processing.trial import Bench
from engine.hl7 import parse
from tests.channel_files import SITE_WITH_DOCUMENTS, write_site
from tests.databases import empty_database

CHANNEL = """\
channel: feed
source:
  mllp: {{port: 2575}}
  hl7: {hl7}
identity: {{match: false}}
edit: {edit}
destinations: {destinations}
"""
HIS = {"name": "his", "mllp": {"host": "127.0.0.1", "port": 6661}}


class Feed:
    """Messages put into one channel with the lenient settings or the strict ones.

    ``hl7`` are keys of ``source.hl7``, ``edit`` steps and ``destinations`` lists of
    mappings, as a channel file would hold them.
    """

    def __init__(self, folder, *, strict=False, edit=(), destinations=(HIS,), hl7=None):
        options = {"profile": "strict" if strict else "lenient", **(hl7 or {})}
        text = CHANNEL.format(
            hl7=json.dumps(options),
            edit=json.dumps(list(edit)),
            destinations=json.dumps(list(destinations)),
        )
        self.bench = Bench(_line(text), empty_database("sqlite", folder))

    def put(self, data):
        """Return what became of one message."""
        return Taken(self.bench.put(data))


@functools.cache
def _line(text):
    """Return what processes a channel; tests that ask for the same one share it."""
    folder = Path(tempfile.mkdtemp(prefix="interop-feed-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_site(folder, {"interop.toml": SITE_WITH_DOCUMENTS}, feed=text)
    site = load_site(folder, None, {})
    return line_of(site, site.channels[0])


class Taken:
    """What became of one message: the answer, its state, its flags, what goes out."""

    def __init__(self, trial):
        self.trial = trial
        self.code, self.state = trial.code, str(trial.outcome.state)
        self.failure = trial.outcome.failure
        self.message = trial.message

    @property
    def cause(self):
        """Stage and stable code of the failure."""
        return self.failure and (str(self.failure.stage), self.failure.code)

    @property
    def flags(self):
        """The remarks stored with the message by processing."""
        report = json.loads(self.trial.outcome.report or "{}")
        return [code for code, _, _ in report.get("findings", [])]

    def sent(self, destination="his"):
        """Return the bytes for one destination."""
        [delivery] = self.trial.deliveries[destination]
        return delivery.content

    def sent_message(self, destination="his"):
        """Return the message for one destination, read again."""
        return parse(self.sent(destination))
