"""The benchmarks run, whatever they print."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_stage_with_a_budget_is_measured():
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(ROOT / "bench" / "stages.py"), "64"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
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
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    found = json.loads(done.stdout)
    assert found["delivered"]["refused"] == 0
    assert {"edge", "worker"} <= set(found["delivered"]["cpu_us_per_message"])
    assert found["answers"]["ratio"] > 0
    assert {"cpu", "disk", "fsync_ms_before"} <= set(found["circumstances"])
