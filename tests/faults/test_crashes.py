"""The fault runs in the size of every change; larger ones by `make faults-nightly`."""

import json
import re
import subprocess
import sys

import pytest

from tests.edge_ledger import ROOT
from tests.faults import points
from tests.faults.full_disk import may_mount
from tests.faults.power_loss.log import shim
from tests.untraced import untraced

ENGINE = ROOT / "engine"
PURE = ("hl7", "transforms", "identity")


def judged(module, *words):
    """Run one harness as its own program; return what the ledger printed."""
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", f"tests.faults.{module}", *words],
        cwd=ROOT,
        env=untraced(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_F01_nothing_answered_is_lost_when_a_whole_node_is_killed():
    told = judged("kill_node", "--cycles", "2")

    assert told["answered"] >= 2 * 450


@pytest.mark.slow
def test_F01_nor_when_it_is_killed_again_and_again():
    told = judged("kill_node", "--cycles", "8", "--forked")

    assert told["answered"] >= 8 * 450


@pytest.mark.slow
def test_F02_a_crash_at_any_named_point_loses_nothing():
    told = judged("crash_points")

    assert told["points"] >= 40


@pytest.mark.slow
@pytest.mark.skipif(shim() is None, reason="the shim needs a C compiler")
def test_F04_a_write_or_sync_that_fails_loses_nothing_that_was_answered():
    told = judged("io_errors", "--some", "4")

    assert told["offenders"] == []
    assert told["faults"] >= 2


@pytest.mark.slow
@pytest.mark.skipif(not may_mount(), reason="only root may mount a small file system")
def test_F05_a_full_disk_for_the_logs_stops_nothing():
    told = judged("full_disk", "--places", "logs", "--seconds", "1")

    assert told["faults"] == []


@pytest.mark.slow
def test_F08_a_network_that_fails_towards_receivers_loses_and_merges_nothing():
    told = judged("outbound", "--every", "30")

    assert told["faults"] >= 40
    assert (told["not_met"], told["failed"]) == (0, 0)
    assert told["repeated"] > 0


@pytest.mark.slow
def test_F09_a_poisoned_message_is_isolated_and_nothing_else_suffers():
    told = judged("poison")

    assert (told["messages_error"], told["poisoned"]) == (7, 7)


@pytest.mark.slow
def test_F12_a_bit_that_flips_in_a_store_is_found_or_changes_nothing():
    told = judged("bit_flips", "--flips", "30")

    assert (told["flips"], told["offenders"]) == (30, [])
    assert told["log: refused"] >= 4


@pytest.mark.slow
def test_F14_an_upgrade_that_crashes_anywhere_ends_well_the_next_time():
    assert judged("migrate")["crashes"] == 6


@pytest.mark.slow
def test_F21_nothing_is_taken_before_recovery_has_ended():
    told = judged("start_order", "--answers", "200")

    assert told["early_listeners"] == []
    assert {"received", "processed", "queued", "leased"} <= set(told["left"])


@pytest.mark.slow
def test_F22_a_node_told_to_stop_ends_in_time_and_repeats_nothing():
    told = judged("stop_node", "--stops", "3", "--forked")

    assert (told["stops"], told["faults"]) == (3, [])


def test_F02_every_point_of_the_engine_is_crashed_at_and_the_pure_layers_have_none():
    found = {
        path.relative_to(ENGINE): re.findall(r'\breach\("([^"]+)"\)', path.read_text())
        for path in ENGINE.rglob("*.py")
    }
    named = [name for names in found.values() for name in names]

    assert sorted(named) == sorted(points.ALL)
    assert len(named) >= 40
    assert not [path for path in found if path.parts[0] in PURE and found[path]]
