"""An alternative to the score: combinations of traits that are enough by themselves.

The rules are those of the CMS Patient Matching Proposal 3.4.0, table 2, category 1, as
far as a registration carries their fields: names, date of birth, street line with ZIP,
phone, e-mail and the last four digits of the SSN. Rows that need an ITIN, a legal, a
Medicare or a payer's number are left out; numbers of one authority are found before
anything is compared. Each row has its chance of collision, which is what the bits are
made of.
"""

from math import log2
from typing import Final, NamedTuple

from rapidfuzz.distance import OSA

from engine.identity.similarity import Levels, Nicknames
from engine.identity.traits import Traits

_SHORTEST_FUZZY: Final = 5
_POSSIBLE, _NOTHING = 0.0, -20.0


class Rule(NamedTuple):
    """An approved combination: fields that agree, those that may be one slip apart.

    ``exact`` and ``fuzzy`` are the chances that two people agree by accident.
    """

    number: str
    fields: tuple[str, ...]
    lenient: frozenset[str]
    exact: float
    fuzzy: float


def _rule(number: str, fields: str, exact: float, fuzzy: float = 0.0) -> Rule:
    """Return a rule; a star after a field allows one slip."""
    named = fields.split()
    lenient = frozenset(each[:-1] for each in named if each.endswith("*"))
    return Rule(number, tuple(each.strip("*") for each in named), lenient, exact, fuzzy)


RULES: Final = (
    _rule("02", "given family* birth phone", 1e-14, 2e-14),
    _rule("03", "given* family* birth email", 1e-14, 3e-14),
    _rule("01", "given* family* birth street*", 3e-13, 9e-13),
    _rule("04", "given* family birth last-four", 1e-12, 2e-12),
    _rule("05", "given family* birth last-four", 1e-12, 2e-12),
    _rule("11", "given birth phone", 2e-12),
    _rule("12", "given birth email", 2e-12),
    _rule("13", "given phone last-four", 2e-12),
    _rule("15", "given email last-four", 2e-12),
)
"""The least likely to be an accident first; dates of birth are compared exactly."""


class Verdict(NamedTuple):
    """The rule that fits, None for none, and its bits among so many records."""

    rule: Rule | None
    bits: float


def verdict(
    one: Traits, other: Traits, levels: Levels, nicknames: Nicknames, records: int
) -> Verdict:
    """Return which rule makes two records one person, if any does.

    Names and date of birth alone are worth a question, and so is a rule that suffix or
    SSN speak against.
    """
    agreed = _agreed(one, other, nicknames)
    found = next((rule for rule in RULES if _fits(rule, agreed)), None)
    named = all(agreed.get(field) for field in ("given", "family", "birth"))
    if found is None or _against(levels):
        return Verdict(None, _POSSIBLE if found or named else _NOTHING)
    slip = any(agreed[field] == "fuzzy" for field in found.fields)
    chance = found.fuzzy if slip else found.exact
    return Verdict(found, -log2(chance) - log2(max(records, 1)))


def _fits(rule: Rule, agreed: dict[str, str]) -> bool:
    return all(
        agreed.get(field) == "exact"
        or (field in rule.lenient and agreed.get(field) == "fuzzy")
        for field in rule.fields
    )


def _against(levels: Levels) -> bool:
    return levels.get("suffix") == "no" or levels.get("ssn") in {"d1", "d2", "no"}


def _agreed(one: Traits, other: Traits, nicknames: Nicknames) -> dict[str, str]:
    """Return by field ``exact``, ``fuzzy`` or ``""``."""
    short_form = other.given in nicknames.get(one.given, ())
    place = (
        f"{one.number} {one.street}".strip(),
        f"{other.number} {other.street}".strip(),
    )
    return {
        "given": "exact" if short_form else _alike(one.given, other.given),
        "family": _alike(one.family, other.family),
        "birth": _same(one.birth, other.birth),
        "phone": _same(one.phone, other.phone),
        "email": _same(one.email, other.email),
        "last-four": _same(one.last_four, other.last_four),
        "street": _alike(*place) if _same(one.zip5, other.zip5) else "",
    }


def _same(one: str, other: str) -> str:
    return "exact" if one and one == other else ""


def _alike(one: str, other: str) -> str:
    if not one or not other or one == other:
        return _same(one, other)
    long = min(len(one), len(other)) >= _SHORTEST_FUZZY
    near = long and OSA.distance(one, other, score_cutoff=1) <= 1
    return "fuzzy" if near else ""
