"""What people do to code tables: change rows, agree to a change, see it used.

The same functions serve the console and the command line.

Spec:
    channel-format.md 7; console.md S10.
"""

import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from engine.channels import table_files
from engine.channels.format.revision import ALWAYS_USED
from engine.channels.table_files import TableFile, alone, planned
from engine.errors import ConfigurationError, IllegalTransitionError
from engine.settings import Settings
from engine.store import reports, table_changes
from engine.store.audit import Order
from engine.store.database import Database
from engine.store.table_changes import PROPOSED, SAVED
from engine.transforms.code_tables import Match
from engine.transforms.table_sheet import Change, Key, Sheet, key_of

UNCHANGED: Final = "unchanged"
CLASH: Final = "clash"
ALIVE: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Saved:
    """What came of a change: ``state`` is saved, proposed, unchanged or clash.

    With a clash nothing was written: ``clashes`` are rows that somebody else changed.
    """

    state: str
    file: TableFile
    clashes: tuple[Change, ...] = ()
    number: int = 0


def policy(settings: Settings, name: str) -> Mapping[str, str]:
    """Return what ``[tables.NAME]`` says."""
    section = settings.tables.get(name, {})
    return (
        {str(k): str(v) for k, v in section.items()}
        if isinstance(section, dict)
        else {}
    )


def match_of(settings: Settings, name: str) -> Match:
    """Return how a table compares codes."""
    return Match(policy(settings, name).get("match", Match.EXACT))


def save(
    database: Database | None,
    settings: Settings,
    name: str,
    changes: Sequence[Change],
    order: Order,
) -> Saved:
    """Change rows of a table, or propose that where the policy wants a second person.

    Rows that others changed meanwhile stop everything; other rows of theirs stay.
    Without a store, as in a checkout, there is no history, and nobody can agree.

    Raises:
        ConfigurationError: there is no such table, or it would be none.
    """
    config = settings.folder
    with alone(config):
        plan = planned(config, name, changes, match_of(settings, name))
        if plan.unchanged:
            return Saved(CLASH if plan.clashes else UNCHANGED, plan.file, plan.clashes)
        two = policy(settings, name).get("approval") == "two"
        if database is not None:
            return _recorded(database, config, plan.file, changes, order, two=two)
        if two:
            sentence = f"table {name} needs a second person, and there is no store here"
            raise ConfigurationError(sentence)
        table_files.write(config, plan.file)
    return Saved(SAVED, plan.file)


def _recorded(
    database: Database,
    config: Path,
    file: TableFile,
    changes: Sequence[Change],
    order: Order,
    *,
    two: bool,
) -> Saved:
    """Keep a change and write the file, in one step as far as two places can be."""
    rows = [(each.before, each.after) for each in changes]
    version = "" if two else file.version
    with database.engine() as connection:
        number = table_changes.record(
            connection, database.sealer, file.name, rows, order, version=version
        )
        if not two:
            table_files.write(config, file)
    if two:
        file = table_files.read_table(config, file.name, file.table.match)
    return Saved(PROPOSED if two else SAVED, file, (), number)


def decide(
    database: Database, settings: Settings, number: int, order: Order, *, agree: bool
) -> Saved:
    """Save a proposed change, or refuse it; whoever proposed it cannot agree to it.

    Raises:
        IllegalTransitionError: it is settled, or by the same person; nothing changed.
        ConfigurationError: the table would be none.
    """
    config, sealer = settings.folder, database.sealer
    with alone(config), database.engine() as connection:
        found = table_changes.proposed(connection, sealer, number)
        if agree and found.actor == order.actor:
            raise IllegalTransitionError("a second person must agree to this change")
        changes = [Change(before, after) for before, after in found.rows]
        plan = planned(config, found.table, changes, match_of(settings, found.table))
        if agree and plan.clashes:
            return Saved(CLASH, plan.file, plan.clashes, number)
        version = plan.file.version if agree else ""
        table_changes.settle(connection, sealer, number, order, version)
        if agree and not plan.unchanged:
            table_files.write(config, plan.file)
    return Saved(SAVED if agree else table_changes.REFUSED, plan.file, (), number)


def taken(file: TableFile, sheet: Sheet) -> list[Change]:
    """Return what makes a table hold the rows of a sheet; its other rows stay.

    Raises:
        ConfigurationError: the sheet has no columns ``from`` and ``to``.
    """
    if not {"from", "to"} <= set(sheet.columns):
        raise ConfigurationError("the first line must name the columns: from,to")
    known: dict[Key, dict[str, str]] = {key_of(row): row for row in file.sheet.rows}
    return [
        Change(known.get(key_of(row)), known.get(key_of(row), {}) | row)
        for row in sheet.rows
        if row.get("from")
    ]


def use(database: Database, node: str, now: datetime) -> int:
    """Let the processes of this node read the configuration anew; return how many."""
    with database.reading() as connection:
        found = reports.reports(connection)
    told = 0
    for each in found:
        if each.node == node and now - each.seen_at < ALIVE:
            try:
                os.kill(each.pid, signal.SIGHUP)
            except ProcessLookupError:
                continue  # it ended since it reported
            told += 1
    return told


def users(channels: Mapping[str, Path], name: str) -> list[str]:
    """Return the channels that use a table, as their revisions count it."""
    word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    return [
        channel
        for channel, path in channels.items()
        if name in ALWAYS_USED or word.search(path.read_text("utf-8", "replace"))
    ]
