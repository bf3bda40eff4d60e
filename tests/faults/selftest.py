"""F19: does each harness see the bug it is there for?

    python -m tests.faults.selftest [P01 P11 ...] [--control]

Applies each planted bug to a copy of the tree and runs its harness there: it must end
with a finding of the right kind. A patch that no longer applies is a failure. With
``--control`` every harness also runs once on an unchanged copy and must find nothing.
Prints a table; ends with 1 unless every bug was caught. Each is the smallest run which
sees its bug: the same harness with larger numbers is what runs at night.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.edge_ledger import ROOT

PLANTED = Path(__file__).parent / "planted"
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
SLOW = ("--check", "2", "--answers", "100", "--delay", "0.05")
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly")
CRASHES = ("-m", "tests.faults.crash_points")
KILLS = ("-m", "tests.faults.kill_node", "--forked", "--cycles")
IMAGES = ("-m", "tests.faults.power_loss", "--images", "40")
LOST = r'"lost": [1-9]'


@dataclass(frozen=True)
class Harness:
    """What is run, and what it says when it finds the bug (a regular expression)."""

    words: tuple[str, ...]
    finding: str


def broken(*invariants):
    """Return what the ledger prints when one of these does not hold."""
    return rf'"broken": {{\s+"({"|".join(invariants)})"'


HARNESSES = {
    "P01": Harness((*CRASHES, "--only", "journal.before"), broken("I1")),
    "P02": Harness(IMAGES, LOST),
    "P03": Harness((*KILLS, "6", *SLOW), broken("I3", "I4")),
    "P04": Harness(IMAGES, LOST),
    "P05": Harness((*KILLS, "10", "--check", "2"), broken("I1")),
    "P06": Harness(
        (*PYTEST, "tests/conformance/test_protocol_sender.py", "-k", "E82"),
        "FAILED.*E82",
    ),
    "P07": Harness(
        (*PYTEST, "tests/conformance/test_protocol_blocks.py", "-k", "E08"),
        "FAILED.*E08",
    ),
    "P08": Harness(
        ("-m", "tests.faults.states", "--examples", "50", "--first-found"),
        "in prune|can_be_opened",
    ),
    "P09": Harness(("-m", "tests.faults.simulated", "--seeds", "100"), "I4: "),
    "P10": Harness(
        (*PYTEST, "tests/conformance/test_protocol_sender.py", "-k", "E86"),
        "FAILED.*E86",
    ),
    "P11": Harness(("-m", "tests.faults.poison"), broken("I2")),
    "P12": Harness(
        (*PYTEST, "tests/conformance/test_deliveries.py", "-k", "stale_epoch"),
        "FAILED.*stale_epoch",
    ),
}


def patch_of(bug):
    """Return the patch of a bug, such as ``P01``."""
    [found] = PLANTED.glob(f"{bug}-*.patch")
    return found


def copy_tree(folder):
    """Copy what is needed to run tests; what it must not write stays behind."""
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    return folder


def apply(bug, folder, *, check=False):
    """Apply a planted bug to a copy; return what ``git apply`` complains of."""
    words = ["git", "apply", *(["--check"] if check else []), str(patch_of(bug))]
    told = subprocess.run(  # noqa: S603 - our own patch
        words, cwd=folder, capture_output=True, text=True, check=False
    )
    return told.stderr if told.returncode else ""


def run(harness, folder):
    """Run a harness in a copy; return its exit code and what it printed.

    What it keeps of a run that is not clean goes where the copy goes. The processes of
    a node do not look into their folder: without the path they would find the engine
    that is installed, without the bug.
    """
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, *harness.words],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder.parent), "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def verdict(bug, folder):
    """Return "caught", or why not."""
    harness = HARNESSES[bug]
    if complaint := apply(bug, folder):
        return f"does not apply: {complaint.splitlines()[0]}"
    code, told = run(harness, folder)
    if code == 0:
        return "missed"
    if not re.search(harness.finding, told):
        return f"ended with {code}, but for another reason: {told[-300:]}"
    return "caught"


def control(bug, folder):
    """Return "quiet", or what the harness found where nothing was planted."""
    code, told = run(HARNESSES[bug], folder)
    return "quiet" if code == 0 else f"false alarm: {told[-300:]}"


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("bugs", nargs="*", default=sorted(HARNESSES))
    options.add_argument("--control", action="store_true")
    asked = options.parse_args()
    good, quiet = True, set[Harness]()
    for bug in asked.bugs:
        with tempfile.TemporaryDirectory(prefix="interop-F19-") as folder:
            begun, harness = time.monotonic(), HARNESSES[bug]
            if asked.control and harness not in quiet:
                told = control(bug, copy_tree(Path(folder, "unchanged")))
                good = good and told == "quiet"
                quiet.add(harness)
                print(f"{bug}  unchanged: {told}", flush=True)
            told = verdict(bug, copy_tree(Path(folder, "tree")))
            good = good and told == "caught"
            seconds = time.monotonic() - begun
            words = " ".join(harness.words[1:])
            print(f"{patch_of(bug).stem}  {told}  {seconds:.0f} s  {words}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
