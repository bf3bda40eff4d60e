"""Whether the installation itself is healthy, each finding with what shows more.

Spec:
    console.md S16.
"""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.channels.format.cda_site import engine_version
from engine.console.health import ROLES, missing
from engine.console.queries.overview import (
    DISK_PERCENT,
    WARN_DAYS,
    Figures,
    Process,
)
from engine.errors import ConfigurationError
from engine.settings import Settings
from engine.store import key_use, reports, search
from engine.store.database import Connection, Database

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; ``command`` shows more where it is not ``ok``."""

    name: str
    ok: bool
    says: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Growth:
    """How large the store is, and how long that can go on.

    Bytes; ``free`` and ``days_left`` are None where the edge has not told, or a server
    keeps the store.
    """

    size: int | None
    daily: int | None
    free: int | None

    @property
    def days_left(self) -> int | None:
        """Days until the disk is full at this rate."""
        if not self.daily or self.free is None:
            return None
        return self.free // self.daily


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate of a TLS profile."""

    node: str
    profile: str
    ends: datetime
    days: int


def checks(connection: Connection, found: Figures, settings: Settings) -> list[Check]:
    """Return what was looked at, in the order in which it matters."""
    mine = [e for e in reports.reports(connection) if e.node == settings.node_name]
    lacking = missing(mine, found.at, ROLES)
    made = [
        Check(
            "processes",
            not lacking,
            "not reporting: " + ", ".join(lacking)
            if lacking
            else "edge, worker and console report",
            "interop health --ready",
        )
    ]
    for process in found.processes:
        if process.alive and process.role == "edge":
            made += _edge(process, found.at)
    return made


def keys(connection: Connection, database: Database) -> Check:
    """Return which key seals, and since when; or that one is missing here."""
    command = "interop keys list"
    try:
        uses = key_use.uses(connection, database.sealer)
    except ConfigurationError as error:
        return Check("keys", False, str(error), command)
    of = f"key {len(uses) + 1} of the key file seals since "
    since = f"{uses[-1].since:%Y-%m-%d}" if uses else "the store was made"
    return Check("keys", True, of + since, command)


def _edge(process: Process, now: datetime) -> list[Check]:
    disk = _mapping(process, "disk")
    percent = float(str(disk.get("percent", 0.0)))
    roomy = not disk.get("full") and percent < DISK_PERCENT
    problems = [
        *map(str, _mapping(process, "problems").values()),
        *map(str, _mapping(process, "tls_problems").values()),
    ]
    late = [each for each in certificates_of(process, now) if each.days <= WARN_DAYS]
    return [
        Check("disk", roomy, f"{percent:.0f} % full", "interop doctor"),
        Check(
            "listeners",
            not problems,
            "; ".join(problems) or "all are open",
            "interop doctor",
        ),
        Check(
            "certificates",
            not late,
            "; ".join(f"{each.profile}: {each.days} days left" for each in late)
            or "none ends soon",
            "interop doctor",
        ),
    ]


def _mapping(process: Process, name: str) -> Mapping[str, object]:
    found = process.detail.get(name)
    return found if isinstance(found, Mapping) else {}


def certificates_of(process: Process, now: datetime) -> list[Certificate]:
    """Return the certificates that one edge uses, the first to end first."""
    ends = {
        name: datetime.fromisoformat(str(text))
        for name, text in _mapping(process, "certificates").items()
    }
    return sorted(
        (
            Certificate(process.node, name, at, (at - now).days)
            for name, at in ends.items()
        ),
        key=lambda each: each.ends,
    )


def growth(
    connection: Connection, database: Database, found: Figures, free: int | None
) -> Growth:
    """Return the size of the store and, by messages a day, how it grows."""
    size = database.size()
    everything = sum(row.received for row in found.channels)
    latest = search.count_since(connection, found.at - DAY)
    daily = size * latest // everything if size and everything else None
    return Growth(size, daily, free)


def versions(database: Database) -> dict[str, str]:
    """Return what runs here."""
    return {
        "Interop Engine": engine_version(),
        "Python": platform.python_version(),
        "Store": database.release,
        "System": f"{platform.system()} {platform.machine()}",
    }


@dataclass(frozen=True, slots=True)
class LogLine:
    """One warning or error of a process, as it was logged."""

    at: str
    process: str
    level: str
    event: str
    facts: Mapping[str, str]


def log_of(found: Sequence[Process]) -> list[LogLine]:
    """Return what processes last warned of, newest first."""
    lines = []
    for process in found:
        told = process.detail.get("log")
        name = f"{process.node} {process.role} {process.name}"
        for line in told if isinstance(told, list) else []:
            facts = dict(line)
            head = (facts.pop(key, "") for key in ("ts", "level", "event"))
            at, level, event = head
            lines.append(LogLine(at, name, level, event, facts))
    return sorted(lines, key=lambda line: line.at, reverse=True)
