"""Logs of the engine's processes: JSON lines on stderr, event names, never content.

Spec:
    cli.md 7.3; security.md S24.
"""

import logging
import sys

import structlog


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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
