"""Paths such as ``PID-3[2].4.1``: where a value stands in a message."""

import re
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import lru_cache
from typing import Final

from typing_extensions import override

from engine.errors import ParseError

ALL: Final = -1
"""The index written ``*``: every segment, or every repetition."""

_WRITTEN: Final = re.compile(
    r"(?P<segment>[A-Z][A-Z0-9]{2})(?:\[(?P<occurrence>[1-9]\d*|\*)\])?"
    r"(?:-(?P<field>[1-9]\d*)(?:\[(?P<repetition>[1-9]\d*|\*)\])?"
    r"(?:\.(?P<component>[1-9]\d*)(?:\.(?P<subcomponent>[1-9]\d*))?)?)?"
)


@dataclass(frozen=True, slots=True)
class Path:
    """A place in a message; numbers count from 1, 0 means "not written".

    ``occurrence`` and ``repetition`` may be `ALL`. A path that stops above a leaf reads
    the first leaf below it: ``leaf`` is its field, component, subcomponent, repetition.
    """

    segment: str
    occurrence: int = 0
    field: int = 0
    repetition: int = 0
    component: int = 0
    subcomponent: int = 0
    leaf: tuple[int, int, int, int] = dataclass_field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        leaf = (self.component or 1, self.subcomponent or 1, max(self.repetition, 1))
        object.__setattr__(self, "leaf", (self.field, *leaf))

    @override
    def __str__(self) -> str:
        text = self.segment + _index(self.occurrence)
        if self.field:
            text += f"-{self.field}{_index(self.repetition)}"
        if self.component:
            text += f".{self.component}"
        if self.subcomponent:
            text += f".{self.subcomponent}"
        return text


def _index(number: int) -> str:
    return {0: "", ALL: "[*]"}.get(number, f"[{number}]")


@lru_cache(maxsize=4096)
def parse_path(text: str) -> Path:
    """Return the path that ``text`` writes.

    Raises:
        ParseError: the text is not a path.

    Examples:
        >>> parse_path("PID-3[2].4").repetition
        2
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ParseError(f"{text!r} is not an HL7 path")
    parts = found.groupdict()
    numbers = {
        name: ALL if value == "*" else int(value or 0)
        for name, value in parts.items()
        if name != "segment"
    }
    return Path(parts["segment"], **numbers)
