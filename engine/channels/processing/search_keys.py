"""What a message is found by, and which messages belong to the same person."""

from collections.abc import Mapping
from typing import Final

from engine.hl7 import Message
from engine.store.results import SearchKey

_ORDER_NUMBERS: Final = (("ORC", 2), ("ORC", 3), ("OBR", 2), ("OBR", 3))


def search_keys(message: Message, extra: Mapping[str, str]) -> list[SearchKey]:
    """Return what the message is found by; the store keeps keyed hashes only."""
    found = {("identifier", value) for value in _identifiers(message)}
    pid, visit = message.first("PID"), message.first("PV1")
    if pid is not None:
        for name in pid.repetitions(5):
            found |= {("family", name.text(1)), ("given", name.text(2))}
        found |= {("birth-date", pid.text(7)[:8]), ("account", pid.text(18))}
    if visit is not None:
        found.add(("visit", visit.text(19)))
    for segment_id, number in _ORDER_NUMBERS:
        found |= {("order", each.text(number)) for each in message.all(segment_id)}
    found |= {("accession", each.text(30)) for each in message.all("SPM")}
    found |= set(extra.items())
    return [SearchKey(kind, value) for kind, value in sorted(found) if value]


def _identifiers(message: Message) -> list[str]:
    found: list[str] = []
    for segment_id, number in (("PID", 3), ("MRG", 1)):
        for segment in message.all(segment_id):
            found += [each.text(1) for each in segment.repetitions(number)]
    return found


def person_keys(message: Message, channel: str = "") -> list[str]:
    """Return the keys by which later messages of this message's persons wait.

    With ``channel`` only messages of that channel wait, else those of all.
    """
    keys: list[str] = []
    for segment_id, number in (("PID", 3), ("MRG", 1)):
        for segment in message.all(segment_id):
            for each in segment.repetitions(number):
                namespace = (each.sub(4) or [""])[0]
                keys.append(f"{channel}|{namespace}|{each.text(1)}")
    return keys


def waiting_keys(message: Message, channel: str) -> list[str]:
    """Return every key that this message may have to wait for."""
    return [*person_keys(message), *person_keys(message, channel)]
