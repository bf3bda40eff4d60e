"""Two values side by side: which characters differ, for the eye and in words.

Spec:
    console.md S6 (values with differing characters marked).
"""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

ALIKE: Final = 0.6
"""Below this share of equal characters, two values are simply others."""

LONGEST: Final = 4
"""More characters than these in one place are marked, but not spelt out."""

MOST: Final = 2
"""More places than these are no slip of a finger."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a value, and what stands in its place in the other value."""

    text: str
    other: str

    @property
    def differs(self) -> bool:
        """Return whether the two say something else here."""
        return self.text != self.other

    @property
    def is_long(self) -> bool:
        """Return whether it is easier looked at than read out."""
        return max(len(self.text), len(self.other)) > LONGEST

    @property
    def in_words(self) -> str:
        """Return how this piece differs.

        Examples:
            >>> Part("y", "i").in_words, Part("", "h").in_words
            ('“y” for “i”', 'without “h”')
        """
        if not self.text:
            return f"without {_quoted(self.other)}"
        if not self.other:
            return f"with {_quoted(self.text)}"
        return f"{_quoted(self.text)} for {_quoted(self.other)}"


def parts_of(value: str, beside: str) -> tuple[Part, ...]:
    """Return a value in pieces; those that differ from the value beside it are marked.

    Joined, the pieces are the value; their counterparts the other one.

    Examples:
        >>> [each.text for each in parts_of("Smyth", "Smith") if each.differs]
        ['y']
    """
    matcher = SequenceMatcher(None, beside, value, autojunk=False)
    found = tuple(
        Part(value[new:new_end], beside[old:old_end])
        for _, old, old_end, new, new_end in matcher.get_opcodes()
    )
    differing = sum(each.differs for each in found)
    if differing > MOST or matcher.ratio() < ALIKE:
        return (Part(value, beside),)
    return found


def in_words(parts: tuple[Part, ...]) -> str:
    """Return how a value differs from the one beside it; "" where that says nothing.

    Examples:
        >>> in_words(parts_of("1980-02-29", "1980-03-29"))
        '“2” for “3”'
        >>> in_words(parts_of("Ann", "Bob"))
        ''
    """
    found = [each for each in parts if each.differs]
    if len(parts) == 1 or any(each.is_long for each in found):
        return ""
    return ", ".join(each.in_words for each in found)


def _quoted(text: str) -> str:
    return "a space" if text == " " else f"“{text}”"
