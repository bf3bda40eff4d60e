"""What a visit was before: statusHistory and classHistory, from what messages said.

Spec:
    FHIR R4, Encounter.statusHistory and classHistory; fhir.md section 3 (A06, A07).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Final, NamedTuple

from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.stamps import Stamp

HISTORIES: Final[Mapping[str, str]] = MappingProxyType(
    {"status": "statusHistory", "class": "classHistory"}
)
"""Elements of an Encounter whose earlier values are kept, and where."""


_MANY: Final = 16


class Fact(NamedTuple):
    """One message said that the visit has this status or class.

    ``when`` is the time of the event as FHIR dateTime, ``""`` where it gave none.
    """

    stamp: Stamp
    when: str
    value: object


def recorded(facts: Iterable[Fact], new: Fact) -> tuple[Fact, ...]:
    """Return the facts with a new one, in their order whatever came first.

    Late ones may still fall between any two of them. Of very many only the first and
    the last of each unbroken run of one value are kept.
    """
    kept = [each for each in facts if each.stamp != new.stamp]
    ordered = sorted([*kept, new], key=lambda fact: fact.stamp)
    if len(ordered) <= _MANY:
        return tuple(ordered)
    last = len(ordered) - 1
    return tuple(
        fact
        for at, fact in enumerate(ordered)
        if at in (0, last)
        or not fact.value == ordered[at - 1].value == ordered[at + 1].value
    )


def past_of(facts: Sequence[Fact], name: str) -> list[Element]:
    """Return the history these facts make: every run of one value but the present."""
    starts = [
        fact
        for at, fact in enumerate(facts)
        if at == 0 or fact.value != facts[at - 1].value
    ]
    return [
        {name: fact.value, "period": _period(fact.when, after.when)}
        for fact, after in pairwise(starts)
    ]


def _period(start: str, end: str) -> Element:
    known: Element = {name: at for name, at in (("start", start), ("end", end)) if at}
    return known or {"extension": [_UNKNOWN_TIME]}


_UNKNOWN_TIME: Final[Element] = {
    "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
    "valueCode": "unknown",
}
