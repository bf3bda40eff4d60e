"""F03: the power fails at any moment; what was answered is there, and opens.

More images of the same kind: ``python -m tests.faults.power_loss --images 2000``.
"""

import random
import shutil
import subprocess
import sys

import pytest

from tests.edge_ledger import ROOT, seeded
from tests.faults.power_loss.disk import Disk
from tests.faults.power_loss.engine_site import warm
from tests.faults.power_loss.log import Operation, Record, read_log, shim, watched
from tests.faults.power_loss.loop import (
    LEAST_ANSWERS,
    Recording,
    examine,
    hashes,
    record_engine,
)

IMAGES = 100
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shim() is None, reason="the write log needs a C compiler"),
]


def test_F03_no_power_failure_loses_an_answered_message_or_a_store(tmp_path):
    seed = random.randrange(10**6)  # noqa: S311 - printed with the figures
    recording = record_engine(tmp_path / "site")

    figures = examine(recording, IMAGES, seed=seed)

    print(figures)
    assert figures.offenders == []
    assert figures.clean
    assert figures.counts["answered"] >= LEAST_ANSWERS


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """The folder of an engine that made its store, worked and was stopped."""
    folder = tmp_path_factory.mktemp("power") / "site"
    return folder, record_engine(folder, new=True, kill=False, in_flight=4, seconds=0.2)


def test_F03_the_log_holds_every_byte_that_reached_the_folder(first_run):
    folder, recording = first_run
    disk = Disk.of(recording.before, strict=True)
    for number, record in enumerate(recording.records):
        disk.take(number, record)

    real = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith("-shm")
    }
    logged = disk.running()
    assert len(real) > 10
    assert sorted(logged) == sorted(real)
    assert [name for name in real if logged[name] != real[name]] == []


def test_F03_a_store_that_has_just_been_made_survives_with_its_first_answer(first_run):
    figures = examine(first_run[1], 16, seed=1)

    assert figures.counts["answered"]
    assert figures.offenders == []


@pytest.mark.parametrize(
    ("fault", "seen"), [("nothing", False), ("commit", True), ("name", True)]
)
def test_F03_a_missing_sync_of_a_commit_or_of_a_name_is_seen(tmp_path, fault, seen):
    figures = examine(careless(tmp_path, fault), 24, seed=1)

    assert (figures.counts["lost"] > 0) is seen
    if fault != "commit":  # a store that has lost commits it had noted is refused
        assert figures.counts["unreadable"] == 0


def careless(tmp_path, fault):
    """Return what a small server did that makes one mistake, or none."""
    folder, before, log = (tmp_path / name for name in ("site", "before", "log"))
    (folder / "config" / "out" / "adt").mkdir(parents=True)
    warm(folder, rows=250)
    shutil.copytree(folder, before)
    module = "tests.faults.power_loss.careless"
    subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", module, folder, fault],
        cwd=ROOT,
        env=watched(folder, log),
        check=True,
    )
    return Recording(before, list(read_log(log, folder)), hashes(100))


# ---- the replayer


def after(*calls, strict=True):
    """Return a disk after these calls."""
    disk = Disk(strict)
    disk.names[""] = disk.durable[""] = Disk.of(ROOT / "none", strict=strict).names[""]
    for number, (operation, path, *more) in enumerate(calls):
        data = more[0] if more and isinstance(more[0], bytes) else b""
        other = more[0] if more and isinstance(more[0], str) else ""
        disk.take(number, Record(operation, path, other, 0, data, 1))
    return disk


NEW = (Operation.CREATE, "a")
WRITTEN = (Operation.WRITE, "a", b"x" * 5000)
BEGUN, ENDED = (Operation.SYNC_BEGIN, "a"), (Operation.SYNC_END, "a")
NAMED = ((Operation.SYNC_BEGIN, ""), (Operation.SYNC_END, ""))
RENAMED = (Operation.RENAME, "a", "b")


def lost(disk):
    return disk.image("none", seeded(1))


def test_what_a_sync_covered_is_kept_with_its_name():
    assert lost(after(NEW, WRITTEN, BEGUN, ENDED, *NAMED)) == {"a": b"x" * 5000}


def test_a_write_during_a_sync_is_not_covered_by_it():
    assert lost(after(NEW, BEGUN, WRITTEN, ENDED, *NAMED)) == {"a": b""}


def test_a_sync_that_did_not_end_covers_nothing():
    assert lost(after(NEW, WRITTEN, *NAMED, BEGUN)) == {"a": b""}


def test_a_new_name_needs_a_sync_of_its_folder_unless_names_are_lenient():
    calls = (NEW, WRITTEN, BEGUN, ENDED)

    assert lost(after(*calls)) == {}
    assert lost(after(*calls, strict=False)) == {"a": b"x" * 5000}


def test_a_renaming_needs_a_sync_of_its_folder_even_when_names_are_lenient():
    calls = (NEW, WRITTEN, BEGUN, ENDED, *NAMED, RENAMED)

    for strict in (True, False):
        assert list(lost(after(*calls, strict=strict))) == ["a"]
        assert list(lost(after(*calls, *NAMED, strict=strict))) == ["b"]


def test_a_lenient_name_is_kept_after_what_was_done_to_it_before():
    gone = (Operation.UNLINK, "a")
    calls = (NEW, gone, NEW, WRITTEN, BEGUN, ENDED, *NAMED)

    assert lost(after(*calls, strict=False)) == {"a": b"x" * 5000}


def test_a_file_cannot_be_found_below_a_folder_that_was_lost():
    made = (Operation.MKDIR, "d")
    new = (Operation.CREATE, "d/a")
    synced = ((Operation.SYNC_BEGIN, "d"), (Operation.SYNC_END, "d"))

    assert lost(after(made, new, *synced)) == {}
    assert lost(after(made, new, *synced, *NAMED)) == {"d/a": b""}


def test_a_torn_write_ends_at_a_sector_border():
    disk = after(NEW, *NAMED, WRITTEN)
    sizes = {len(disk.image("torn", seeded(seed))["a"]) for seed in range(50)}

    assert sizes - {0} <= {*range(512, 5000, 512), 4096}
    assert len(sizes) > 3
