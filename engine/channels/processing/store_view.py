"""The store as one batch sees it: what is committed, and what the batch will write."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from engine.channels.processing.known import (
    PARTIES,
    Kept,
    Subject,
    is_update,
    opened,
    party,
)
from engine.channels.processing.prepared import Prepared
from engine.channels.processing.search_keys import waiting_keys
from engine.errors import EngineError
from engine.identity.decision import Decision
from engine.identity.person import LinkKind
from engine.store import links, resources, results
from engine.store.database import Connection
from engine.store.message_state import MessageState
from engine.store.patients import PatientCache, SqlPatientIndex, mint
from engine.store.resources import KnownResource, Mark, NewDocument
from engine.store.results import Outcome
from engine.store.seal import Sealer
from engine.store.standing import Standing, standing
from engine.transforms.fhir.mapped import Element, Entry

MOST_PARTIES: Final = 20_000
MOST_RESOURCES: Final = 5_000

Key = tuple[str, str]


@dataclass(slots=True)
class Memory:
    """What one worker remembers from batch to batch, to ask and write less.

    ``parties`` are the practitioners, organizations and places it has kept, as they
    stood; forgetting them costs a write, never a fact. ``latest`` are versions of
    resources by key, each with the fingerprint its row must still have to be believed.
    """

    patients: PatientCache = field(default_factory=PatientCache)
    parties: dict[str, Element] = field(default_factory=dict)
    latest: OrderedDict[Key, tuple[bytes, Kept]] = field(default_factory=OrderedDict)

    def recall(self, key: Key, mark: Mark) -> Kept | None:
        """Return a version if it is still the latest one."""
        found = self.latest.get(key)
        if found is None or found[0] != mark.fingerprint:
            return None
        self.latest.move_to_end(key)
        return found[1].at(mark.source_time)

    def learn(self, key: Key, fingerprint: bytes, version: Kept) -> None:
        """Remember a version; the one not asked for longest is forgotten."""
        self.latest[key] = fingerprint, version
        if len(self.latest) > MOST_RESOURCES:
            self.latest.popitem(last=False)


@dataclass(slots=True)
class StoreView:
    """Implements `View`. Outcomes of the batch count before they are written.

    Identity decisions are applied one by one, so the index needs no such memory.
    """

    connection: Connection
    sealer: Sealer
    memory: Memory
    index: SqlPatientIndex = field(init=False)
    _known: dict[Key, KnownResource | Kept | None] = field(default_factory=dict)
    _pending: dict[Key, Kept] = field(default_factory=dict)
    _resources: dict[Key, KnownResource] = field(default_factory=dict)
    _documents: dict[str, NewDocument] = field(default_factory=dict)
    _held: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        patients = self.memory.patients
        self.index = SqlPatientIndex(self.connection, self.sealer, patients)

    def fetch(self, batch: Iterable[Prepared]) -> None:
        """Load at once what the messages of a batch will ask for."""
        waiting: set[str] = set()
        wanted: set[Key] = set()
        for each in batch:
            waiting.update(waiting_keys(each.message, each.claimed.row.channel))
            entries = each.mapped.entries if each.mapped else []
            wanted.update((one.kind, one.criteria) for one in entries if is_update(one))
        self._held = results.blocked(self.connection, self.sealer, list(waiting))
        with suppress(EngineError):  # it fails the message that needs what is damaged
            self._load(wanted)

    def mint(self) -> str:
        """Return an enterprise identifier that was never used."""
        return mint()

    def remember(self, outcome: Outcome) -> None:
        """Let the rest of the batch see what one message led to."""
        for each in outcome.resources:
            key = each.resource_type, each.criteria
            self._resources[key] = each
            if key in self._pending:
                version = self._pending[key]
                self._known[key] = version
                self.memory.learn(key, resources.fingerprint_of(each), version)
        self._pending.clear()
        for document in outcome.documents:
            self._documents[document.set_id] = document
        if outcome.state in (MessageState.HELD, MessageState.ERROR):
            for person in outcome.holds:  # the first one counts, as in the store
                others = self._held.get(person, outcome.message_id)
                self._held[person] = min(others, outcome.message_id)

    def blocked(self, keys: Sequence[str]) -> int | None:
        """Return the held message that one of the person keys waits for."""
        return min((self._held[key] for key in keys if key in self._held), default=None)

    def known(self, wanted: Mapping[Key, Subject]) -> dict[Key, Kept]:
        """Return the latest versions of resources, each for its person of today."""
        self._load([key for key in wanted if key not in self._known])
        return {
            key: self._facing(key, version, subject)
            for key, subject in wanted.items()
            if (version := self._known[key]) is not None
        }

    def _facing(
        self, key: Key, version: KnownResource | Kept, subject: Subject
    ) -> Kept:
        """Return a version as it is for a person; it may have been another's."""
        if isinstance(version, Kept) and version.subject == subject:
            return version
        fresh = self._known[key] = opened(version, subject)
        if isinstance(version, KnownResource):
            self.memory.learn(key, resources.fingerprint_of(version), fresh)
        return fresh

    def record_of(self, decision: Decision) -> int:
        """Return the record a decision is about; a new one has its number already."""
        if decision.record is not None:
            return decision.record.number
        return self.index.number_for(decision.registration.identifiers)

    def standing(self, person: str, joining: int = 0) -> Standing:
        """Return how a person stands."""
        return standing(self.index, person, joining)

    def former(self, record: int, person: str) -> str:
        """Return the person a record was of before a merge, ``""`` without one."""
        self.index.flush()
        brought = links.brought_by(self.connection, record, person)
        merged = brought is not None and brought.kind is LinkKind.MERGE
        return brought.source if brought and merged else ""

    def keep(self, key: Key, version: Kept) -> None:
        """Have a new version at hand, should this message's outcome hold it."""
        self._pending[key] = version

    def _load(self, keys: Collection[Key]) -> None:
        """Find out what is known, opening only what is not remembered.

        Raises:
            EngineError: one does not open; nothing is taken for unknown then.
        """
        marks = resources.marks(self.connection, self.sealer, keys)
        found = {key: self.memory.recall(key, mark) for key, mark in marks.items()}
        missing = [key for key, version in found.items() if version is None]
        loaded = resources.load(self.connection, self.sealer, missing)
        self._known |= dict.fromkeys(keys) | found | loaded

    def kept_parties(self, urls: Collection[str]) -> list[Kept]:
        """Return practitioners, organizations and places by full URL."""
        keys = [(kind, url) for url in urls for kind in PARTIES]
        mine = [self._resources[key] for key in keys if key in self._resources]
        others = [key for key in keys if key not in self._resources]
        found = resources.load(self.connection, self.sealer, others)
        return list(map(opened, [*mine, *found.values()]))

    def new_parties(self, entries: Sequence[Entry]) -> list[KnownResource]:
        """Return the parties among entries that are not kept yet as they stand."""
        seen = self.memory.parties
        if len(seen) > MOST_PARTIES:
            seen.clear()
        found: list[KnownResource] = []
        for entry in entries:
            if entry.kind in PARTIES and seen.get(entry.full_url) != entry.resource:
                seen[entry.full_url] = entry.resource
                found.append(party(entry))
        return found

    def of_person(self, person: str, subject: Subject) -> list[Kept]:
        """Return everything known of a person, this batch included."""
        return [kept for _, kept in self.kept_of(person, subject)]

    def kept_of(
        self, person: str, subject: Subject
    ) -> list[tuple[KnownResource, Kept]]:
        """Return everything known of a person, with what each is kept as."""
        numbers = set(standing(self.index, person).numbers)
        found = {
            (each.resource_type, each.criteria): each
            for each in resources.of_person(self.connection, self.sealer, person)
        }
        found = {key: self._resources.get(key, each) for key, each in found.items()}
        found |= {
            key: each for key, each in self._resources.items() if each.record in numbers
        }
        return [
            (each, opened(each, subject))
            for each in found.values()
            if each.record in numbers
        ]

    def latest_document(self, set_id: str) -> NewDocument | None:
        """Return the last version of a document set."""
        if set_id in self._documents:
            return self._documents[set_id]
        return resources.latest_document(self.connection, self.sealer, set_id)
