"""``identity.yaml``: the matching models, and what else a site says about persons."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Literal

from engine.channels.format import kinds
from engine.channels.format.faults import Fault
from engine.channels.format.nodes import Entries
from engine.channels.format.reader import Around, Names, Reader
from engine.transforms.scope import Scope

if TYPE_CHECKING:  # matching is heavy, and only a worker needs it
    from engine.identity.weights import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One matching model: named thresholds, or thresholds of its own, in bits."""

    mode: Annotated[Literal["safe", "balanced"], "named thresholds"] = "safe"
    weights: Annotated[Literal["shipped"], "where the weights come from"] = "shipped"
    hi: Annotated[float | None, kinds.SCORE, "link from here"] = None
    lo: Annotated[float | None, kinds.SCORE, "doubt from here"] = None
    guard: Annotated[float | None, kinds.SCORE, "twins and newborns link here"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Everything ``identity.yaml`` says."""

    models: Annotated[Mapping[str, Choice], "matching models by name"] = field(
        default_factory=lambda: {"default": Choice()}
    )
    source_rank: Annotated[
        tuple[str, ...], kinds.TEXT, "assigning authorities, best first"
    ] = ()
    test_patients: Annotated[
        tuple[str, ...], kinds.TEXT, "beginnings of family names of test patients"
    ] = ()


def read_matching(root: Entries, report: Callable[[Fault], None]) -> Matching:
    """Return what the file says; what is wrong goes to ``report``."""
    reader = Reader(Names(), report)
    found = reader.read_object(Matching, root, Around(Scope()))
    if not isinstance(found, Matching):
        return Matching()
    if "default" in found.models:
        return found
    return replace(found, models={**found.models, "default": Choice()})


def models_of(matching: Matching) -> "dict[str, Model]":
    """Return the models a channel may name, ready to decide with."""
    from engine.identity.weights import Mode  # noqa: PLC0415 - see above
    from engine.store.patients import shipped  # noqa: PLC0415 - see above

    return {
        name: _model(shipped(Mode(choice.mode)), choice)
        for name, choice in matching.models.items()
    }


def _model(model: "Model", choice: Choice) -> "Model":
    own = model.thresholds
    thresholds = own._replace(
        high=own.high if choice.hi is None else choice.hi,
        low=own.low if choice.lo is None else choice.lo,
        guard=own.guard if choice.guard is None else choice.guard,
    )
    return replace(model, thresholds=thresholds)
