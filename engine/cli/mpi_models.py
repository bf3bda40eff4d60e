"""``interop mpi``: train and compare models; load and re-key the index."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

import rich_click as click

from engine.cli.invocation import Command, Exit, Stop, note
from engine.cli.invocation import now as moment
from engine.cli.mpi_splink import by_splink, train_job
from engine.cli.output import Row, emit, emit_one
from engine.cli.site import order, site, store

if TYPE_CHECKING:
    from engine.channels.format.load import Site
    from engine.identity.weights import Model
    from engine.store.patients import SqlPatientIndex

MODEL: Final = "default"


@click.command("train", cls=Command)
@click.argument("name")
@click.option("--sample", type=click.IntRange(100), default=20_000, show_default=True)
@click.option("--rounds", type=click.IntRange(1, 5), default=2, show_default=True)
@click.option("--splink", is_flag=True, help="Fit with Splink on DuckDB.")
@click.option(
    "--fitted",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take what a job on a cluster fitted: its model.json.",
)
def train(
    name: str, sample: int, rounds: int, fitted: Path | None, *, splink: bool
) -> None:
    """Fit weights to the index's own records and write them to models/NAME.csv.

    Nobody has to label pairs; what people decided in the mismatch queue outranks the
    score. The shipped weights count as 200 pairs of each class. Nothing is activated.
    """
    from engine.channels.format.matching_models import weights_file
    from engine.identity.estimation import drift, refit, trained, written
    from engine.store.model_history import TRAIN, digest, keep
    from engine.store.training import labels, sampled

    found = site()
    file = weights_file(found.folder, name)
    if not re.fullmatch("[a-z][a-z0-9-]{1,62}", name) or name == "shipped":
        hint = "use small letters, digits and dashes, beginning with a letter"
        raise Stop(f"{name!r} cannot name a model", Exit.USAGE, hint)
    if file.exists():
        hint = "models are never changed; give the new one a new name"
        raise Stop(f"{file} is there already", Exit.USAGE, hint)
    with _index() as index:
        records = sampled(index, sample)
        model = found.models[MODEL]
        if splink or fitted:
            tally = by_splink(records, model.nicknames, fitted)
            weights = refit(model.weights, tally)
        else:
            decided = labels(index.connection)
            weights, tally = trained(index, model, records, decided, rounds=rounds)
    if not tally.pairs.total():
        raise Stop("the index has no pairs to learn from", Exit.PROBLEMS)
    file.parent.mkdir(exist_ok=True)
    file.write_text(written(weights), encoding="utf-8")
    counts = {group.name.lower(): count for group, count in sorted(tally.pairs.items())}
    told = {
        "by": "splink" if splink or fitted else "engine",
        "records": len(records),
        "pairs": counts,
        "digest": digest(written(weights)),
    }
    with store() as database, database.engine() as connection:
        keep(connection, database.sealer, order(""), TRAIN, name, told)
    pairs = ", ".join(f"{count:,} {group}" for group, count in counts.items())
    note(f"{file}: fitted on {len(records):,} records; pairs: {pairs}")
    note(f"next: interop mpi what-if {name}")
    rows = drift(model.weights, weights)[:15]
    emit(
        (
            {"trait": t, "level": lv, "bits_before": round(b, 1), "bits": round(a, 1)}
            for t, lv, b, a in rows
        ),
        ["trait", "level", "bits_before", "bits"],
    )


@click.command("what-if", cls=Command)
@click.argument("name")
@click.option("--sample", type=click.IntRange(1), default=5_000, show_default=True)
def what_if(name: str, sample: int) -> None:
    """Show what another model would decide about records of the index; change nothing.

    NAME is a file of models/, or shipped. Each sampled record is decided as if it came
    for the first time. Tasks a day follow from the registrations of the last 30 days;
    pairs that people decided give precision and recall.
    """
    emit_one(compared(site(), name, sample))


def compared(found: "Site", name: str, sample: int) -> Row:
    """Return what the model in use and another one decide about a sample."""
    from engine.identity.estimation import effect
    from engine.store.training import labels, registrations_a_day, sampled

    now, then = found.models[MODEL], _model(found, name)
    with _index() as index:
        decided = labels(index.connection)
        shown = effect(index, now, then, sampled(index, sample))._asdict()
        daily = registrations_a_day(index.connection, moment())
        for when in ("before", "after"):
            share = shown[f"doubts_{when}"] / max(shown["records"], 1)
            shown[f"tasks_a_day_{when}"] = round(daily * share, 2)
        for when, model in (("before", now), ("after", then)):
            shown |= {
                f"{key}_{when}": value
                for key, value in _held_against(index, model, decided).items()
            }
    return shown


def _held_against(
    index: "SqlPatientIndex", model: "Model", decided: dict[tuple[int, int], bool]
) -> Row:
    """Return a model's precision and recall on pairs that people decided."""
    from engine.identity.estimation import interval, linked

    said = []
    for (low, high), same in decided.items():
        one, other = index.record(low), index.record(high)
        if one and other:
            said.append((linked(one, other, index, model), same))
    right = sum(link and same for link, same in said)
    claims = sum(link for link, _ in said)
    wanted = sum(same for _, same in said)
    return {
        "decided_pairs": len(said),
        "precision": [round(each, 4) for each in interval(right, claims)],
        "recall": [round(each, 4) for each in interval(right, wanted)],
    }


