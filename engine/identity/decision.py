"""What was decided about a message, and everything that has to be written for it.

Spec:
    identity.md 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from engine.identity.index import Identifier, SourceRecord
from engine.identity.matching import Match
from engine.identity.placeholders import Placeholder
from engine.identity.registration import Category, Registration
from engine.identity.traits import Traits


class Outcome(StrEnum):
    """What a decision is."""

    NEW = "new"
    LINKED = "linked"
    DOUBT = "doubt"


class Ruling(StrEnum):
    """What a person said about the doubt that held a message."""

    SAME = "same"
    DIFFERENT = "different"


class Reason(StrEnum):
    """Why; stable codes."""

    KNOWN_IDENTIFIER = "KNOWN_IDENTIFIER"
    MATCH = "MATCH"
    NO_CANDIDATE = "NO_CANDIDATE"
    PLACEHOLDER_DATA = "PLACEHOLDER_DATA"
    UNIDENTIFIED = "UNIDENTIFIED"
    TEST_PATIENT = "TEST_PATIENT"
    DECIDED = "DECIDED"
    POTENTIAL_DUPLICATE = "POTENTIAL_DUPLICATE"
    POTENTIAL_OVERLAP = "POTENTIAL_OVERLAP"
    POTENTIAL_OVERLAY = "POTENTIAL_OVERLAY"
    TWIN_SUSPECT = "TWIN_SUSPECT"
    NEWBORN_UNNAMED = "NEWBORN_UNNAMED"
    SHARED_SSN = "SHARED_SSN"
    IDENTIFIER_CONFLICT = "IDENTIFIER_CONFLICT"
    MERGE_CONFLICT = "MERGE_CONFLICT"
    DECEASED_ACTIVITY = "DECEASED_ACTIVITY"
    TOLD = "TOLD_BY_SENDER"
    REMOVED = "REMOVED"


MEANINGS: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.KNOWN_IDENTIFIER: "the number is known",
        Reason.MATCH: "alike enough to be one person",
        Reason.NO_CANDIDATE: "nobody alike is known",
        Reason.PLACEHOLDER_DATA: "too little is said to compare",
        Reason.UNIDENTIFIED: "not identified yet",
        Reason.TEST_PATIENT: "a test patient",
        Reason.DECIDED: "as somebody decided",
        Reason.POTENTIAL_DUPLICATE: "maybe registered twice in one system",
        Reason.POTENTIAL_OVERLAP: "maybe known to two systems",
        Reason.POTENTIAL_OVERLAY: "maybe two people in one record",
        Reason.TWIN_SUSPECT: "maybe a twin",
        Reason.NEWBORN_UNNAMED: "a newborn without a name",
        Reason.SHARED_SSN: "one SSN, but other names and birth dates",
        Reason.IDENTIFIER_CONFLICT: "two persons claim one number",
        Reason.MERGE_CONFLICT: "a merge against what is known",
        Reason.DECEASED_ACTIVITY: "something happened after death",
        Reason.TOLD: "the sender said so",
        Reason.REMOVED: "its system has no such patient any more",
    }
)
"""What each code means, for people."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A question for a person: one entry of the mismatch queue."""

    category: Category
    reason: Reason
    matches: tuple[Match, ...] = ()
    held: bool = False


@dataclass(frozen=True, slots=True)
class RecordChange:
    """A record to write; ``number`` is None for a new one.

    ``person`` is whom a new record joins, ``identifiers`` what it gains, ``retired``
    the numbers that stay known and are no longer in use.
    """

    number: int | None
    person: str
    traits: Traits
    identifiers: tuple[Identifier, ...] = ()
    before: Traits | None = None
    keys_added: tuple[int, ...] = ()
    keys_removed: tuple[int, ...] = ()
    retired: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """A change of membership between persons, to become a link event.

    ``records`` empty means all records of ``source``; the record of this decision is
    always linked to ``target`` by its `RecordChange`, not by a move.
    """

    kind: str
    records: tuple[int, ...]
    source: str
    target: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Decision:
    """Who the message is about, why, and what is to be written.

    ``record`` is the record as it stood, None for a new one; ``match`` what a new or
    changed record was matched with; ``learned`` the values it showed to be
    placeholders.
    """

    registration: Registration
    outcome: Outcome
    enterprise_id: str
    reasons: tuple[Reason, ...]
    match: Match | None = None
    doubts: tuple[Doubt, ...] = ()
    record: SourceRecord | None = None
    change: RecordChange | None = None
    moves: tuple[Move, ...] = ()
    model: str = ""
    also: tuple["Decision", ...] = ()
    learned: tuple[Placeholder, ...] = ()

    @property
    def held(self) -> bool:
        """Whether the message waits for a person."""
        return any(doubt.held for doubt in self.doubts) or any(
            other.held for other in self.also
        )

    @property
    def score(self) -> float | None:
        """Bits for the record it was matched with, if any."""
        return self.match.bits if self.match else None
