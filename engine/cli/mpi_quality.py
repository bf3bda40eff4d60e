"""``interop mpi quality``: how good the data of each source are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import rich_click as click

from engine.cli.invocation import Command, Exit, Stop, now
from engine.cli.output import Row, emit
from engine.cli.site import store

if TYPE_CHECKING:
    from engine.store.quality import SourceQuality

COLUMNS = [
    "source", "records", "duplicate_rate", "creation_rate", "overlay_rate",
    "placeholder_share", "doubts_per_100", "oldest_task_hours",
]  # fmt: skip
DAYS = ["source", "day", "registrations", "doubts", "confirmed_duplicates"]


Options = TypeVar("Options", bound=Callable[..., None])


def period_options(command: Options) -> Options:
    """Give a command ``--from`` and ``--to``."""
    for option in (
        click.option("--to", "until", default="", help="YYYY-MM-DD, not included."),
        click.option("--from", "since", default="", help="YYYY-MM-DD; 30 days ago."),
    ):
        command = option(command)
    return command


def period(since: str, until: str) -> tuple[datetime, datetime]:
    """Return a period as given by two days: without them the last thirty."""
    begin = day_of(since) if since else now() - timedelta(days=30)
    return begin, day_of(until) if until else now() + timedelta(days=1)


@click.command("quality", cls=Command)
@period_options
@click.option(
    "--messages",
    type=click.IntRange(0),
    default=0,
    help="Read so many of the newest messages for the validity of each trait.",
)
@click.option("--by-day", is_flag=True, help="One line for each source and day.")
def quality_command(since: str, until: str, messages: int, *, by_day: bool) -> None:
    """Print rates of duplicates, overlays and placeholders, by source.

    The duplicate rate is the share of records in possible duplicate pairs; AHIMA's
    target is 1 %. The creation rate is the share of the period's registrations that
    were found to be duplicates. -o json has the completeness of each trait, too, the
    share of records whose number was learned to mean nobody, and with --messages the
    share of values sent that are of use.
    """
    from engine.store.patients import SqlPatientIndex
    from engine.store.quality import quality, validity

    with store() as database, database.reading() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        found = quality(index, *period(since, until))
        valid = validity(index, messages)
    if by_day:
        emit((row for each in found for row in _days(each)), DAYS)
    else:
        rows = (_row(each) | _valid(valid.get(each.source, {})) for each in found)
        emit(rows, COLUMNS)


@click.command("placeholders", cls=Command)
def placeholders_command() -> None:
    """List SSNs and telephones that were learned to mean nobody, the latest first.

    So many different people have them that they count for nothing any more. The
    person's page, or interop mpi show, tells which value it is.
    """
    from engine.store.placeholders import listed

    with store() as database, database.reading() as connection:
        found = listed(connection)
    columns = ["trait", "record", "person", "seen", "persons", "since"]
    emit(({name: getattr(each, name) for name in columns} for each in found), columns)


def day_of(text: str) -> datetime:
    """Return a day as its first instant."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Stop(f"{text!r} is not a day", Exit.USAGE, "YYYY-MM-DD") from None


def _valid(shares: dict[str, float]) -> dict[str, object]:
    """Return the validity of each trait, where messages were read."""
    return {"validity": {k: round(v, 4) for k, v in shares.items()}} if shares else {}


def _row(each: "SourceQuality") -> dict[str, object]:
    registrations, age = each.registrations.total(), None
    if each.oldest_task is not None:
        age = round((now() - each.oldest_task).total_seconds() / 3600, 1)
    doubts, learned = each.doubts.total(), each.learned_share()
    return {
        "source": each.source,
        "records": each.records,
        "registrations": registrations,
        "duplicate_rate": round(each.duplicate_rate, 5),
        "creation_rate": round(each.creation_rate, 5),
        "overlay_rate": round(each.overlay_rate, 5),
        "placeholder_share": round(each.placeholder_share, 5),
        "doubts_per_100": round(100 * doubts / registrations, 2)
        if registrations
        else 0,
        "oldest_task_hours": age,
        "learned_placeholders": {k: round(v, 4) for k, v in learned.items()},
        "completeness": {k: round(v, 4) for k, v in each.completeness().items()},
    }


def _days(each: "SourceQuality") -> list[Row]:
    return [
        {
            "source": each.source,
            "day": day,
            "registrations": registered,
            "doubts": doubts,
            "confirmed_duplicates": confirmed,
        }
        for day, registered, doubts, confirmed in each.days()
    ]
