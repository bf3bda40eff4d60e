"""How far two records agree, trait by trait: the first level that fits.

Spec:
    identity.md 4.
"""

from collections.abc import Callable, Mapping
from typing import Final

from rapidfuzz.distance import OSA, JaroWinkler

from engine.identity.traits import Kind, Traits

Nicknames = Mapping[str, frozenset[str]]
"""Each name with the names that stand for it, both ways."""
Levels = dict[str, str]
"""Level by trait; a trait missing on either side is left out."""

_alike = JaroWinkler.similarity
_distance = OSA.distance
_CLIPPED: Final = 3


def compare(one: Traits, other: Traits, nicknames: Nicknames) -> Levels:
    """Return the level of each trait that both records carry."""
    levels = _names(one, other, nicknames)
    if one.birth and other.birth:
        levels["birth"] = _birth(one.birth, other.birth)
    if one.last_four and other.last_four:
        levels["ssn"] = _ssn(one, other)
    if level := _address(one, other):
        levels["address"] = level
    if one.phone and other.phone:
        levels["phone"] = _phone(one.phone, other.phone)
    for trait, left, right in (
        ("sex", one.sex, other.sex),
        ("suffix", one.suffix, other.suffix),
        ("email", one.email, other.email),
    ):
        if left and right:
            levels[trait] = "eq" if left == right else "no"
    return levels | _birth_facts(one, other)


def _names(one: Traits, other: Traits, nicknames: Nicknames) -> Levels:
    levels: Levels = {}
    if one.given and other.given:
        level = _given(one, other, nicknames)
        swaps = _goes_by_middle(one, other) or _goes_by_middle(other, one)
        levels["given"] = "midi" if level == "no" and swaps else level
    if one.family and other.family:
        levels["family"] = _family(one, other)
        if Kind.UNNAMED in {one.kind, other.kind}:
            _call_by_parents(levels)
        elif levels["family"] == "no":
            levels |= _other_family(one, other, levels.get("given", ""))
    if level := _middles(one, other, levels.get("given", "")):
        levels["middle"] = level
    return levels


def _other_family(one: Traits, other: Traits, given: str) -> Levels:
    """Return what another family name is: exchanged and misspelt, married, or not."""
    if given == "no" and _are_crosswise(one, other):
        return {"given": "swapjw", "family": "swapjw"}
    return {} if "M" in one.sex + other.sex else {"family": "new"}


def _are_crosswise(one: Traits, other: Traits) -> bool:
    """Whether each given name is nearly the other's family name."""
    return (
        _family_spelling(one.given, other.family)
        != "no"
        != _family_spelling(one.family, other.given)
    )


def _call_by_parents(levels: Levels) -> None:
    """Weigh another family name as what it is where a newborn has no name yet.

    It is written under its mother's or its father's.
    """
    levels["newborn"] = "no" if levels["family"] == "no" else "eq"
    if levels["family"] == "no":
        del levels["family"]


def _middles(one: Traits, other: Traits, given: str) -> str:
    """Return the level of the middle names.

    Where one stands as given name they are compared crosswise, and only speak against.
    """
    if given not in {"mid", "midi"}:
        return _middle(one.middle, other.middle) if one.middle and other.middle else ""
    if not (one.middle and other.middle):
        return ""
    crossed = (_middle(one.given, other.middle), _middle(other.given, one.middle))
    return "no" if "no" in crossed else ""


def _given(one: Traits, other: Traits, nicknames: Nicknames) -> str:
    left, right = one.given, other.given
    if left == right:
        return "eq"
    if right in nicknames.get(left, ()):
        return "nick"
    if min(len(left), len(right)) == 1:
        return "init" if left[0] == right[0] else "no"
    if left == other.family and right == one.family:
        return "swap"
    if _is_called(left, other.middle, nicknames) or _is_called(
        right, one.middle, nicknames
    ):
        return "mid"
    return _spelling_of_given(left, right)


def _is_called(name: str, middle: str, nicknames: Nicknames) -> bool:
    return bool(middle) and (name == middle or middle in nicknames.get(name, ()))


def _spelling_of_given(left: str, right: str) -> str:
    alike = _alike(left, right)
    if alike >= 0.92:  # noqa: PLR2004 - the levels are named after their limits
        return "jw92"
    if alike >= 0.84 or _distance(left, right, score_cutoff=1) <= 1:  # noqa: PLR2004
        return "jw84"
    short, long = sorted((left, right), key=len)
    clipped = len(short) == _CLIPPED and long.startswith(short)
    return "jw84" if clipped else "no"


