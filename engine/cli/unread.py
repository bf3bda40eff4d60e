"""A message of many that could not be read: told by its number, not by its content."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import rich_click as click
from typing_extensions import override

from engine.errors import ParseError, TransformError
from engine.hl7 import parse


class Unread(NamedTuple):
    """Which message it is, by its place from 1 on and MSH-10, and why."""

    number: int
    control_id: str
    code: str
    sentence: str

    @override
    def __str__(self) -> str:
        name = f" ({self.control_id})" if self.control_id else ""
        return f"message {self.number}{name}: {self.code}: {self.sentence}"


def unread(number: int, data: bytes, error: ParseError | TransformError) -> Unread:
    """Return what to tell of a message that made this error."""
    code, sentence = "unreadable", str(error)
    if isinstance(error, TransformError):
        code = error.code
    elif error.location:
        sentence += f" at {error.location}"
    return Unread(number, _control_id(data), code, sentence)


def tell(one: Unread) -> None:
    """Print it beside the output."""
    click.echo(f"interop: {one}", err=True)


def _control_id(data: bytes) -> str:
    """Return MSH-10; ``""`` where none can be read."""
    try:
        return parse(data).control_id
    except ParseError:
        return ""


@dataclass(slots=True)
class Aside:
    """The file beside a feed that holds what of it could not be read.

    A message is in it before the load is noted to be past it; one that is read again
    after a crash may be in it twice.
    """

    file: Path
    count: int = 0

    def keep(self, one: Unread, data: bytes) -> None:
        """Tell of a message and write it down as it came, for its owner alone."""
        tell(one)
        self.count += 1
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with os.fdopen(os.open(self.file, flags, 0o600), "ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def aside_of(feed: Path) -> Aside:
    """Return where what cannot be read of a feed is kept."""
    return Aside(feed.with_name(f"{feed.name}.unread"))
