"""Why two records were held to be one person, in sentences a steward can read.

Spec:
    identity.md 10.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from engine.identity.deterministic import verdict
from engine.identity.matching import Match
from engine.identity.traits import Traits
from engine.identity.weights import (
    SMALLEST_INDEX,
    Model,
    classes,
    log2_sum,
    rarity,
    weight,
)


class Line(NamedTuple):
    """One trait's part in a score; the bits of all lines add up to it."""

    trait: str
    level: str
    left: str
    right: str
    sentence: str
    bits: float


_SENTENCES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "given": {
            "eq": "same given name", "nick": "nickname {left} for {right}",
            "init": "given name is an initial of the other",
            "swap": "given and family names exchanged",
            "swapjw": "given and family names exchanged and spelled differently",
            "mid": "goes by the middle name",
            "midi": "given name begins like the other's middle initial",
            "jw92": "given names nearly the same",
            "jw84": "given names similar", "no": "given name differs",
        },
        "family": {
            "eq": "same family name", "tok": "family names share a part",
            "swap": "given and family names exchanged",
            "swapjw": "given and family names exchanged and spelled differently",
            "jw92": "family names nearly the same", "jw84": "family names similar",
            "no": "family name differs",
            "new": "family name differs, as after a marriage",
        },
        "birth": {
            "eq": "same birth date", "swap": "day and month of birth exchanged",
            "d1": "birth date one digit off", "md": "same birthday, another year",
            "y01": "same year of birth; one record has the default 1 January",
            "y1": "birth dates partly the same", "d2": "birth date two digits off",
            "no": "birth date differs",
        },
        "ssn": {
            "eq": "same SSN", "d1": "SSN one digit off", "d2": "SSN two digits off",
            "s4": "last four digits of the SSN agree",
            "s4no": "last four digits of the SSN differ", "no": "SSN differs",
        },
        "sex": {"eq": "same sex", "no": "sex differs"},
        "address": {
            "eq": "same address", "near": "address nearly the same",
            "street": "same street, another house", "zip": "same ZIP code",
            "city": "same city", "no": "address differs",
        },
        "phone": {
            "eq": "same phone", "d1": "phone one digit off", "no": "phone differs",
        },
        "middle": {
            "eq": "same middle name", "init": "middle initial agrees",
            "jw": "middle names similar", "no": "middle name differs",
            "swap": "given and middle names exchanged",  # in doubts of former releases
        },
        "newborn": {
            "eq": "the newborn is written under the same family name",
            "no": "another family name, as a newborn's may be",
        },
        "mother": {"eq": "same mother", "no": "another mother's number"},
        "minute": {"eq": "born at the same minute", "no": "born at another time"},
        "suffix": {"eq": "same suffix", "no": "suffix differs"},
        "multiple": {
            "eq": "same place in a multiple birth",
            "no": "another child of a multiple birth",
            "one": "one of the records tells of a multiple birth",
            "none": "nothing tells of a multiple birth",
            "single": "both records say born alone",
        },
        "email": {"eq": "same e-mail address", "no": "e-mail address differs"},
    }
)  # fmt: skip


def explain(traits: Traits, found: Match, model: Model) -> tuple[Line, ...]:
    """Return a line for each compared trait and one for the prior.

    Each trait's bits are measured against the likeliest of household member,
    stranger and twin; the prior holds the rest, so that the lines add up to the score.
    """
    if model.rules:
        return _by_rule(traits, found, model)
    whole = classes(found.levels, found.counts, model)
    against = max(range(1, 4), key=lambda place: whole[place])
    rare = {
        trait: rarity(trait, count, found.counts.records)
        for trait, count in zip(("given", "family"), found.counts, strict=False)
        if found.levels.get(trait) == "eq"
    }
    people = found.counts.records + 2
    common = {
        trait: f" (1 in {max(people // (count + 1), 1):,} people)"
        for trait, count in zip(("given", "family"), found.counts, strict=False)
        if trait in rare
    }
    lines = []
    for trait, level in found.levels.items():
        bits = _bits(model, trait, level, against)
        if against == _STRANGER:
            bits -= rare.get(trait, 0.0)
        share = common.get(trait, "")
        lines.append(_line(trait, level, traits, found.record.traits, bits, share))
    prior = whole.same - log2_sum(*whole[1:]) - sum(line.bits for line in lines)
    sentence = _AGAINST[against].format(records=max(people - 2, SMALLEST_INDEX))
    return (*lines, Line("prior", "", "", "", sentence, prior))


def _by_rule(traits: Traits, found: Match, model: Model) -> tuple[Line, ...]:
    """Return how the traits compare, and the combination that decides."""
    other = found.record.traits
    lines = [_line(*each, traits, other, 0.0, "") for each in found.levels.items()]
    records = found.counts.records
    rule = verdict(traits, other, found.levels, model.nicknames, records).rule
    sentence = "no approved combination of traits agrees"
    if rule is not None:
        fields = ", ".join(rule.fields)
        sentence = f"approved combination {rule.number} agrees: {fields}"
    return (*lines, Line("rule", "", "", "", sentence, found.bits))


_STRANGER: Final = 2
_AGAINST: Final = (
    "",
    "agreement is what one expects of a household member",
    "1 in {records:,} records would be a stranger",
    "agreement is what one expects of a twin",
)


def headline(lines: tuple[Line, ...]) -> str:
    """Return the two or three strongest reasons for and against in one sentence."""
    traits = [line for line in lines if line.trait != "prior"]
    ordered = sorted(traits, key=lambda line: line.bits, reverse=True)
    speaks_for = [line.sentence for line in ordered if line.bits > 0][:3]
    against = [line.sentence for line in ordered[::-1] if line.bits < 0][:2]
    text = "; ".join(filter(None, (", ".join(speaks_for), ", ".join(against))))
    return f"{text[:1].upper()}{text[1:]}." if text else "Nothing to compare."


def _bits(model: Model, trait: str, level: str, column: int) -> float:
    bits = weight(model.weights, trait, level)
    return bits.same - bits[column]


def _line(
    trait: str, level: str, one: Traits, other: Traits, bits: float, share: str
) -> Line:
    left, right = shown(one, trait), shown(other, trait)
    sentence = _SENTENCES[trait][level].format(left=left, right=right) + share
    return Line(trait, level, left, right, sentence, bits)


def shown(traits: Traits, trait: str) -> str:
    """Return a trait as the worklist shows it; the SSN only by its last four."""
    if trait == "ssn":
        return f"***-**-{traits.last_four}" if traits.last_four else ""
    if trait == "address":
        street = f"{traits.number} {traits.street}".strip()
        place = f"{traits.state} {traits.zip5}".strip()
        return ", ".join(filter(None, (street, traits.city, place)))
    trait = "family" if trait == "newborn" else trait
    value: str = getattr(traits, trait)
    return value.title() if trait in {"given", "family", "middle"} else value
