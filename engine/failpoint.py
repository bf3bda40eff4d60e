"""Points at which a test lets the engine die, fail or wait; off in every real run.

``INTEROP_TEST__FAILPOINT=name:hit:action`` arms one point of this process: when it is
reached for the ``hit``-th time, the action happens, once. ``exit`` ends the process as
kill -9 does, ``raise`` raises RuntimeError, ``sleep`` waits a second. It counts only
with ``INTEROP_TEST__ENABLED=1``, so that no variable left behind can stop a hospital.

The pure layers have no points: their callers do.

Spec:
    faults.md 3, F02.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from engine.errors import ConfigurationError

POINT: Final = "INTEROP_TEST__FAILPOINT"
ENABLED: Final = "INTEROP_TEST__ENABLED"
SLEEP_SECONDS: Final = 1.0

_log = structlog.get_logger()


def _exit() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raise() -> None:
    raise RuntimeError("a failpoint was reached")


def _sleep() -> None:
    time.sleep(SLEEP_SECONDS)


ACTIONS: Final[Mapping[str, Callable[[], None]]] = {
    "exit": _exit,
    "raise": _raise,
    "sleep": _sleep,
}


@dataclass(slots=True)
class _Armed:
    """The one armed point, and how often it may still be passed."""

    name: str
    left: int
    action: Callable[[], None]


_armed: _Armed | None = None


def reach(name: str) -> None:
    """Say that this point is reached; nothing happens unless a test armed it."""
    if _armed is not None:
        _reached(_armed, name)


def _reached(armed: _Armed, name: str) -> None:
    if armed.name != name:
        return
    armed.left -= 1
    if armed.left == 0:
        armed.action()


def arm(variables: Mapping[str, str]) -> None:
    """Arm the point that the environment names; each process does so as it starts.

    Raises:
        ConfigurationError: the variable does not say ``name:hit:action``.
    """
    global _armed  # noqa: PLW0603 - one switch for the whole process
    _armed = None
    text = variables.get(POINT, "")
    if not text:
        return
    if variables.get(ENABLED) != "1":
        _log.warning("failpoint_ignored", reason=f"{ENABLED} is not 1")
        return
    name, _, rest = text.partition(":")
    hit, _, action = rest.partition(":")
    if not name or not hit.isdecimal() or int(hit) < 1 or action not in ACTIONS:
        words = ", ".join(ACTIONS)
        raise ConfigurationError(
            f"{POINT} is {text!r}; it should be name:hit:action, with an action of "
            f"{words}."
        )
    _armed = _Armed(name, int(hit), ACTIONS[action])
