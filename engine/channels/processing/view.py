"""What the second half of processing asks the store, and nothing more."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from engine.channels.processing.known import Kept, Subject
from engine.identity.decision import Decision
from engine.identity.index import PatientIndex
from engine.store.resources import KnownResource, NewDocument
from engine.store.standing import Standing
from engine.transforms.fhir.mapped import Entry


class View(Protocol):
    """What the second half asks the store while a batch is written."""

    @property
    def index(self) -> PatientIndex:
        """The patient index as of this transaction."""
        ...

    def mint(self) -> str:
        """Return an enterprise identifier that was never used."""
        ...

    def blocked(self, keys: Sequence[str]) -> int | None:
        """Return the held message that one of the person keys waits for."""
        ...

    def known(
        self, wanted: Mapping[tuple[str, str], Subject]
    ) -> Mapping[tuple[str, str], Kept]:
        """Return the latest versions of resources, those of this batch included.

        Each is read for the person it is about today.
        """
        ...

    def record_of(self, decision: Decision) -> int:
        """Return the record a decision is about; a new one has its number already."""
        ...

    def standing(self, person: str, joining: int = 0) -> Standing:
        """Return how a person stands, a record that joins with this message apart."""
        ...

    def former(self, record: int, person: str) -> str:
        """Return the person a record was of before a merge, ``""`` without one."""
        ...

    def kept_parties(self, urls: Collection[str]) -> list[Kept]:
        """Return practitioners, organizations and places by full URL."""
        ...

    def keep(self, key: tuple[str, str], version: Kept) -> None:
        """Have a new version at hand, should this message's outcome hold it."""
        ...

    def new_parties(self, entries: Sequence[Entry]) -> list[KnownResource]:
        """Return the parties among entries that are not kept yet as they stand."""
        ...

    def of_person(self, person: str, subject: Subject) -> list[Kept]:
        """Return everything known of a person, what this batch changed included.

        Of the Patient there is what each of their records says, by the same full URL.
        """
        ...

    def latest_document(self, set_id: str) -> NewDocument | None:
        """Return the last version of a document set."""
        ...
