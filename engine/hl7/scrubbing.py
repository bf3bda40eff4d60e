"""A message without the person it is about: every replacement is told.

What `masking` would cover is replaced: names and numbers by pseudonyms, the same for
the same; dates by dates as many days earlier, so that intervals stay; text by its
shape. Numbers measured stay.

Spec:
    security.md S45.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from engine.hl7.escapes import decode, encode
from engine.hl7.masking import Place, changed
from engine.hl7.message import Message
from engine.hl7.path import parse_path

Pseudonym = Callable[[str], str]
"""From a word to 16 letters that nobody can turn back without the key."""

TEXT: Final = "text"
_NAMES: Final = {"XPN": (1, 2, 3), "PN": (1, 2, 3), "XCN": (2, 3, 4), "CNN": (2, 3, 4)}
_NUMBERS: Final = {"CX": (1,), "XCN": (1,), "CNN": (1,), "EI": (1,), "XON": (3, 10)}
_DATE: Final = re.compile(
    r"(\d{4})(\d{2})(\d{2})((?:\d{2}){0,3}(?:\.\d{1,4})?(?:[+-]\d{4})?)"
)
_MEASURED: Final = re.compile(r"[<>]?=?[-+]?\d{1,7}(\.\d{1,6})?")
_CONTROL_ID: Final = parse_path("MSH-10")
_BIRTH: Final = ("PID", 7)
_OLDEST: Final = 89
"""Years: who is older is as old as this and one, 45 CFR 164.514(b)(2)(i)(C)."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """One replaced value; ``kind`` is name, number, date or text."""

    path: str
    kind: str
    before: str
    after: str


def scrub(
    message: Message, pseudonym: Pseudonym, keep: Collection[str] = ()
) -> tuple[str, list[Replacement]]:
    """Return the message, segments ended by CR, and what was replaced in it.

    Args:
        message: what came.
        pseudonym: see `Pseudonym`.
        keep: paths of text that a person has read and found harmless.
    """
    person = pseudonym(f"days|{message['PID-3.1']}")
    days = 1 + int.from_bytes(person.encode()) % 365
    sent = message["MSH-7"][:4]
    year = int(sent) if sent.isdecimal() else 0
    told: list[Replacement] = []
    renamed = _renamed(message, pseudonym, told)

    def cover(raw: str, place: Place) -> str:
        text = decode(raw, message.delimiters)
        kind, after = _replaced(text, place, pseudonym, days)
        if kind == "date" and (place.segment, place.field) == _BIRTH:
            after = _not_too_old(text, after, year)
        if after == text or (kind == TEXT and place.path in keep):
            return raw
        told.append(Replacement(place.path, kind, text, after))
        return encode(after, message.delimiters)

    return changed(renamed, cover), told


def _renamed(
    message: Message, pseudonym: Pseudonym, told: list[Replacement]
) -> Message:
    """Return a copy whose control id leads nobody back to the message."""
    copy, before = message.copy(), message["MSH-10"]
    if before:
        after = pseudonym(f"control|{before}")[:10]
        copy.set_text(_CONTROL_ID, after)
        told.append(Replacement("MSH-10", "number", before, after))
    return copy


def _replaced(
    text: str, place: Place, pseudonym: Pseudonym, days: int
) -> tuple[str, str]:
    number = place.component or 1
    if number in _NAMES.get(place.field_type, ()):
        return "name", pseudonym(f"name|{text.casefold()}")[:8].title()
    if number in _NUMBERS.get(place.field_type, ()):
        return "number", "P" + pseudonym(f"number|{text}")[:9]
    if place.is_observed and _MEASURED.fullmatch(text):
        return "measured", text
    if (found := _DATE.fullmatch(text)) and (earlier := _earlier(found, days)):
        return "date", earlier
    return TEXT, "".join(
        "0" if one.isdigit() else "X" if one.isalpha() else one for one in text
    )


def _earlier(found: re.Match[str], days: int) -> str:
    """Return a date so many days earlier, with its time as it was; or nothing."""
    try:
        day = date(int(found[1]), int(found[2]), int(found[3])) - timedelta(days=days)
    except (ValueError, OverflowError):
        return ""
    return f"{day:%Y%m%d}{found[4]}"


def _not_too_old(before: str, after: str, year: int) -> str:
    """Return a birth date that tells no age above 89."""
    if year - int(before[:4]) <= _OLDEST:
        return after
    return f"{year - _OLDEST - 1:04}0101"
