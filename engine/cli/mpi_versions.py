"""``interop mpi``: the models there are, brought into use and taken back."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click

from engine.cli.invocation import Command, Exit, Stop, note
from engine.cli.mpi_models import MODEL, compared
from engine.cli.output import Row, emit, emit_one
from engine.cli.site import order, site, store

if TYPE_CHECKING:
    from engine.store.model_history import Step

_WEIGHTS: Final = re.compile(r"(\bweights:\s*)([a-z][a-z0-9-]*)")
_LISTED: Final = [
    *("model", "used", "trained_at", "trained_by", "with", "pairs"),
    *("activated_at", "activated_by", "reason", "file"),
]


@click.command("activate", cls=Command)
@click.argument("name")
@click.option("--reason", required=True, help="Kept in the audit trail.")
@click.option("--sample", type=click.IntRange(1), default=5_000, show_default=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def activate(name: str, reason: str, sample: int, *, yes: bool, dry_run: bool) -> None:
    """Let the default model use the weights NAME from the next reload on.

    Links that exist stay as they are. `interop mpi rollback` goes back.
    """
    _activate(name, reason, sample, yes=yes, dry_run=dry_run)


@click.command("rollback", cls=Command)
@click.option("--reason", required=True, help="Kept in the audit trail.")
@click.option("--sample", type=click.IntRange(1), default=5_000, show_default=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def rollback(reason: str, sample: int, *, yes: bool, dry_run: bool) -> None:
    """Let the default model use the weights it used before the ones in use."""
    from engine.store.model_history import ACTIVATE, steps

    now = site().matching.models[MODEL].weights
    with store() as database, database.reading() as connection:
        made = steps(connection, database.sealer, ACTIVATE)
    came = next((each for each in made if each.model == now), None)
    if came is None or "before" not in came.told:
        sentence = f"nobody activated {now} with interop mpi activate"
        raise Stop(sentence, Exit.USAGE, "interop mpi models lists what there is")
    _activate(came.told["before"], reason, sample, yes=yes, dry_run=dry_run)


def _activate(name: str, reason: str, sample: int, *, yes: bool, dry_run: bool) -> None:
    from engine.store.model_history import ACTIVATE, TRAIN, keep, steps

    found = site()
    file = found.folder / "identity.yaml"
    before = found.matching.models[MODEL].weights
    text = _naming(file, name)
    effect = compared(found, name, sample)
    with store() as database, database.reading() as connection:
        made = steps(connection, database.sealer, TRAIN)
    if _state(found.folder, name, made) == "changed":
        hint = "models are never changed; train a new one"
        raise Stop(f"models/{name}.csv is not as it was trained", Exit.PROBLEMS, hint)
    emit_one({"before": before, "after": name, **effect})
    if dry_run:
        return
    if not yes:
        click.confirm("activate it", abort=True, err=True)
    file.write_text(text, encoding="utf-8")
    told = {"before": before, "evaluation": effect}
    with store() as database, database.engine() as connection:
        keep(connection, database.sealer, order(reason), ACTIVATE, name, told)
    note("next: interop reload")
    note("back: interop mpi rollback --reason TEXT, then interop reload")


@click.command("models", cls=Command)
def models() -> None:
    """List the models: when trained and on what, which is in use, who activated it.

    FILE tells whether models/NAME.csv is as it was trained, changed since, or missing.
    """
    from engine.channels.format.matching_models import SHIPPED
    from engine.store.model_history import ACTIVATE, TRAIN, steps

    found = site()
    used = found.matching.models[MODEL].weights
    with store() as database, database.reading() as connection:
        made = steps(connection, database.sealer, TRAIN)
        came = {
            each.model: each
            for each in reversed(steps(connection, database.sealer, ACTIVATE))
        }
    trained = {each.model: each for each in made}
    files = {file.stem for file in (found.folder / "models").glob("*.csv")}
    names = [SHIPPED, *sorted(files | trained.keys())]
    emit(
        (
            {
                "model": name,
                "used": name == used,
                **_made(trained.get(name)),
                **_came(came.get(name)),
                "file": _state(found.folder, name, made),
            }
            for name in names
        ),
        _LISTED,
    )


def _made(step: "Step | None") -> Row:
    if step is None:
        return dict.fromkeys(_LISTED[2:6])
    pairs = step.told.get("pairs", {})
    return {
        "trained_at": step.at,
        "trained_by": step.actor,
        "with": step.told.get("by"),
        "pairs": ", ".join(f"{count:,} {group}" for group, count in pairs.items()),
    }


def _came(step: "Step | None") -> Row:
    if step is None:
        return dict.fromkeys(_LISTED[6:9])
    reason = step.told.get("reason")
    return {"activated_at": step.at, "activated_by": step.actor, "reason": reason}


def _state(folder: Path, name: str, made: "Sequence[Step]") -> str:
    """Return whether a model's file is as it was trained, as far as that is known."""
    from engine.channels.format.matching_models import SHIPPED, weights_file
    from engine.store.model_history import digest

    file = weights_file(folder, name)
    if name == SHIPPED:
        return SHIPPED
    if not file.exists():
        return "missing"
    then = next((each.told.get("digest") for each in made if each.model == name), None)
    if then is None:
        return "unknown"
    return "as trained" if then == digest(file.read_text("utf-8")) else "changed"


def _naming(file: Path, name: str) -> str:
    """Return identity.yaml with another name for the default model's weights."""
    if not file.exists():
        return f"models:\n  {MODEL}: {{mode: safe, weights: {name}}}\n"
    text = file.read_text(encoding="utf-8")
    if len(_WEIGHTS.findall(text)) != 1:
        hint = f"write weights: {name} there yourself, then interop reload"
        sentence = f"{file} does not say weights: exactly once"
        raise Stop(sentence, Exit.CONFIGURATION, hint)
    return _WEIGHTS.sub(rf"\g<1>{name}", text)


VERSIONS: Final = (models, activate, rollback)
