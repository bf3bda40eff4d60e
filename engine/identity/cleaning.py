"""Values of a PID, cleaned so that they can be compared; a placeholder is no value.

Spec:
    identity.md 2.
"""

import re
import unicodedata
from datetime import date
from typing import Final

from anyascii import anyascii

_PLAIN: Final = str.maketrans(
    {chr(code): None for code in range(128) if not chr(code).isalnum()}
    | dict.fromkeys("-./,\t ", " ")
)
_NO_MINUTE: Final = frozenset({"0000", "0001", "1200", "2359"})
_NO_BIRTH: Final = frozenset({"19000101", "19010101", "18000101"})
_NO_SSN: Final = frozenset(
    {"123456789", "123121234", "078051120", "219099999", "987654321", "111223333"}
)
_NO_MAIL: Final = frozenset(
    ("", "declined", "na", "noemail", "nomail", "none", "noreply", "refused", "unknown")
)
_NINE, _FOUR, _TEN, _SHORTEST_PHONE = 9, 4, 10, 7
_LENGTHS: Final = range(7, 13)


def plain(text: str) -> str:
    """Return a name as lower-case ``a-z0-9`` words, respelled where it is not Latin.

    One spelling of each letter, not one for each language: records of one script agree,
    and those of two come near where a language has no spelling of its own.

    Examples:
        >>> plain("O'Brien-Müller "), plain("Щербаков")
        ('obrien muller', 'shcherbakov')
    """
    text = text.lower()
    if not text.isascii():
        text = anyascii(unicodedata.normalize("NFKC", text)).lower()
    if text.isalnum():
        return text
    return " ".join(text.translate(_PLAIN).split())


def clean_birth(text: str) -> str:
    """Return the first eight digits where they are a real, meant date."""
    day = text[:8]
    if len(day) < len("YYYYMMDD") or not day.isdigit() or day in _NO_BIRTH:
        return ""
    try:
        date(int(day[:4]), int(day[4:6]), int(day[6:]))
    except ValueError:
        return ""
    return day


def clean_minute(text: str) -> str:
    """Return hour and minute of a birth; midnight and noon stand for an unknown one.

    Examples:
        >>> clean_minute("202912300412"), clean_minute("202912300000")
        ('0412', '')
    """
    minute = text[8:12]
    if len(minute) < len("HHMM") or not minute.isdigit() or minute in _NO_MINUTE:
        return ""
    real = minute[:2] < "24" and minute[2:] < "60"
    return minute if real and clean_birth(text) else ""


def clean_ssn(text: str) -> tuple[str, str]:
    """Return the number, or ``""``, and its last four digits.

    Nine digits keep the rules of US numbers; national numbers elsewhere have others.

    Examples:
        >>> clean_ssn("***-**-5068")
        ('', '5068')
    """
    number = "".join(letter for letter in text if letter.isdigit())
    if len(number) == _FOUR:
        return "", number
    if len(number) not in _LENGTHS or len(set(number)) == 1 or number in _NO_SSN:
        return "", ""
    if len(number) == _NINE and number[:3] in {"000", "666"}:
        return "", ""
    return number, number[-_FOUR:]


def clean_phone(text: str) -> str:
    """Return the last ten digits; ``""`` for what nobody answers."""
    number = "".join(filter(str.isdigit, re.split("[xX]", text, maxsplit=1)[0]))
    number = number[-_TEN:]
    if len(number) < _SHORTEST_PHONE or len(set(number)) <= 2:  # noqa: PLR2004 - digits
        return ""
    return number


def clean_email(text: str) -> str:
    """Return an address in lower case; ``""`` for one that stands for having none."""
    whole = text.strip().lower()
    name, _, place = whole.partition("@")
    words = ("".join(filter(str.isalnum, each)) for each in (name, place.split(".")[0]))
    return "" if not _NO_MAIL.isdisjoint(words) else whole
