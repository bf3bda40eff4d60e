"""What is known of one patient in one system, cleaned so that it can be compared.

Spec:
    identity.md 2.
"""

import re
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from engine.hl7.delimiters import Delimiters
from engine.hl7.segment import Repetition, Segment
from engine.identity.cleaning import (
    clean_birth,
    clean_email,
    clean_minute,
    clean_phone,
    clean_ssn,
    plain,
)

TEST_NAMES: Final = ("ZZTEST",)
_SEPARATOR: Final = "\x1f"
_NEWBORN_DAYS: Final = 30


class Kind(StrEnum):
    """How far a record may be compared with others."""

    ORDINARY = "ordinary"
    UNNAMED = "unnamed"
    UNIDENTIFIED = "unidentified"
    TEST = "test"
    REMOVED = "removed"
    """Its system says that there is no such patient (A29); nothing is erased."""


ISOLATED: Final = frozenset({Kind.UNIDENTIFIED, Kind.TEST, Kind.REMOVED})
"""Records that are never compared with others."""


class Traits(NamedTuple):
    """Cleaned values; ``""`` is missing, a placeholder counts as missing.

    ``ssn`` has seven to twelve digits, ``last_four`` also stands where only four are
    known;
    ``birth`` and ``death`` are ``YYYYMMDD``; ``death`` may be ``Y`` without a date;
    ``minute`` is ``HHMM`` of the birth; ``multiple`` is ``Y``, or ``N`` for a child
    born alone.
    """

    given: str = ""
    middle: str = ""
    family: str = ""
    suffix: str = ""
    birth: str = ""
    sex: str = ""
    ssn: str = ""
    last_four: str = ""
    number: str = ""
    street: str = ""
    city: str = ""
    state: str = ""
    zip5: str = ""
    phone: str = ""
    email: str = ""
    mother: str = ""
    multiple: str = ""
    order: str = ""
    death: str = ""
    kind: str = Kind.ORDINARY
    minute: str = ""

    @property
    def identifying(self) -> str:
        """What a decision rests on: a change of it asks the question anew."""
        return _SEPARATOR.join(
            (self.given, self.family, self.birth, self.sex, self.ssn, self.kind)
        )

    @property
    def isolated(self) -> bool:
        """Whether the record is never compared."""
        return self.kind in ISOLATED

    @property
    def removed(self) -> bool:
        """Whether its system says that there is no such patient."""
        return self.kind == Kind.REMOVED

    def packed(self) -> str:
        """Return one text that `unpacked` reads again; a last missing value is cut."""
        return _SEPARATOR.join(self if self.minute else self[:-1])


def unpacked(text: str) -> Traits:
    """Return the traits that `Traits.packed` wrote."""
    return Traits(*text.split(_SEPARATOR))


def traits_of(
    pid: Segment, happened: str = "", test_names: tuple[str, ...] = TEST_NAMES
) -> Traits:
    """Return the cleaned traits of one PID segment.

    Args:
        pid: the segment.
        happened: when the event was, at least ``YYYYMMDD``; a child born within 30
            days before it may be a newborn without a name.
        test_names: beginnings of the family names of test patients.
    """
    found = _cleaned(pid.encoded, pid.delimiters, pid.codec)
    return _with_kind(found, happened, test_names)


@lru_cache(maxsize=4_096)
def _cleaned(text: str, delimiters: Delimiters, codec: str) -> Traits:
    """Return the traits but for their kind; the PID of a stay is sent many times."""
    pid = Segment(text, delimiters, codec)
    family, given, middle, suffix = _name(pid)
    ssn, last_four = _ssn(pid)
    phone, email = _telecom(pid)
    return Traits(
        given,
        middle,
        family,
        suffix,
        clean_birth(pid.text(7)),
        _SEX.get(pid.text(8).strip().upper(), ""),
        ssn,
        last_four,
        *_address(pid),
        phone,
        email,
        _mother(pid),
        _YES_NO.get(pid.text(24).strip().upper(), ""),
        pid.text(25).strip(),
        clean_birth(pid.text(29)) or ("Y" if pid.text(30).upper() == "Y" else ""),
        minute=clean_minute(pid.text(7)),
    )


