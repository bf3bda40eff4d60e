"""What `interop demo` shows: counts that move, and what to do about each queue."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from engine.cli.invocation import note
from engine.cli.output import Row
from engine.cli.watching import overview
from engine.peers.fhir_memory import Memory

if TYPE_CHECKING:
    from rich.console import Group

    from engine.store.database import Database

COLUMNS = ("received", "processed", "filtered", "held", "error", "delivered", "waiting")
SPEAK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the store and the receivers say at one moment."""

    channels: tuple[Row, ...] = ()
    errors: tuple[tuple[str, str, int], ...] = ()
    tasks: int = 0
    bundles: int = 0
    newest: Path | None = None
    first_seconds: float | None = None
    totals: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def now(cls, database: "Database", memory: Memory, since: float | None) -> "Seen":
        """Look at the store and at the receiver; ``since`` the first arrival."""
        from engine.store import error_queue, worklist

        rows = tuple(overview(database))
        with database.reading() as connection:
            groups = error_queue.groups(connection)
            tasks = sum(worklist.open_counts(connection).values())
        return cls(
            rows,
            tuple((group.key, group.cause, group.open) for group in groups),
            tasks,
            memory.bundles,
            memory.last_file,
            since,
            {name: sum(int(str(row[name])) for row in rows) for name in COLUMNS},
        )

    @property
    def complete(self) -> bool:
        """Whether something was delivered and each queue has an entry."""
        return bool(self.bundles and self.errors and self.tasks)

    def summary(self, folder: Path) -> Row:
        """Return what a script wants to know at the end."""
        return {
            **self.totals,
            "bundles": self.bundles,
            "newest_bundle": str(self.newest or ""),
            "error_entries": sum(count for _, _, count in self.errors),
            "mismatch_tasks": self.tasks,
            "first_delivered_seconds": round(self.first_seconds or 0.0, 2),
            "folder": str(folder),
        }


class View:
    """The live screen on a terminal; elsewhere a line every few seconds."""

    def __init__(self, live: bool) -> None:  # noqa: FBT001 - two kinds of screen
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True, highlight=False)
        self._live = Live(console=console, auto_refresh=False) if live else None
        self._spoke = 0.0

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, seen: Seen, folder: Path) -> None:
        """Draw what was seen."""
        if self._live:
            self._live.update(_screen(seen, folder), refresh=True)
        elif time.monotonic() - self._spoke > SPEAK_SECONDS:
            self._spoke = time.monotonic()
            counts = "  ".join(f"{name} {n:,}" for name, n in seen.totals.items())
            note(f"{counts}  bundles {seen.bundles:,}  tasks {seen.tasks}")


def _screen(seen: Seen, folder: Path) -> "Group":
    """Return the table of channels with the two queues below it."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    title = Text("Demo data, no real patients", style="black on yellow")
    if seen.first_seconds is not None:
        title.append(f"  first message delivered after {seen.first_seconds:.1f} s")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("channel")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    for row in seen.channels:
        table.add_row(str(row["channel"]), *(f"{row[name]:,}" for name in COLUMNS))
    config = f"--config {folder / 'config'}"
    lines = [f"newest Bundle   {seen.newest or 'none yet'}", ""]
    total = sum(count for _, _, count in seen.errors)
    lines.append(
        f"error queue     {total}"
        + "".join(
            f"\n                {count} x {cause}" for _, cause, count in seen.errors
        )
    )
    lines.append(f"                interop errors list {config}")
    for key, _, _ in seen.errors[:1]:
        lines.append(f"                interop errors show {key} {config}")
    lines += [
        "",
        f"mismatch queue  {seen.tasks}",
        f"                interop mpi tasks {config}",
        "",
        f"anything else   interop status {config}",
        f"                interop messages search {config}",
    ]
    return Group(title, Text(), table, Text(), Text("\n".join(lines)))
