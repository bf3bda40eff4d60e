"""``identity.yaml``: the matching models, and what else a site says about persons."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from engine.channels.format import kinds
from engine.channels.format.faults import Fault, Place
from engine.channels.format.nodes import Entries
from engine.channels.format.reader import Around, Names, Reader
from engine.transforms.scope import Scope

if TYPE_CHECKING:  # matching is heavy, and only a worker needs it
    from engine.identity.weights import Model


SHIPPED: Final = "shipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One matching model: named thresholds, or thresholds of its own, in bits."""

    mode: Annotated[
        Literal["safe", "balanced", "deterministic"],
        "named thresholds, or approved combinations of traits instead of a score",
    ] = "safe"
    weights: Annotated[
        str, kinds.NAME, "shipped, or a file of models/ without its ending"
    ] = SHIPPED
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
    vip_codes: Annotated[
        tuple[str, ...], kinds.TEXT, "values of PV1-16 that make a person confidential"
    ] = ("V", "VIP", "Y")
    blind_share: Annotated[
        float, kinds.PERCENT_OR_NONE, "decisions that a second person reads blind"
    ] = 0.05


def read_matching(root: Entries, report: Callable[[Fault], None]) -> Matching:
    """Return what the file says; what is wrong goes to ``report``."""
    reader = Reader(Names(), report)
    found = reader.read_object(Matching, root, Around(Scope()))
    if not isinstance(found, Matching):
        return Matching()
    if "default" in found.models:
        return found
    return replace(found, models={**found.models, "default": Choice()})


def weights_file(folder: Path, name: str) -> Path:
    """Return the file of trained weights that a model names."""
    return folder / "models" / f"{name}.csv"


def faults_of(matching: Matching, folder: Path) -> Iterator[Fault]:
    """Yield a fault for each model whose weights cannot be read."""
    from engine.identity.weights import read_weights  # noqa: PLC0415 - see above

    for name, choice in matching.models.items():
        if choice.weights == SHIPPED:
            continue
        file = weights_file(folder, choice.weights)
        try:
            read_weights(file.read_text("utf-8"))
        except (OSError, ValueError, TypeError):
            sentence = f"models.{name}: models/{file.name} is not there, or no weights"
            hint = "write one with interop mpi train, or say weights: shipped"
            yield Fault(Place("identity.yaml"), sentence, hint, "CH300")


def said_of(choice: Choice, folder: Path) -> str:
    """Return everything a model's decisions follow from, to be hashed."""
    if choice.weights == SHIPPED:
        return repr(choice)
    return repr(choice) + weights_file(folder, choice.weights).read_text("utf-8")


def models_of(matching: Matching, folder: Path) -> "dict[str, Model]":
    """Return the models a channel may name, ready to decide with."""
    return {name: model_of(choice, folder) for name, choice in matching.models.items()}


def model_of(choice: Choice, folder: Path) -> "Model":
    """Return one model; the files it names have been checked."""
    from engine.identity.weights import Mode, read_weights  # noqa: PLC0415 - see above
    from engine.store.patients import shipped  # noqa: PLC0415 - see above

    model = shipped(Mode(choice.mode))
    if choice.weights != SHIPPED:
        text = weights_file(folder, choice.weights).read_text("utf-8")
        model = replace(model, version=choice.weights, weights=read_weights(text))
    own = model.thresholds
    thresholds = own._replace(
        high=own.high if choice.hi is None else choice.hi,
        low=own.low if choice.lo is None else choice.lo,
        guard=own.guard if choice.guard is None else choice.guard,
    )
    return replace(model, thresholds=thresholds)
