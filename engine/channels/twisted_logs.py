"""What Twisted logs, as lines of ours: where something failed, never its message.

Spec:
    cli.md 7.3; security.md S24.
"""

import logging
from typing import Final

import structlog
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogBeginner
from twisted.python.failure import Failure
from zope.interface import implementer

_LEVELS: Final = {
    LogLevel.debug: logging.DEBUG,
    LogLevel.info: logging.INFO,
    LogLevel.warn: logging.WARNING,
    LogLevel.error: logging.ERROR,
    LogLevel.critical: logging.CRITICAL,
}


def follow_twisted() -> None:
    """Send what Twisted logs the same way."""
    globalLogBeginner.beginLoggingTo([TwistedLog()], redirectStandardIO=False)


@implementer(ILogObserver)
class TwistedLog:
    """Passes on where something failed and how it is called, never its message.

    The text of an exception may quote what it choked on, and that may be a patient.
    """

    def __init__(self) -> None:
        self._log = structlog.get_logger()

    def __call__(self, event: LogEvent) -> None:
        """Take one event of Twisted's."""
        level = _LEVELS.get(event.get("log_level", LogLevel.info), logging.INFO)
        namespace = str(event.get("log_namespace", ""))
        failure = event.get("log_failure")
        known = namespace.startswith("engine.")
        if not known and level < logging.ERROR and failure is None:
            return
        said = str(event.get("log_format", "")) if known else "twisted"
        self._log.log(level, said, where=namespace, **where(failure))


def where(failure: object) -> dict[str, str]:
    """Return the type of a failure and the place it came from."""
    if not isinstance(failure, Failure):
        return {}
    found = {"error": failure.type.__name__ if failure.type else "unknown"}
    if failure.frames:
        name, file, line, *_ = failure.frames[-1]
        found["at"] = f"{file.rpartition('/')[2]}:{line} {name}"
    return found
