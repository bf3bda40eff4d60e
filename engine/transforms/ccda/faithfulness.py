"""Whether a document says only what its facts say: denials, and whose facts they are.

Spec:
    cda.md 13, V16; 8, *silence*.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from engine.transforms.ccda.elements import HL7
from engine.transforms.ccda.facts import Facts, Resource
from engine.transforms.ccda.linkage import Node, nodes, strings
from engine.transforms.ccda.rendering import Origin

_DENIAL: Final = re.compile(r"\bno (?:known|current)\b|\bnone known\b", re.IGNORECASE)
_STATEMENTS: Final = frozenset(
    (
        *("refuted", "not-done", "not-taken"),
        *("716186003", "409137002", "429625007", "160245001", "787481004"),
    )
)
"""States, and SNOMED CT codes of "no known ...", that a denial may stand for."""
_NEGATED: Final = nodes("//@negationInd[.='true']/..")
_NARRATIVE: Final = strings("//h:section/h:text//text()")
_KINDS: Final = (
    *("AllergyIntolerance", "Condition", "Immunization", "Procedure"),
    *("MedicationAdministration", "MedicationStatement", "MedicationRequest"),
)


def unfounded(
    root: Node, facts: Facts, origins: Iterable[Origin], words: Collection[str] = ()
) -> Iterator[str]:
    """Yield a sentence for each thing that no fact of this person stands behind.

    ``words`` are those of the site's feeds that mean that nothing is known.
    """
    denials = {_ids(one) for one in _NEGATED(root)}
    if denials:
        known = facts.of(*_KINDS)
        if len(denials) > sum(_denies(resource, words) for _, resource in known):
            yield "a denial has no fact behind it"
    said = _DENIAL.search(" ".join(_NARRATIVE(root)))
    if said and not any(_denied_in_words(one) for one in facts.resources.values()):
        yield "the text says that nothing is known and no fact does"
    if any(not facts.shows(origin.url) for origin in origins):
        yield "a row shows a fact that is not this person's"


def _ids(node: Node) -> tuple[tuple[str, str], ...]:
    found = node.findall(f"{{{HL7}}}id")
    return tuple((one.get("root", ""), one.get("extension", "")) for one in found)


def _denies(resource: Resource, words: Collection[str]) -> bool:
    """Whether a resource states that something is not so, or was not done."""
    said = set(_words(resource))
    return bool(said & _STATEMENTS or said & set(words)) or any(
        map(_DENIAL.search, said)
    )


def _denied_in_words(resource: Resource) -> bool:
    return any(map(_DENIAL.search, _words(resource)))


def _words(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _words(item)
    elif isinstance(value, list):
        for item in value:
            yield from _words(item)
