"""``interop mpi``: what Splink fits, in place or on a cluster."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from engine.cli.invocation import Command, Exit, Stop, note
from engine.cli.output import emit_one
from engine.cli.site import order, site, store

if TYPE_CHECKING:
    from engine.identity.estimation import Tally
    from engine.identity.index import SourceRecord
    from engine.identity.similarity import Nicknames


def by_splink(
    records: "Sequence[SourceRecord]", nicknames: "Nicknames", fitted: Path | None
) -> "Tally":
    """Return what Splink finds in some records, or found on a cluster."""
    from engine.store.splink_training import tallied_by_splink, tally_of

    if fitted is None:
        return tallied_by_splink(records, nicknames)
    try:
        return tally_of(json.loads(fitted.read_text("utf-8")))
    except (KeyError, TypeError, ValueError):
        hint = "interop mpi train-job writes a job that makes one"
        raise Stop(f"{fitted} is no model of a job", Exit.USAGE, hint) from None


@click.command("train-job", cls=Command)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--reason", required=True, help="Kept in the audit trail.")
@click.option("--sample", type=click.IntRange(100), help="Only about so many records.")
def train_job(folder: Path, reason: str, sample: int | None) -> None:
    """Write the patients' traits and a program that fits weights to them on Spark.

    FOLDER then holds names, birth dates and addresses in the clear: keep it as you keep
    the store, and delete it when the job is done. Confidential persons are left out.
    """
    from engine.store import audit
    from engine.store.patients import SqlPatientIndex
    from engine.store.splink_training import write_job
    from engine.store.training import sampled

    nicknames = site().models["default"].nicknames
    asked = order(reason)
    act = audit.Act(asked.now, asked.actor, "export", "patient index", reason)
    with store() as database:
        with database.engine() as connection:
            audit.write(connection, database.sealer, [act])
        with database.reading() as connection:
            index = SqlPatientIndex(connection, database.sealer)
            records = sampled(index, sample) if sample else index.everyone()
            try:
                count = write_job(folder, records, nicknames)
            except FileExistsError as error:
                sentence = f"{error.filename} is there already"
                raise Stop(sentence, Exit.USAGE, "name a new folder") from None
    emit_one({"folder": str(folder), "records": count})
    note(f"then: interop mpi train NAME --fitted {folder}/model.json")
