"""A masked message with a few fields visible: what a masking profile shows.

What a profile does not name is covered as by `mask`. Numbers by which somebody is known
outside the hospital, such as a social security number, no profile shows.

Spec:
    security.md S11 (field masking profiles).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from engine.hl7.masking import COVER, Place, changed, mask_value
from engine.hl7.message import Message

_PLACE: Final = re.compile(r"([A-Z][A-Z0-9]{2})-([1-9]\d?)(?:\.([1-9]\d?))?", re.ASCII)
_DATE: Final = re.compile(r"(\d{4})\d*(?:\.\d+)?(?:[+-]\d{4})?", re.ASCII)
_IDENTIFIERS: Final = frozenset({"CX", "CK"})
_UNTYPED: Final = frozenset({("PID", number) for number in (2, 3, 4, 19, 20)})
"""Where a number stands in versions whose identifiers carry no type, or never do."""

_TYPE: Final = 5
NEVER: Final = frozenset({"SS", "NI", "NNUSA", "DL", "PPN", "CC", "BC", "BA", "TAX"})
"""Types of identifiers (HL7 table 0203) that are known outside the hospital."""

Where = tuple[str, int, int]
"""Segment, field and component; component 0 is the whole field."""


@dataclass(frozen=True, slots=True)
class MaskingProfile:
    """Which fields are shown as they came, and of which dates the year alone."""

    shown: frozenset[Where] = frozenset()
    years: frozenset[Where] = frozenset()

    def __bool__(self) -> bool:
        """Whether it shows anything."""
        return bool(self.shown or self.years)

    def __or__(self, other: "MaskingProfile") -> "MaskingProfile":
        return MaskingProfile(self.shown | other.shown, self.years | other.years)


NOTHING: Final = MaskingProfile()


def places(words: Iterable[str]) -> frozenset[Where]:
    """Return the places that paths such as ``PV1-3`` and ``PID-11.4`` name.

    Raises:
        ValueError: with the word that is no such path.
    """
    found = set()
    for word in words:
        read = _PLACE.fullmatch(word)
        if read is None:
            raise ValueError(f"{word!r} is no field: write it like PID-7 or PID-11.4")
        found.add((read[1], int(read[2]), int(read[3] or 0)))
    return frozenset(found)


def mask_by(message: Message, profile: MaskingProfile) -> str:
    """Return the message, segments ended by CR, covered but for what is shown.

    Without anything shown it is `mask`.
    """
    return changed(message, lambda raw, place: _seen(message, profile, raw, place))


def _seen(message: Message, profile: MaskingProfile, raw: str, place: Place) -> str:
    if _names(profile.shown, place) and not _is_known_outside(message, place):
        return raw
    dated = _DATE.fullmatch(raw) if _names(profile.years, place) else None
    return mask_value(raw) if dated is None else dated[1] + COVER * (len(raw) - 4)


def _names(wanted: frozenset[Where], place: Place) -> bool:
    field = place.segment, place.field
    return bool(wanted & {(*field, 0), (*field, place.component or 1)})


def _is_known_outside(message: Message, place: Place) -> bool:
    """Tell whether this is an identifier that no profile shows, or of no known type."""
    field = place.segment, place.field
    if place.field_type not in _IDENTIFIERS:
        return field in _UNTYPED
    segment = message.all(place.segment)[place.nth - 1]
    its_type = segment.positions(place.field)[place.repetition - 1].text(_TYPE)
    return not its_type or its_type.upper() in NEVER
