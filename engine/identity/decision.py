"""Who a message is about: linked, new or doubt, with the reasons.

`decide` only reads. Everything that has to be written stands in the `Decision`.

Spec:
    identity.md 6 and 7.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from engine.identity.blocking import block_keys
from engine.identity.index import Identifier, PatientIndex, SourceRecord
from engine.identity.similarity import Levels, compare
from engine.identity.traits import Kind, Traits, updated
from engine.identity.weights import Frequencies, Model, overlay_score, score


class Outcome(StrEnum):
    """What a decision is."""

    NEW = "new"
    LINKED = "linked"
    DOUBT = "doubt"


class Category(StrEnum):
    """The kinds of task in the mismatch queue."""

    DUPLICATE = "duplicate"
    OVERLAP = "overlap"
    OVERLAY = "overlay"
    CONFLICTING_MERGE = "conflicting-merge"


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


@dataclass(frozen=True, slots=True)
class Policy:
    """What the channel wants done with doubts and merge notices."""

    holds: frozenset[Category] = frozenset(
        {Category.OVERLAY, Category.CONFLICTING_MERGE}
    )
    applies_merges: bool = True


class Kin(StrEnum):
    """What a notice says about two numbers."""

    MERGE = "merge"
    LINK = "link"
    UNLINK = "unlink"
    CHANGE = "change"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class Notice:
    """A merge, link, move or change of identifier that the sender tells us.

    ``prior`` are the numbers of MRG-1, or of the second PID of a link.
    """

    kin: Kin
    prior: tuple[Identifier, ...]


@dataclass(frozen=True, slots=True)
class Registration:
    """What one PID segment says about one patient, ready to be decided.

    ``minted`` is the enterprise identifier a new person will get. ``fills_only`` marks
    messages (results, orders) that may complete traits and not change them. ``also``
    holds the further patients of the same message.
    """

    identifiers: tuple[Identifier, ...]
    traits: Traits
    minted: str
    event: str = ""
    happened: str = ""
    control_id: str = ""
    message: int = 0
    fills_only: bool = False
    notice: Notice | None = None
    policy: Policy = Policy()
    also: tuple["Registration", ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """A candidate record and how it compares."""

    record: SourceRecord
    levels: Levels
    bits: float
    counts: Frequencies
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """A question for a person: one entry of the mismatch queue."""

    category: Category
    reason: Reason
    matches: tuple[Match, ...]
    held: bool = False


@dataclass(frozen=True, slots=True)
class RecordChange:
    """A record to write; ``number`` is None for a new one.

    ``person`` is whom a new record joins. ``retired`` are numbers that stay known and
    are no longer in use.
    """

    number: int | None
    person: str
    identifiers: tuple[Identifier, ...]
    before: Traits | None
    traits: Traits
    keys_added: tuple[int, ...] = ()
    keys_removed: tuple[int, ...] = ()
    retired: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """A change of membership between persons, to become a link event."""

    kind: str
    records: tuple[int, ...]
    source: str
    target: str
    reason: Reason
    via: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Who the message is about, why, and what is to be written."""

    registration: Registration
    outcome: Outcome
    enterprise_id: str
    reasons: tuple[Reason, ...]
    match: Match | None = None
    doubts: tuple[Doubt, ...] = ()
    change: RecordChange | None = None
    moves: tuple[Move, ...] = ()
    record: SourceRecord | None = None
    model: str = ""
    also: tuple["Decision", ...] = ()

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
