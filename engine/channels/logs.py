"""Logs of the engine's processes: JSON lines on stderr, event names, never content.

Spec:
    cli.md 7.3; security.md S24.
"""

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog


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
