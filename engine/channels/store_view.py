"""The store as one batch sees it: what is committed, and what the batch will write."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from engine.store import resources, results
from engine.store.database import Connection
from engine.store.message_state import MessageState
from engine.store.patients import PatientCache, SqlPatientIndex, mint
from engine.store.resources import KnownResource, NewDocument
from engine.store.results import Outcome
from engine.store.seal import Sealer

Key = tuple[str, str]


@dataclass(slots=True)
class StoreView:
    """Implements `View`. Outcomes of the batch count before they are written.

    Identity decisions are applied one by one, so the index needs no such memory.
    """

    connection: Connection
    sealer: Sealer
    cache: PatientCache
    index: SqlPatientIndex = field(init=False)
    _resources: dict[Key, KnownResource] = field(default_factory=dict)
    _documents: dict[str, NewDocument] = field(default_factory=dict)
    _waiting: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.index = SqlPatientIndex(self.connection, self.sealer, self.cache)

    def mint(self) -> str:
        """Return an enterprise identifier that was never used."""
        return mint()

    def remember(self, outcome: Outcome) -> None:
        """Let the rest of the batch see what one message led to."""
        for each in outcome.resources:
            self._resources[each.resource_type, each.criteria] = each
        for document in outcome.documents:
            self._documents[document.set_id] = document
        if outcome.state in (MessageState.HELD, MessageState.ERROR):
            self._waiting.update(dict.fromkeys(outcome.holds, outcome.message_id))

    def blocked(self, keys: Sequence[str]) -> int | None:
        """Return the held message that one of the person keys waits for."""
        found = {key: self._waiting[key] for key in keys if key in self._waiting}
        found = results.blocked(self.connection, self.sealer, keys) | found
        return min(found.values(), default=None)

    def known(self, keys: Collection[Key]) -> dict[Key, KnownResource]:
        """Return the latest versions of resources."""
        wanted = [key for key in keys if key not in self._resources]
        found = resources.load(self.connection, self.sealer, wanted) if wanted else {}
        return found | {
            key: self._resources[key] for key in keys if key in self._resources
        }

    def of_person(self, person: str) -> list[KnownResource]:
        """Return everything known of a person, this batch included."""
        found = {
            (each.resource_type, each.criteria): each
            for each in resources.of_person(self.connection, self.sealer, person)
        }
        found |= {
            key: each for key, each in self._resources.items() if each.person == person
        }
        return list(found.values())

    def latest_document(self, set_id: str) -> NewDocument | None:
        """Return the last version of a document set."""
        if set_id in self._documents:
            return self._documents[set_id]
        return resources.latest_document(self.connection, self.sealer, set_id)
