"""A failpoint does what it says, where it says, and only when it may."""

import os
import signal
import subprocess
import sys
import time

import pytest

from engine import failpoint
from engine.errors import ConfigurationError
from engine.failpoint import ENABLED, POINT, arm, reach


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    arm({})


def armed(text):
    arm({POINT: text, ENABLED: "1"})


def test_nothing_happens_unless_a_test_asks():
    arm({})

    reach("journal.committed")


def test_it_raises_at_the_hit_it_names_and_only_then():
    armed("send.before:2:raise")

    reach("send.before")
    reach("send.taken")
    with pytest.raises(RuntimeError):
        reach("send.before")
    reach("send.before")


def test_it_waits(monkeypatch):
    monkeypatch.setattr(failpoint, "SLEEP_SECONDS", 0.05)
    armed("send.before:1:sleep")
    begun = time.monotonic()

    reach("send.before")

    assert time.monotonic() - begun >= 0.05


def test_it_ends_the_process_as_kill_does():
    code = "import os, engine.failpoint as f; f.arm(os.environ); f.reach('a')"
    told = {**os.environ, POINT: "a:1:exit", ENABLED: "1"}

    ended = subprocess.run([sys.executable, "-c", code], env=told, check=False)  # noqa: S603

    assert ended.returncode == -signal.SIGKILL


def test_without_the_switch_it_is_ignored_with_a_warning(capsys):
    arm({POINT: "send.before:1:raise"})

    reach("send.before")

    assert "failpoint_ignored" in "".join(capsys.readouterr())


@pytest.mark.parametrize("text", ["send", "send:0:exit", "send:x:exit", "send:1:fly"])
def test_a_point_that_makes_no_sense_is_refused(text):
    with pytest.raises(ConfigurationError, match="name:hit:action"):
        armed(text)
