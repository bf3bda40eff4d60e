"""Values that too many people share to mean anything, and which no list knows.

The address of a home for the aged, the telephone of the desk, the SSN a clerk types to
get on. Whatever a decision finds crowded is left out of it; a number that is a
placeholder beyond doubt is learned, and counts for nobody from then on.

Spec:
    identity.md 2, "placeholders are learned too"; 14 (M15).
"""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from engine.identity.blocking import hashed, number_texts
from engine.identity.index import PatientIndex, SourceRecord
from engine.identity.traits import Traits

_NEIGHBOURS, _OWNERS, _CALLERS = 12, 3, 50
"""More persons than these at one place or telephone crowd a decision; more family names
and birth dates with one SSN, more persons with one telephone make it a placeholder."""
_NOTHING: Final = {"ssn": {"ssn": "", "last_four": ""}, "phone": {"phone": ""}}


NUMBERS: Final = tuple(_NOTHING)
"""The traits of which placeholders are learned."""


class Placeholder(NamedTuple):
    """A value that was just learned to stand for nobody.

    ``trait`` is ``ssn`` or ``phone``, ``key`` the value's block key, ``seen`` how many
    different persons had it by then.
    """

    trait: str
    key: int
    seen: int


def meant(traits: Traits, index: PatientIndex) -> Traits:
    """Return the traits without values that were learned to be placeholders."""
    keys = _keys(traits, index)
    known = index.placeholders([*keys.values()]) if keys else ()
    for trait, key in keys.items():
        if key in known:
            traits = traits._replace(**_NOTHING[trait])
    return traits


def without_common(
    traits: Traits, found: Collection[SourceRecord], index: PatientIndex
) -> Traits:
    """Return the traits without values that mean nothing, learned or crowded."""
    return without_crowded(meant(traits, index), found)


def without_crowded(traits: Traits, found: Collection[SourceRecord]) -> Traits:
    """Return the traits without values that mean nothing among these candidates."""
    place = traits[_PLACE]
    if _crowded(each for each in found if each.traits[_PLACE] == place):
        traits = traits._replace(number="", street="")
    if _crowded(_having("phone", traits, found)):
        traits = traits._replace(phone="")
    if _owners(traits, found):
        traits = traits._replace(**_NOTHING["ssn"])
    return traits


def learned(
    traits: Traits, found: Collection[SourceRecord], index: PatientIndex
) -> tuple[Placeholder, ...]:
    """Return the values of a record that are seen now to be placeholders.

    Args:
        traits: of a record that is about to be written, as `meant` leaves them.
        found: its candidates.
        index: where everybody with a telephone is counted, once a decision is crowded.
    """
    keys = _keys(traits, index)
    news: list[Placeholder] = []
    if owners := _owners(traits, found):
        news.append(Placeholder("ssn", keys["ssn"], owners))
    if _crowded(_having("phone", traits, found)):
        callers = index.persons(keys["phone"])
        if callers > _CALLERS:
            news.append(Placeholder("phone", keys["phone"], callers))
    return tuple(news)


_PLACE: Final = slice(Traits._fields.index("number"), Traits._fields.index("city"))


def _keys(traits: Traits, index: PatientIndex) -> dict[str, int]:
    """Return by trait the block keys of the numbers that may be placeholders."""
    texts = number_texts(traits)
    found = hashed(dict.fromkeys(texts.values(), ""), index.secret)
    return dict(zip(texts, found, strict=True))


def _having(
    trait: str, traits: Traits, found: Collection[SourceRecord]
) -> list[SourceRecord]:
    """Return the candidates that have a value, none where it is missing."""
    value = getattr(traits, trait)
    return [each for each in found if value and getattr(each.traits, trait) == value]


def _crowded(records: Iterable[SourceRecord]) -> bool:
    return len({each.person for each in records}) > _NEIGHBOURS


def _owners(traits: Traits, found: Collection[SourceRecord]) -> int:
    """Return how many persons have an SSN that is nobody's, else 0.

    One person's misspelt names and birth dates are no persons.
    """
    owners = _having("ssn", traits, found)
    persons = {each.person for each in owners}
    facts = [
        {getattr(each.traits, trait) for each in owners} - {""}
        for trait in ("family", "birth")
    ]
    return len(persons) if min(len(persons), *map(len, facts)) > _OWNERS else 0