def _goes_by_middle(one: Traits, other: Traits) -> bool:
    """Whether a middle initial is that of the other's given name, nothing against."""
    return len(other.middle) == 1 and (
        one.given[0] == other.middle
        and (not one.middle or one.middle[0] == other.given[0])
    )


def _family(one: Traits, other: Traits) -> str:
    left, right = one.family, other.family
    if left == right:
        return "eq"
    compound = " " in left or " " in right
    if compound and not set(left.split()).isdisjoint(right.split()):
        return "tok"
    if left == other.given and right == one.given:
        return "swap"
    return _family_spelling(left, right)


def _family_spelling(left: str, right: str) -> str:
    alike = _alike(left, right)
    if alike >= 0.92:  # noqa: PLR2004 - the levels are named after their limits
        return "jw92"
    if alike >= 0.86 or _distance(left, right, score_cutoff=1) <= 1:  # noqa: PLR2004
        return "jw84"
    return "no"


_BIRTH: Final[tuple[tuple[str, Callable[[str, str], bool]], ...]] = (
    ("eq", lambda a, b: a == b),
    ("swap", lambda a, b: a[:4] == b[:4] and a[4:] == b[6:] + b[4:6]),
    ("d1", lambda a, b: _distance(a, b, score_cutoff=1) <= 1),
    ("md", lambda a, b: a[4:] == b[4:]),
    ("y01", lambda a, b: a[:4] == b[:4] and "0101" in {a[4:], b[4:]}),
    ("y1", lambda a, b: a[:4] == b[:4] and (a[4:6] == b[4:6] or a[6:] == b[6:])),
    ("d2", lambda a, b: _distance(a, b, score_cutoff=2) <= 2),  # noqa: PLR2004
)


def _birth(left: str, right: str) -> str:
    return next((level for level, fits in _BIRTH if fits(left, right)), "no")


def _ssn(one: Traits, other: Traits) -> str:
    if one.ssn and other.ssn:
        if one.ssn == other.ssn:
            return "eq"
        apart = _distance(one.ssn, other.ssn, score_cutoff=2)
        return {1: "d1", 2: "d2"}.get(apart, "no")
    return "s4" if one.last_four == other.last_four else "s4no"


def _address(one: Traits, other: Traits) -> str:
    if one.street and other.street and (level := _street(one, other)):
        return level
    if one.zip5 and one.zip5 == other.zip5:
        return "zip"
    if one.city and (one.city, one.state) == (other.city, other.state):
        return "city"
    both = (
        (one.street and other.street)
        or (one.zip5 and other.zip5)
        or (one.city and other.city)
    )
    return "no" if both else ""


def _street(one: Traits, other: Traits) -> str:
    """Return the level of two streets; ``""`` where they do not agree."""
    if one.street == other.street:
        if one.number == other.number:
            return "eq"
        if one.number and other.number and _distance(one.number, other.number) <= 1:
            return "near"
        return "street"
    if one.number and one.number == other.number:
        alike = _alike(one.street, other.street)
        return "near" if alike >= 0.88 else ""  # noqa: PLR2004 - identity.md 4
    return ""


def _birth_facts(one: Traits, other: Traits) -> Levels:
    """Return what tells a child from those born with it: mother, order, minute."""
    levels: Levels = {}
    if level := _multiple(one, other):
        levels["multiple"] = level
    if one.mother and other.mother and _issuer(one) == _issuer(other):
        levels["mother"] = "eq" if one.mother == other.mother else "no"
    if one.minute and other.minute and one.birth == other.birth:
        levels["minute"] = "eq" if one.minute == other.minute else "no"
    return levels


def _issuer(traits: Traits) -> str:
    """Return who gave the mother's number: numbers of two issuers say nothing."""
    return traits.mother.partition("|")[0]


def _multiple(one: Traits, other: Traits) -> str:
    """Return what is said of a multiple birth; ``""`` where neither side says it.

    An unnamed newborn without a mark says something: twins are marked by custom.
    """
    if one.order and other.order:
        return "eq" if one.order == other.order else "no"
    said = {one.multiple, other.multiple}
    if said == {"N"}:
        return "single"
    if "Y" in said:
        return "one"
    return "none" if Kind.UNNAMED in {one.kind, other.kind} else ""


def _phone(left: str, right: str) -> str:
    if left == right:
        return "eq"
    return "d1" if _distance(left, right, score_cutoff=1) <= 1 else "no"


def _middle(left: str, right: str) -> str:
    if left == right and len(left) > 1:
        return "eq"
    if min(len(left), len(right)) == 1:
        return "init" if left[0] == right[0] else "no"
    return "jw" if _alike(left, right) >= 0.85 else "no"  # noqa: PLR2004 - identity.md 4
