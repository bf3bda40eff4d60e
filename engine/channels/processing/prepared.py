"""A message on its way from filter to outbox, as one half hands it to the other."""

from dataclasses import dataclass
from enum import StrEnum

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
    then says so, in case a destination needs resources.
    """

    claimed: Claimed
    context: EditContext
    mapped: Mapped | None = None
    refusal: TransformError | None = None
    stage: Stage = Stage.ACCEPT

    @property
    def message(self) -> Message:
        """The message as edited so far."""
        return self.context.message


@dataclass(frozen=True, slots=True)
class Ended:
    """A message that goes no further, with what processing knew of it."""

    outcome: Outcome
    prepared: Prepared | None = None
