"""Logs of the engine's processes: JSON lines on stderr, event names, never content.

Spec:
    cli.md 7.3; security.md S24.
"""

import logging
import sys
from collections import deque
from contextlib import suppress
from typing import Final, TextIO, cast

import structlog
from structlog.typing import EventDict

REMEMBERED: Final = 20
"""So many warnings and errors a process knows: they go along with every report."""

LONGEST: Final = 300
_GRAVE: Final = frozenset({"warning", "error", "critical"})
_latest: deque[dict[str, str]] = deque(maxlen=REMEMBERED)


class Unfailing:
    """A stream whose full disk or closed pipe is nobody's trouble.

    A line that cannot be written is lost; an error from a log call would end what the
    line was about, such as the way out of a full disk.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, if it can be."""
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush, if it can be."""
        with suppress(OSError):
            self._stream.flush()


def latest() -> list[dict[str, str]]:
    """Return the last warnings and errors of this process, oldest first, as texts."""
    return list(_latest)


def _remember(_: object, __: str, line: EventDict) -> EventDict:
    """Keep a grave line beside writing it; what is long loses its end."""
    if line.get("level") in _GRAVE:
        _latest.append({key: str(value)[:LONGEST] for key, value in line.items()})
    return line


def configure_logs(level: str = "info", style: str = "auto") -> None:
    """Write JSON lines, or readable ones on a terminal, to stderr.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        style: ``json``, ``text`` or ``auto``.
    """
    readable = style == "text" or (style == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            _remember,
            structlog.dev.ConsoleRenderer()
            if readable
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            getattr(logging, level.upper(), logging.INFO)
        ),
        logger_factory=structlog.PrintLoggerFactory(
            cast("TextIO", Unfailing(sys.stderr))
        ),
    )
