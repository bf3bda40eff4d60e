"""Fields that the declared HL7 version does not have, and tables nobody uses."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from engine.channels.format.faults import Fault, Place
from engine.channels.format.nodes import Scalar
from engine.channels.format.parts import texts_of
from engine.channels.format.revision import ALWAYS_USED
from engine.channels.format.written import Node, Written
from engine.hl7 import parse_path
from engine.hl7.dictionary import fields

_PATH: Final = re.compile(
    r"(?<![\w-])[A-Z][A-Z0-9]{2}(?:\[(?:[1-9]\d{0,3}|\*)\])?-[1-9]\d{0,3}", re.ASCII
)


def one(written: Written) -> Iterator[Fault]:
    """Return the fields in one channel that its HL7 version does not define."""
    version = written.channel.source.hl7.version
    for text, scalar in texts_of(written.root).items():
        for found in _PATH.finditer(text):
            path = parse_path(found[0])
            known = fields(path.segment, version)
            if known and path.field not in known:
                sentence = f"HL7 {version} has no {path.segment}-{path.field}"
                place = scalar.at(found.start())
                yield Fault(place, sentence, "", "CH210", "warning")


def unused_tables(channels: Sequence[Written], node: Node) -> Iterator[Fault]:
    """Return the code tables that no channel names."""
    texts: dict[str, Scalar] = {}
    for written in channels:
        texts |= texts_of(written.root)
    for name in node.tables:
        if name not in ALWAYS_USED and not any(name in text for text in texts):
            sentence = f"no channel uses the table {name}"
            yield Fault(Place(f"tables/{name}.csv"), sentence, "", "CH220", "hint")