def updated(known: Traits, news: Traits) -> Traits:
    """Return ``known`` with what ``news`` carries: a missing value wipes nothing.

    Name and address are replaced as wholes, so that no mixture of two arises. Whether
    there is such a patient the news alone tell.
    """
    merged = [new or old for new, old in zip(news, known, strict=True)]
    if news.given and known.given and news.given != known.given:
        merged[1] = news.middle
    if news.street or news.city or news.zip5:
        merged[8:13] = news[8:13]
    if news.ssn or (news.last_four and news.last_four != known.last_four):
        merged[6:8] = news[6:8]
    if news.birth and not news.minute and news.birth != known.birth:
        merged[-1] = ""
    kind = known.kind
    if Kind.REMOVED in {known.kind, news.kind}:
        kind = news.kind
    elif merged[0] and news.kind == Kind.UNNAMED:
        kind = Kind.ORDINARY
    elif news.given or news.family:
        kind = news.kind
    return Traits(*merged)._replace(kind=kind)


# -- names -----------------------------------------------------------------------------

_SUFFIXES: Final = {
    "jr": "jr", "junior": "jr", "sr": "sr", "senior": "sr", "ii": "ii", "2nd": "ii",
    "iii": "iii", "3rd": "iii", "iv": "iv", "4th": "iv",
}  # fmt: skip


def _name(pid: Segment) -> tuple[str, str, str, str]:
    """Return family, given, middle and suffix of the legal name."""
    names = pid.repetitions(5)
    if not names:
        return "", "", "", ""
    name = next((each for each in names if each.text(7) in {"", "L"}), names[0])
    family, given, middle = (
        plain(name.text(1)),
        plain(name.text(2)),
        plain(name.text(3)),
    )
    suffix = _SUFFIXES.get(plain(name.text(4)), "")
    head, _, last = family.rpartition(" ")
    if head and last in _SUFFIXES:
        family, suffix = head, suffix or _SUFFIXES[last]
    return family, given, middle, suffix


# -- birth, sex, numbers ---------------------------------------------------------------

_SEX: Final = {"M": "M", "F": "F"}
_YES_NO: Final = {"Y": "Y", "N": "N"}


def _ssn(pid: Segment) -> tuple[str, str]:
    found = clean_ssn(pid.text(19))
    if any(found):
        return found
    numbers = (each for each in pid.repetitions(3) if each.text(5) == "SS")
    return next((clean_ssn(each.text()) for each in numbers), ("", ""))


def _telecom(pid: Segment) -> tuple[str, str]:
    """Return the first phone and the first address of electronic mail."""
    phone = email = ""
    for each in (*pid.repetitions(13), *pid.repetitions(14)):
        first = each.text()
        mail = each.text(4) or (first if "@" in first else "")
        email = email or clean_email(mail)
        if not mail and not phone:
            phone = clean_phone(first or each.text(6) + each.text(7) or each.text(12))
    return phone, email


def _mother(pid: Segment) -> str:
    found = pid.first(21)
    if found is None or not found.text():
        return ""
    return f"{found.text(4) or found.text(4, 2)}|{found.text().strip()}"


# -- addresses -------------------------------------------------------------------------

_SHORT: Final = {
    "street": "st", "avenue": "ave", "av": "ave", "road": "rd", "drive": "dr",
    "lane": "ln", "court": "ct", "place": "pl", "circle": "cir", "boulevard": "blvd",
    "terrace": "ter", "parkway": "pkwy", "highway": "hwy", "square": "sq",
    "trail": "trl", "plaza": "plz", "point": "pt", "north": "n", "south": "s",
    "east": "e", "west": "w", "northeast": "ne", "northwest": "nw",
    "southeast": "se", "southwest": "sw", "mount": "mt", "fort": "ft", "saint": "st",
}  # fmt: skip
_UNITS: Final = re.compile(r"(?:#|\b(?:apt|unit|ste|suite|rm|room|lot|bldg)\b).*")
_ZIP, _NO_ZIP = (4, 5), frozenset({"0000", "00000", "9999", "99999", "12345"})
_HOUSE: Final = re.compile(r"(\d+[a-z]?) +(.+)")