def _model(found: "Site", name: str) -> "Model":
    """Return the default model with other weights."""
    from dataclasses import replace

    from engine.channels.format.matching_models import SHIPPED, model_of, weights_file

    file = weights_file(found.folder, name)
    if name != SHIPPED and not file.exists():
        raise Stop(f"there is no {file}", Exit.USAGE, f"interop mpi train {name}")
    try:
        return model_of(
            replace(found.matching.models[MODEL], weights=name), found.folder
        )
    except (ValueError, TypeError):
        raise Stop(f"{file} holds no weights", Exit.USAGE) from None


@contextmanager
def _index() -> "Iterator[SqlPatientIndex]":
    """Open the index of the site for reading."""
    from engine.store.patients import SqlPatientIndex

    with store() as database, database.reading() as connection:
        yield SqlPatientIndex(connection, database.sealer)


# -- bulk ------------------------------------------------------------------------------


@click.command("load", cls=Command)
@click.argument("feed", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--channel", "name", required=True, help="Whose identity part decides.")
@click.option(
    "--processes",
    type=click.IntRange(0, 64),
    help="That read messages ahead; as many as there are other cores.",
)
def load(feed: Path, name: str, processes: int | None) -> None:
    """Register the patients of many ADT messages; nothing is mapped or sent.

    Every message is decided as if it had come one at a time. Begun again, it goes on
    behind the last message that was committed. A message that cannot be read is told
    by its number, MSH-10 and the reason and kept in FEED.unread; the others are
    registered, and the exit code is 1.
    """
    from engine.channels.processing.assemble import reading_of
    from engine.cli.loading import cpu_seconds, load_of, position, spare_cores, taken
    from engine.cli.unread import aside_of
    from engine.peers.sending import read_messages

    found = site()
    channel = next((each for each in found.channels if each.name == name), None)
    if channel is None or not channel.identity.match:
        hint = "channels: " + ", ".join(each.name for each in found.channels)
        raise Stop(f"{name!r} is no channel that matches persons", Exit.USAGE, hint)
    if channel.identity.identifiers or channel.identity.traits:
        sentence = f"{name} reads identifiers or traits by expressions of its own"
        raise Stop(sentence, Exit.USAGE, "send the file through the channel instead")
    reading = reading_of(channel, found.matching)
    model = found.models[channel.identity.model]
    began, cpu, load_name = perf_counter(), cpu_seconds(), load_of(feed)
    aside = aside_of(feed)
    helping = spare_cores() if processes is None else processes
    with store(create=True) as database:
        before = done = position(database, load_name)
        if before:
            note(f"going on behind message {before:,}")
        messages = read_messages(feed)
        for done in taken(
            database,
            messages,
            model,
            reading,
            load=load_name,
            processes=helping,
            keep=aside.keep,
        ):
            note(f"{done:,} messages")
    emit_one(
        {
            "messages": done,
            "now": done - before,
            "unread": aside.count,
            "per_second": round((done - before) / (perf_counter() - began)),
            "per_cpu_second": round((done - before) / (cpu_seconds() - cpu)),
        }
    )
    if aside.count:
        sentence = f"not read: {aside.count} of {done - before} messages"
        hint = f"they are kept in {aside.file}: mend them there and load that file"
        raise Stop(sentence, Exit.PROBLEMS, hint)


@click.command("reindex", cls=Command)
@click.option("--after", default=0, help="Go on behind this record.")
def reindex(after: int) -> None:
    """Write the block keys all records should have, beside live traffic.

    Needed when a release finds candidates in another way. Each thousand records are one
    transaction; interrupted, it goes on with --after.
    """
    from engine.store.patients import SqlPatientIndex
    from engine.store.training import page, rekey

    model, records, keys = site().models[MODEL], 0, 0
    with store() as database:
        while True:
            with database.engine() as connection:
                index = SqlPatientIndex(connection, database.sealer)
                found = page(index, after)
                keys += rekey(index, found, model)
            if not found:
                break
            after, records = found[-1].number, records + len(found)
            note(f"done up to record {after}")
    emit_one({"records": records, "keys": keys})


COMMANDS: Final = (train, train_job, what_if, load, reindex)
