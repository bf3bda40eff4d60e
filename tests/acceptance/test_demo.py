"""The first minute: the demo moves messages and fills both queues, by itself."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def interop(*words):
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "engine.cli", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.slow
def test_the_demo_shows_a_bundle_an_error_and_a_doubt_and_can_be_acted_on(tmp_path):
    site = tmp_path / "mysite"

    done = interop("demo", "--once", "--for", "90", "--rate", "8", "--keep", site)

    assert done.returncode == 0, done.stderr
    assert re.search(
        r"console: http://127.0.0.1:\d+/sign-in\?with=code  code: [\w-]{43}\n",
        done.stderr,
    )
    seen = json.loads(done.stdout)
    assert seen["delivered"] >= 1
    assert seen["error_entries"] >= 1
    assert seen["mismatch_tasks"] >= 1
    assert json.loads(Path(seen["newest_bundle"]).read_bytes())["type"] == "transaction"
    assert 0 < seen["first_delivered_seconds"] < 90

    config = ("--config", site / "config")
    (group,) = map(json.loads, interop("errors", "list", *config).stdout.splitlines())
    assert group["channel"] == "laboratory"
    (task,) = map(json.loads, interop("mpi", "tasks", *config).stdout.splitlines())
    words = ("mpi", "tasks", "--same", task["id"], "--reason", "same person", *config)
    assert json.loads(interop(*words).stdout)["state"] == "decided"
