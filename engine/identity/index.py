"""What identity needs from a store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from engine.identity.traits import Traits
from engine.identity.weights import Frequencies


class Identifier(NamedTuple):
    """A number somebody gave a patient; unique as a whole.

    ``authority`` is the URI of the assigning authority, or its namespace where no URI
    is known.
    """

    authority: str
    type: str
    value: str


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One patient as one system knows them.

    ``number`` is the store's own, ``updated`` the event time (UTC, ``YYYYMMDDHHMMSS``)
    of the traits, ``retired`` whether the identifier it was found by was merged away,
    ``confidential`` whether its system says the patient is.
    """

    number: int
    person: str
    authority: str
    traits: Traits
    updated: str = ""
    retired: bool = False
    confidential: bool = False


class PatientIndex(Protocol):
    """Everything identity asks; every call reads and none writes."""

    @property
    def secret(self) -> bytes:
        """Key of the hashes of block keys."""
        ...

    def known(
        self, identifiers: Sequence[Identifier]
    ) -> dict[Identifier, SourceRecord]:
        """Return the record of each identifier that has one."""
        ...

    def candidates(self, keys: Sequence[int]) -> list[SourceRecord]:
        """Return the records that share most keys, at most `blocking.CANDIDATES`."""
        ...

    def members(self, person: str) -> list[SourceRecord]:
        """Return the records of one active person."""
        ...

    def frequencies(self, given: str, family: str) -> Frequencies:
        """Return how often the index has these names, and how many records it has."""
        ...

    def placeholders(self, keys: Sequence[int]) -> frozenset[int]:
        """Return those block keys of which the value was learned to mean nobody."""
        ...

    def persons(self, key: int) -> int:
        """Return how many persons have a block key."""
        ...

    def told_apart(self, record: int, traits: Traits) -> frozenset[int]:
        """Return the records a person decided to be different from this one.

        A pair whose identifying traits changed since is left out; ``traits`` are those
        the record has now.
        """
        ...

    def doubted(self, record: int) -> frozenset[int]:
        """Return the records an open doubt about likeness names together with one."""
        ...

    def ruling(self, message: int) -> str:
        """Return what a person said about the doubt of this message, or ``""``."""
        ...
