"""What long runs have shown, added up over days: one file, one row for each commit.

    python -m tests.faults.evidence            # writes docs/faults-evidence.md anew

A harness that is given ``--evidence`` adds what it has just done to
``docs/faults-evidence.csv``, block by block, and begins where the file ends: a run that
is interrupted has lost its last block, and the next one goes on behind it.
"""

import argparse
import csv
import multiprocessing
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from tests.edge_ledger import ROOT

RESULTS = ROOT / "docs" / "faults-evidence.csv"
PAGE = RESULTS.with_suffix(".md")


NUMBERS = ("first", "count", "answered", "violations")


@dataclass(frozen=True)
class Row:
    """What was tried at one commit on one day: ``count`` trials from ``first`` on."""

    fault: str
    unit: str
    first: int
    count: int
    answered: int
    violations: int
    commit: str
    date: str

    @property
    def last(self):
        return self.first + self.count - 1

    def follows(self, other):
        """Whether this goes on where another row ends, so that both are one.

        A row with a violation stays alone: its seeds are wanted again.
        """
        same = ("fault", "unit", "commit", "date")
        return (
            self.first == other.last + 1
            and not (self.violations or other.violations)
            and all(getattr(self, name) == getattr(other, name) for name in same)
        )

    def __add__(self, other):
        sums = {name: getattr(self, name) + getattr(other, name) for name in NUMBERS}
        return replace(self, **sums | {"first": min(self.first, other.first)})


def read(path=RESULTS):
    """Return the rows of a results file; none where there is no file yet."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        return [_row(read) for read in csv.DictReader(lines)]


def _row(told):
    return Row(**told | {name: int(told[name]) for name in NUMBERS})


def write(rows, path=RESULTS):
    """Write a results file; a reader finds the old one or the new one."""
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(
            lines, [each.name for each in fields(Row)], lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(map(asdict, rows))
    unfinished.replace(path)


class Evidence:
    """Where a run adds what it has done; with no path it only counts on."""

    def __init__(self, fault, unit, path=None):
        self.fault, self.unit, self.path = fault, unit, path

    def next_seed(self):
        """Return the seed after the last one of this fault, 1 to begin with."""
        rows = read(self.path) if self.path else []
        return max((row.last for row in rows if row.fault == self.fault), default=0) + 1

    def add(self, first, count, answered, violations):
        """Add a block of trials."""
        if self.path is None:
            return
        today = time.strftime("%Y-%m-%d", time.gmtime())
        figures = (first, count, answered, violations)
        row = Row(self.fault, self.unit, *figures, commit(), today)
        rows = read(self.path)
        at = next((at for at, one in enumerate(rows) if row.follows(one)), None)
        if at is None:
            rows.append(row)
        else:
            rows[at] += row
        write(rows, self.path)


def options(about):
    """Return the parser of a harness that can add to the evidence."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(
        "--evidence", nargs="?", type=Path, const=RESULTS, help="add up in this file"
    )
    return parser


def processes(jobs):
    """Return processes to share a run, which end when this one is told to."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    context = multiprocessing.get_context("spawn")  # each with a store of its own
    return ProcessPoolExecutor(jobs, context)


def commit():
    """Return the commit under test, marked if the tree differs but for what it adds."""
    changed = _git("status", "--porcelain", "--", ".", ":!docs/faults-evidence.*")
    found = _git("rev-parse", "--short", "HEAD")
    return f"{found}-dirty" if changed else found or "unknown"


def _git(*asked):
    words = ("git", *asked)
    found = subprocess.run(  # noqa: S603 - our own words
        words, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


# ---- the page

HEAD = """# What the fault runs have shown

Written by `python -m tests.faults.evidence` from `faults-evidence.csv`, to which a run
with `--evidence` adds its rows. What each run does is told in [faults.md](faults.md).

Zero violations in *n* trials means less than 3/*n* for each trial, at 95 %; *n* are the
trials since the last violation, which was mended.

"""
SUMS = """\
| fault | trials | answered | violations | bound for one trial | commits |
|---|--:|--:|--:|--:|--:|
"""
ROWS = """
## Row by row

| fault | commit | date | trials | seeds | answered | violations |
|---|---|---|--:|---|--:|--:|
"""


def page(rows: Iterable[Row]):
    """Return the page that shows these rows and their sums."""
    rows = sorted(rows, key=lambda row: (row.fault, row.date, row.first))
    kinds = sorted({(row.fault, row.unit) for row in rows})
    sums = [_sum([row for row in rows if (row.fault, row.unit) == k]) for k in kinds]
    return HEAD + SUMS + "".join(sums) + ROWS + "".join(map(_line, rows))


def _sum(rows):
    whole = rows[0]
    for row in rows[1:]:
        whole += row
    found = max((at for at, row in enumerate(rows) if row.violations), default=-1)
    since = sum(row.count for row in rows[found + 1 :])
    bound = f"< {300 / since:.2g} %" if since else "none"
    commits = len({row.commit for row in rows})
    return (
        f"| {whole.fault} | {whole.count:,} {whole.unit} | {_shown(whole.answered)} "
        f"| {whole.violations} | {bound} | {commits} |\n"
    )


def _line(row):
    return (
        f"| {row.fault} | {row.commit} | {row.date} | {row.count:,} {row.unit} "
        f"| {row.first} to {row.last} | {_shown(row.answered)} | {row.violations} |\n"
    )


def _shown(answered):
    """Return how many were answered; nothing where nobody asks."""
    return f"{answered:,}" if answered else ""


def main():
    PAGE.write_text(page(read()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
