"""A message on its way from filter to outbox, as one half hands it to the other."""

from dataclasses import dataclass, field
from enum import StrEnum
from time import perf_counter

from engine.errors import TransformError
from engine.hl7 import Message
from engine.store.claims import Claimed
from engine.store.results import Outcome
from engine.transforms.fhir.mapped import Mapped
from engine.transforms.scope import EditContext


class Stage(StrEnum):
    """Where processing stands, and where it stopped."""

    ACCEPT = "accept"
    FILTER = "filter"
    EDIT = "edit"
    MAP = "map"
    IDENTITY = "identity"
    RENDER = "render"


@dataclass(slots=True)
class Prepared:
    """A message that is on its way to identity and rendering.

    ``mapped`` is None where the built-in map does not know the trigger; ``refusal``
    then says so, in case a destination needs resources. ``laps`` are the seconds that
    each stage took.
    """

    claimed: Claimed
    context: EditContext
    mapped: Mapped | None = None
    refusal: TransformError | None = None
    stage: Stage = Stage.ACCEPT
    laps: dict[Stage, float] = field(default_factory=dict)
    _since: float = field(default_factory=perf_counter)

    def enter(self, stage: Stage) -> None:
        """Go on to the next stage."""
        self.leave()
        self.stage, self._since = stage, perf_counter()

    def leave(self) -> None:
        """Note how long the present stage took; what follows is no part of it."""
        self.laps.setdefault(self.stage, perf_counter() - self._since)

    @property
    def number(self) -> int:
        """The number of the message in the journal."""
        return self.claimed.row.id

    @property
    def message(self) -> Message:
        """The message as edited so far."""
        return self.context.message


@dataclass(frozen=True, slots=True)
class Ended:
    """A message that goes no further, with what processing knew of it."""

    outcome: Outcome
    prepared: Prepared | None = None

    @property
    def number(self) -> int:
        """The number of the message in the journal."""
        return self.outcome.message_id
