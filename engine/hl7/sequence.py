"""The sequence number protocol: what MSH-13 asks, what MSA-4 answers. Pure.

A receiver keeps the number of the last message it took over a link. 0 asks for the next
one, -1 starts anew with whatever comes, and every message carries the next number.

Spec:
    protocol.md E68 and E69.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

RESYNCHRONISE: Final = -1
START: Final = 0


class SequenceFault(StrEnum):
    """Why a message is not taken: the stable cause in the error queue."""

    GAP = "sequence-gap"
    """A message before this one never came; its sender sends that one next."""
    LOST = "sequence-lost"
    """The number went back, or is none: sender and receiver disagree."""
    FROZEN = "link-frozen"
    """The link waits for a person since they disagreed."""


@dataclass(frozen=True, slots=True)
class Link:
    """What is kept of a link; ``last`` is None before its first number."""

    last: int | None = None
    frozen: bool = False

    @property
    def expected(self) -> str:
        """MSA-4 for a link that starts: the next number, -1 when any will do."""
        return str(RESYNCHRONISE if self.last is None else self.last + 1)


@dataclass(frozen=True, slots=True)
class Step:
    """What a message with a number means for its link, and MSA-4 of the answer."""

    link: Link
    expected: str
    fault: SequenceFault | None = None


def follow(link: Link, given: str, *, repeated: bool) -> Step:
    """Return what a link makes of MSH-13.

    Args:
        link: as it was before this message.
        given: MSH-13 as it was sent, not empty.
        repeated: whether this very message was taken before.

    Examples:
        >>> follow(Link(7), "8", repeated=False).expected
        '8'
        >>> follow(Link(7), "9", repeated=False).expected
        '8'
    """
    number = int(given) if given.removeprefix("-").isdecimal() else None
    if number == RESYNCHRONISE:
        return Step(Link(), str(RESYNCHRONISE))
    if number == START:
        return Step(link, link.expected)
    if link.frozen:
        return Step(link, link.expected, SequenceFault.FROZEN)
    return _counted(link, number or RESYNCHRONISE, repeated=repeated)


def _counted(link: Link, number: int, *, repeated: bool) -> Step:
    """Return what a link that is in order makes of a number of a message."""
    if number > START and link.last in {None, number - 1}:
        return Step(Link(number), str(number))
    if link.last is not None and number > link.last:
        return Step(link, link.expected, SequenceFault.GAP)
    if number == link.last and repeated:
        return Step(link, link.expected)
    return Step(Link(link.last, frozen=True), link.expected, SequenceFault.LOST)


def is_link_start(sequence: str, data: bytes) -> bool:
    """Whether a message only starts or resynchronises a link: no field after MSH.

    Args:
        sequence: its MSH-13.
        data: all of it; segments after MSH may be there, and are empty then.
    """
    if sequence not in {str(START), str(RESYNCHRONISE)}:
        return False
    lines = data.replace(b"\n", b"\r").split(b"\r")[1:]
    return not any(line[3:].strip(data[3:4]) for line in lines)