def _address(pid: Segment) -> tuple[str, str, str, str, str]:
    """Return house number, street, city, state and five digits of the ZIP."""
    places = pid.repetitions(11)
    if not places:
        return "", "", "", "", ""
    place = next((each for each in places if each.text(7) in {"", "H", "L"}), places[0])
    number, street = _house(place)
    code = place.text(5).strip()[:5]
    return (
        number,
        street,
        plain(place.text(3)),
        plain(place.text(4)),
        code if len(code) in _ZIP and code.isdigit() and code not in _NO_ZIP else "",
    )


def _house(place: Repetition) -> tuple[str, str]:
    line = f"{place.text(1, 3)} {place.text(1, 2)}".strip() or place.text(1)
    line = plain(_UNITS.sub("", line.lower()))
    found = _HOUSE.fullmatch(line)
    number, street = found.groups() if found else ("", line)
    return number, " ".join(_SHORT.get(word, word) for word in street.split())


# -- kinds of record -------------------------------------------------------------------

_NEWBORN: Final = re.compile(
    r"(?:baby|bb|bg|nb|boy|girl|newborn|infant|neonate|twin)(?: .*)?"
    r"|(?:baby|newborn|infant)?(?:boy|girl)[a-d1-4]?(?: .*)?|.{2,}s(?:boy|girl)"
)
_NOBODY: Final = frozenset({"unknown", "unk", "unidentified", "trauma"})
_DOE: Final = frozenset({"john", "jane", "jon", "johnny", "janie", ""})
_CODE_NAMES: Final = frozenset(
    {"alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "zulu", "doe"}
)


def _with_kind(found: Traits, happened: str, test_names: tuple[str, ...]) -> Traits:
    """Return the traits with their kind; a kind needs the name and more facts."""
    facts = (
        (not found.last_four) + (not found.birth) + (not (found.street + found.zip5))
    )
    if any(found.family.upper().startswith(each) for each in test_names) and (
        facts or found.family.startswith("zz")
    ):
        return found._replace(kind=Kind.TEST)
    if _NEWBORN.fullmatch(found.given) and (facts or _new_born(found.birth, happened)):
        return _unnamed(found)
    nobodies = (found.given in _NOBODY) + (found.family in _NOBODY)
    code_name = found.family in _CODE_NAMES and found.given in (_DOE | _NOBODY)
    if nobodies + code_name and facts >= (1 if nobodies + code_name > 1 else 2):
        return found._replace(kind=Kind.UNIDENTIFIED)
    return found._replace(given="") if found.given in _NOBODY else found


_LETTER: Final = re.compile(
    r"(?:boy|girl|baby|bb|bg|nb|newborn|infant|twin) ?([a-d1-4])\b"
)


def _unnamed(found: Traits) -> Traits:
    """Return a newborn's traits; "boy A" is the first of several born together."""
    placed = _LETTER.search(found.given)
    order = found.order
    if placed and not order:
        letter = placed[1]
        order = letter if letter.isdigit() else str("abcd".index(letter) + 1)
    multiple = "Y" if order else found.multiple
    return found._replace(
        given="", middle="", kind=Kind.UNNAMED, order=order, multiple=multiple
    )


def _new_born(birth: str, happened: str) -> bool:
    """Whether the birth was within 30 days before the event."""
    day = clean_birth(happened)
    if not birth or not day:
        return False
    born, seen = (date(int(v[:4]), int(v[4:6]), int(v[6:])) for v in (birth, day))
    return 0 <= (seen - born).days <= _NEWBORN_DAYS
