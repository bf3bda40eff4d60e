"""``interop mpi show``, ``search``, ``ask``, ``unidentified``: who is known."""

from datetime import timedelta
from typing import TYPE_CHECKING

import rich_click as click

from engine.cli.confidential import admitted, confidential_option
from engine.cli.invocation import Command, Exit, Stop, note, now
from engine.cli.output import Row, emit, emit_one, masked
from engine.cli.site import order, site, store

if TYPE_CHECKING:
    from engine.identity.criteria import Criteria
    from engine.identity.index import SourceRecord
    from engine.store.person_search import Found, Search

PERSON_COLUMNS = [
    "person", "handle", "record", "authority", "name", "birth", "sex", "kind",
]  # fmt: skip
_NARROWER = "add a given name, --birth, --phone or --ssn"


def person_row(record: "SourceRecord") -> Row:
    """Return a record as a line of output, its patient data masked."""
    from engine.identity.enterprise_identifier import handle_of

    traits = record.traits
    name = " ".join(filter(None, (traits.family, traits.given, traits.middle)))
    return {
        "person": record.person,
        "handle": handle_of(record.person),
        "record": record.number,
        "authority": record.authority,
        "name": masked(name),
        "birth": masked(traits.birth),
        "sex": traits.sex,
        "kind": traits.kind,
    }


@click.command("show", cls=Command)
@click.argument("person")
@confidential_option
def show_command(person: str, confidential: str) -> None:
    """Show the records of a person, named by enterprise identifier or handle.

    Where several persons have the handle, it shows them all.
    """
    from engine.store import links, person_numbers
    from engine.store.patients import SqlPatientIndex

    with store() as database:
        sees = admitted(database, confidential)
        with database.reading() as connection:
            index = SqlPatientIndex(connection, database.sealer)
            named = person_numbers.persons_called(connection, person)
            today = named or [links.resolved(connection, person)]
            if not sees:
                hidden = links.confidential(connection, today)
                today = [each for each in today if each not in hidden]
            found = [record for each in today for record in index.members(each)]
    if not found:
        hint = "a confidential one needs --confidential REASON"
        raise Stop(f"there is no person {person}", Exit.PROBLEMS, hint)
    if len(today) > 1:
        note(f"{len(today)} persons are called {person}: tell them apart by their data")
    elif not named and today != [person]:
        note(f"{person} was merged into {today[0]}")
    emit((person_row(each) for each in found), PERSON_COLUMNS)


@click.command("search", cls=Command)
@click.argument("family", required=False, default="")
@click.argument("given", required=False, default="")
@click.option("--birth", default="", help="YYYYMMDD, or its beginning and *.")
@click.option("--sex", default="")
@click.option("--phone", default="")
@click.option("--ssn", default="")
@confidential_option
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
def search_command(confidential: str, limit: int, **wanted: str) -> None:
    """Find persons who may be meant, the likeliest first.

    Names may be misspelt; one with * stands for whatever begins or ends so. The score
    is the probability that the person is meant.
    """
    from engine.identity.criteria import Criteria, cleaned
    from engine.store.name_lists import Names
    from engine.store.patients import SqlPatientIndex, shipped
    from engine.store.person_search import Search

    given = {trait: text for trait, text in wanted.items() if text}
    criteria = Criteria({t: cleaned(t, text) or "" for t, text in given.items()})
    for trait, text in criteria.wanted.items():
        if not text.strip("*"):
            raise Stop(f"{given[trait]!r} is no {trait} to search for", Exit.USAGE)
    with store() as database:
        sees = admitted(database, confidential)
        with database.reading() as connection:
            index = SqlPatientIndex(connection, database.sealer, reads_only=True)
            asked = Search(index, shipped(), Names(), sees)
            found = _likeliest(asked, criteria, limit)
    rows = ({**person_row(f.record), "score": round(f.score, 4)} for f in found)
    emit(rows, [*PERSON_COLUMNS, "score"])


def _likeliest(asked: "Search", criteria: "Criteria", limit: int) -> "list[Found]":
    """Return who is alike, or who fits exactly where that leads to nobody."""
    from engine.store.person_search import Found

    if all(map(criteria.exact, criteria.wanted)):
        alike = asked.alike(criteria.as_traits())
        if alike:
            graded = alike[:limit]
            return [Found(each.match.record, each.posterior) for each in graded]
    page = asked.page(criteria, 0, limit)
    if page.too_broad:
        raise Stop("that fits too many persons", Exit.USAGE, _NARROWER)
    if page.more:
        note(f"more than {limit} fit; --limit shows more")
    return list(page.found)


@click.command("unidentified", cls=Command)
@click.option("--days", type=click.IntRange(0), default=7, show_default=True)
def unidentified_command(days: int) -> None:
    """List patients nobody has identified for longer than some days, oldest first.

    They stand alone until an update under their number, a merge or a person says who
    they are.
    """
    from engine.identity.enterprise_identifier import handle_of
    from engine.store.quality import unidentified

    with store() as database, database.reading() as connection:
        found = unidentified(connection, now() - timedelta(days=days))
    rows = (
        {
            "person": each.person,
            "handle": handle_of(each.person),
            "record": each.record,
            "authority": each.authority,
            "since": each.since,
            "days": (now() - each.since).days,
        }
        for each in found
    )
    emit(rows, ["person", "handle", "record", "authority", "since", "days"])


@click.command("ask", cls=Command)
@click.argument("person")
@click.argument("other")
@click.option("--reason", required=True, help="Kept with the task.")
def ask_command(person: str, other: str, reason: str) -> None:
    """Make a task of the question whether two persons are one; nobody is joined."""
    from engine.store import questions
    from engine.store.patients import SqlPatientIndex

    model = site().models["default"]
    with store() as database, database.engine() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        number = questions.ask(index, person, other, order(reason), model)
    emit_one({"task": number})
    note(f"next: interop mpi tasks --show {number}")
