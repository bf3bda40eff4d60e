"""The benchmarks run, whatever they print."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.cli.child_process import tree
from engine.cli.invocation import Exit
from tests.untraced import untraced

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_stage_with_a_budget_is_measured():
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(ROOT / "bench" / "stages.py"), "64"],
        capture_output=True,
        text=True,
        check=True,
        env={**untraced(), "PYTHONPATH": str(ROOT)},
    )

    found = json.loads(done.stdout)
    assert set(found["budget_us"]) <= set(found["us"])


@pytest.mark.slow
def test_bench_prints_what_was_measured_and_under_which_circumstances():
    words = ["bench", "--messages", "100", "--connections", "4", "--pairs", "1"]
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "engine.cli", *words],
        capture_output=True,
        text=True,
        check=True,
        env={**untraced(), "PYTHONPATH": str(ROOT)},
    )

    found = json.loads(done.stdout)
    assert found["delivered"]["refused"] == 0
    assert {"edge", "worker"} <= set(found["delivered"]["cpu_us_per_message"])
    assert found["answers"]["ratio"] > 0
    assert {"cpu", "disk", "fsync_ms_before"} <= set(found["circumstances"])


@pytest.mark.slow
def test_an_interrupted_bench_leaves_no_process_behind(tmp_path):
    bench = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "engine.cli", "bench", "--keep", str(tmp_path)],
        stderr=subprocess.DEVNULL,
        env={**untraced(), "PYTHONPATH": str(ROOT)},
    )
    while len(started := tree(bench.pid)) < 4:  # the supervisor has a child of its own
        assert bench.poll() is None
        time.sleep(0.05)

    bench.terminate()

    assert bench.wait(60) == Exit.INTERRUPTED
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []
