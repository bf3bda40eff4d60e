"""Numbers as they were sent: NM, SN, NR, NA and CQ to Quantity, Range, Ratio.

Spec:
    fhir.md T05, T06, T07, T23, T24.
"""

import re
from functools import lru_cache
from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Cwe
from engine.transforms.fhir.datatypes import code, extension, plain, put
from engine.transforms.fhir.digits import Digits
from engine.transforms.fhir.feed import Feed
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.systems import UCUM

_NUMBER: Final = re.compile(r"([+-]?)0*(\d+)(\.\d+)?", re.ASCII)
_BARE_FRACTION: Final = re.compile(r"([+-]?)(\.\d+)", re.ASCII)
_COMPARED: Final = re.compile(r"(<=|>=|<|>)\s*([+-]?[\d.]+)", re.ASCII)
_SPAN: Final = re.compile(r"([+-]?\d[\d.]*)\s*-\s*([+-]?\d[\d.]*)", re.ASCII)
_BOUND: Final = re.compile(r"(<=|>=|<|>)\s*([+-]?\d[\d.]*)", re.ASCII)
_COMPARATORS: Final = ("<", ">", "<=", ">=")
_MAX_DIGITS: Final = 40


@lru_cache(maxsize=4096)
def number(text: str) -> Digits | None:
    """Return a number with the digits it was sent with; None for anything else.

    Examples:
        >>> number("007.50"), number("+.5"), number("1,5")
        ('7.50', '0.5', None)
    """
    text = text.strip()
    if len(text) > _MAX_DIGITS:
        return None
    if found := _NUMBER.fullmatch(text):
        sign, whole, fraction = found.groups()
        return Digits(f"{sign.replace('+', '')}{whole}{fraction or ''}")
    if found := _BARE_FRACTION.fullmatch(text):
        return Digits(f"{found[1].replace('+', '')}0{found[2]}")
    return None


def unit(feed: Feed, source: Repetition | None) -> Element:
    """Return OBX-6 as the unit parts of a Quantity; a code only where it is UCUM."""
    return feed.recall("unit", source, _unit) if source else {}


def _unit(feed: Feed, source: Repetition) -> Element:
    value = Cwe.of(source)
    found: Element = {}
    put(found, "unit", plain(value.text or value.code or value.original_text))
    for symbol, mnemonic, oid in (
        (value.code, value.system, value.system_oid),
        (value.alternate_code, value.alternate_system, value.alternate_system_oid),
    ):
        system = feed.code_system(mnemonic, oid) if mnemonic or oid else ""
        if symbol and system == UCUM:
            found["system"] = UCUM
            found["code"] = code(symbol)
            return found
    return found


def quantity(value: Digits, units: Element, comparator: str = "") -> Element:
    """Return a Quantity."""
    found: Element = {"value": value}
    put(found, "comparator", comparator)
    return {**found, **units}


def numeric(text: str, units: Element) -> tuple[str, object]:
    """Return an NM as element name and value; text where it is no number (T07)."""
    if (found := number(text)) is not None:
        return "valueQuantity", quantity(found, units)
    compared = _COMPARED.fullmatch(text.strip())
    if compared and (found := number(compared[2])) is not None:
        return "valueQuantity", quantity(found, units, compared[1])
    return "valueString", plain(text)


def structured(source: Repetition, units: Element) -> tuple[str, object]:
    """Return an SN as element name and value (T05)."""
    comparator, first, separator, second = (part.strip() for part in source.texts(4))
    low, high = number(first), number(second)
    original = plain(" ".join(p for p in (comparator, first, separator, second) if p))
    kept: Element = {"extension": [extension("originalText", "String", original)]}
    if comparator == "<>" or separator == "+":
        return "valueString", f"{comparator}{first}{separator}{second}"
    if separator == "-" and low is not None and high is not None:
        span: Element = {"low": quantity(low, units), "high": quantity(high, units)}
        return "valueRange", {**kept, **span}
    if separator in (":", "/") and low is not None and high is not None:
        top = quantity(low, units, comparator if comparator in _COMPARATORS else "")
        ratio: Element = {"numerator": top, "denominator": quantity(high, units)}
        return "valueRatio", {**kept, **ratio}
    if low is not None and not separator and not second:
        sign = comparator if comparator in _COMPARATORS else ""
        return "valueQuantity", quantity(low, units, sign)
    return "valueString", original


def span_of(source: Repetition, units: Element) -> tuple[str, object]:
    """Return an NR as element name and value."""
    low, high = (number(part) for part in source.texts(2))
    found: Element = {}
    if low is not None:
        found["low"] = quantity(low, units)
    if high is not None:
        found["high"] = quantity(high, units)
    if not found:
        return "valueString", plain(" - ".join(source.texts(2)))
    return "valueRange", found


def sampled(sources: list[Repetition], units: Element) -> tuple[str, object]:
    """Return an NA as SampledData; a missing sample is ``E``."""
    values: list[str] = []
    for source in sources:
        values += [number(text) or "E" for text in source.texts(source.component_count)]
    origin: Element = {"value": 0, **units}
    return "valueSampledData", {
        "origin": origin, "period": 1, "dimensions": len(sources),
        "data": " ".join(values),
    }  # fmt: skip


def reference_range(text: str, units: Element) -> Element:
    """Return OBX-7: its text always, its bounds where they read without doubt."""
    found: Element = {side: quantity(at, units) for side, at in _bounds(text)}
    found["text"] = text
    return found


@lru_cache(maxsize=4096)
def _bounds(text: str) -> tuple[tuple[str, Digits], ...]:
    """Return which sides of a range are known, and where they are."""
    if span := _SPAN.fullmatch(text):
        low, high = number(span[1]), number(span[2])
        if low is None or high is None or float(low) > float(high):
            return ()
        return ("low", low), ("high", high)
    bound = _BOUND.fullmatch(text)
    limit = number(bound[2]) if bound else None
    if bound is None or limit is None:
        return ()
    return (("high" if "<" in bound[1] else "low", limit),)


def counted(feed: Feed, source: Repetition | None) -> Element:
    """Return a CQ as Quantity; ``{}`` without a number."""
    if source is None or (value := number(source.text())) is None:
        return {}
    parts = [*source.sub(2), "", "", ""]
    units: Element = {}
    put(units, "unit", plain(parts[1] or parts[0]))
    if parts[0] and parts[2] and feed.code_system(parts[2]) == UCUM:
        units["system"], units["code"] = UCUM, code(parts[0])
    return quantity(value, units)
