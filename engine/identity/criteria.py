"""What a demographics query asks for, and which records fit.

Spec:
    identity.md 11 (ITI-21, ITI-78).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from engine.identity.cleaning import clean_birth, clean_phone, clean_ssn, plain
from engine.identity.traits import Traits

WILD: Final = "*"
_NAMES: Final = frozenset({"given", "middle", "family", "city", "state", "street"})
_PLACES: Final = {trait: place for place, trait in enumerate(Traits._fields)}
_DIGITS: Final = re.compile(r"[\d*]*", re.ASCII)


@dataclass(frozen=True)
class Criteria:
    """Wanted traits by name; ``*`` stands for any letters. All of them must fit.

    ``born`` are the first and last birth dates allowed, ``YYYYMMDD``, ``""`` for open
    ends.
    """

    wanted: Mapping[str, str] = field(default_factory=dict)
    born: tuple[str, str] = ("", "")

    def exact(self, trait: str) -> str:
        """Return the wanted value where it is one without ``*``, else ``""``."""
        value = self.wanted.get(trait, "")
        return "" if WILD in value else value

    @cached_property
    def _exact(self) -> tuple[tuple[int, str], ...]:
        """Places of traits and what stands there."""
        return tuple(
            (_PLACES[trait], value)
            for trait, value in self.wanted.items()
            if WILD not in value
        )

    @cached_property
    def _patterns(self) -> tuple[tuple[int, re.Pattern[str]], ...]:
        """Places of traits and what they must look like."""
        return tuple(
            (_PLACES[trait], pattern_of(value))
            for trait, value in self.wanted.items()
            if WILD in value
        )

    def fits(self, traits: Traits) -> bool:
        """Whether a record has everything that is wanted."""
        first, last = self.born
        if first and not first <= traits.birth:
            return False
        if last and not "" < traits.birth <= last:
            return False
        for place, value in self._exact:
            if traits[place] != value:
                return False
        return all(wanted.fullmatch(traits[place]) for place, wanted in self._patterns)

    def as_traits(self) -> Traits:
        """Return the values without ``*`` as traits, to be scored with."""
        exact = {trait: self.exact(trait) for trait in self.wanted}
        ssn = exact.get("ssn", "")
        return Traits(**exact)._replace(last_four=exact.get("last_four") or ssn[-4:])


def pattern_of(value: str) -> re.Pattern[str]:
    """Return the expression for a value with ``*``; runs of stars count as one."""
    parts = map(re.escape, re.split(r"\*+", value))
    return re.compile(".*".join(parts) if value.count(WILD) < len(value) else ".+")


def cleaned(trait: str, text: str) -> str | None:
    """Return a wanted value as the index writes it; None where it can be nobody's.

    Examples:
        >>> cleaned("family", "O'Bri*")
        'obri*'
        >>> cleaned("birth", "1980-13-01") is None
        True
    """
    found = _cleaned(trait, text.strip())
    return found or None


def _cleaned(trait: str, text: str) -> str:
    if trait in _NAMES:
        return WILD.join(_words(text))
    if trait == "birth":
        return _birth(text.replace("-", ""))
    if trait == "sex":
        return {"M": "M", "F": "F", "MALE": "M", "FEMALE": "F"}.get(text.upper(), "")
    if trait == "ssn":
        return clean_ssn(text)[0]
    if trait == "phone":
        return clean_phone(text)
    return text.lower() if trait == "email" else text


def _words(text: str) -> Iterator[str]:
    """Clean what stands between stars, and keep a blank beside a star as it was."""
    parts = text.split(WILD)
    for place, part in enumerate(parts):
        word = plain(part)
        if word and part[:1].isspace() and place > 0:
            word = " " + word
        if word and part[-1:].isspace() and place < len(parts) - 1:
            word += " "
        yield word


def _birth(text: str) -> str:
    """Return a whole date; of a year or a month, its beginning and a star."""
    if WILD in text or len(text) in {len("YYYY"), len("YYYYMM")}:
        stem = text.split(WILD, maxsplit=1)[0]
        return stem + WILD if stem and _DIGITS.fullmatch(text) else ""
    return clean_birth(text)
