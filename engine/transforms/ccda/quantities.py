"""Values: what FHIR's value[x] holds, as one value with two faces, CDA and words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from engine.transforms.ccda.codes import EMPTY, Concept, concept
from engine.transforms.ccda.elements import XSI_TYPE, Element, null
from engine.transforms.ccda.facts import NOTHING, Resource, child, codes, text
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.times import Moment, Span, known, period_of
from engine.transforms.ccda.units import is_ucum

UCUM: Final = "http://unitsofmeasure.org"

ABSENT: Final[Mapping[str, str]] = {
    "unknown": "UNK",
    "asked-unknown": "ASKU",
    "asked-declined": "ASKU",
    "not-asked": "NASK",
    "not-applicable": "NA",
    "masked": "MSK",
    "temp-unknown": "NAV",
    "not-performed": "NI",
}
"""``dataAbsentReason`` to nullFlavor; every other reason is ``NI``."""


MAX_MAGNITUDE: Final = 100
"""Powers of ten beyond which a number is taken for a mistake, not written out."""


def number_text(value: object) -> str:
    """Return a JSON number with the digits it was sent with, or ``""``.

    Examples:
        >>> number_text(Decimal("7.50")), number_text(5), number_text("x")
        ('7.50', '5', '')
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return ""
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return ""
    sane = number.is_finite() and abs(number.adjusted()) <= MAX_MAGNITUDE
    return format(number, "f") if sane else ""


@dataclass(frozen=True, slots=True)
class Amount:
    """One FHIR Quantity: number as sent, unit as printed, ``code`` only when UCUM."""

    number: str
    unit: str = ""
    code: str = ""
    comparator: str = ""

    @property
    def words(self) -> str:
        """The quantity for a reader; the UCUM code beside a unit that differs."""
        unit = self.unit or self.code
        if self.code and self.code != unit:
            unit = f"{unit} [{self.code}]"
        return f"{self.comparator}{self.number} {unit}".strip()

    @property
    def plain_type(self) -> str:
        """The CDA type of a number without a unit."""
        return "REAL" if "." in self.number else "INT"

    def fill(self, name: str, attributes: dict[str, str] | None = None) -> Element:
        """Return an element of type PQ; a foreign unit is kept as original text."""
        given = attributes or {}
        if self.code:
            return Element(name, {**given, "value": self.number, "unit": self.code}, [])
        other = {"value": self.number, "nullFlavor": "OTH"}
        unit = [Element("originalText", {}, [], self.unit)] if self.unit else []
        translation = Element("translation", other, unit)
        return Element(name, {**given, "nullFlavor": "OTH"}, [translation])

    def plain(self, name: str, attributes: dict[str, str] | None = None) -> Element:
        """Return an element of type INT or REAL."""
        return Element(name, {**(attributes or {}), "value": self.number}, [])

    @property
    def has_unit(self) -> bool:
        """Whether anything was sent as a unit."""
        return bool(self.unit or self.code)

    def element(self, name: str) -> Element:
        """Return the quantity typed: PQ, INT or REAL; with a comparator an interval."""
        if self.comparator:
            return limits(name, **_sides(self))
        if self.has_unit:
            return self.fill(name, {XSI_TYPE: "PQ"})
        return self.plain(name, {XSI_TYPE: self.plain_type})


def _sides(amount: Amount) -> dict[str, "Amount | None"]:
    return {"high" if amount.comparator.startswith("<") else "low": amount}


def limits(name: str, low: Amount | None = None, high: Amount | None = None) -> Element:
    """Return an interval of quantities; strict comparators exclude their end."""
    ends = {"low": low, "high": high}
    given = [amount for amount in ends.values() if amount]
    with_unit = any(amount.has_unit for amount in given)
    kind = "INT" if all(amount.plain_type == "INT" for amount in given) else "REAL"
    inside: list[Element] = []
    for side, amount in ends.items():
        if amount:
            strict = amount.comparator in ("<", ">")
            closed = {"inclusive": "false"} if strict else {}
            make = amount.fill if with_unit else amount.plain
            inside.append(make(side, closed))
    return Element(name, {XSI_TYPE: "IVL_PQ" if with_unit else f"IVL_{kind}"}, inside)


def amount(source: Resource, rendering: Rendering, path: str) -> Amount | None:
    """Return a FHIR Quantity, or None when it holds no number.

    A code that claims to be UCUM and is none loses that claim, with a finding.
    """
    number = number_text(source.get("value"))
    if not number:
        return None
    code = text(source, "code") if text(source, "system") == UCUM else ""
    unit = text(source, "unit") or text(source, "code")
    if code and not is_ucum(code):
        rendering.find("bad-unit", path, "a unit says UCUM and does not follow it")
        unit, code = unit or code, ""
    return Amount(number, unit, code, text(source, "comparator"))


@dataclass(frozen=True, slots=True)
class Value:
    """One observed value: its words for the row, and the way to its CDA element."""

    words: str
    build: Callable[[str], Element]
    amount: Amount | None = None
    concept: Concept = EMPTY

    def element(self, row: str) -> Element:
        """Return the ``value`` element; ``row`` is the ID of its narrative."""
        return self.build(row)


def text_value(content: str) -> Value:
    """Return free text as a value of type ST."""
    return Value(content, lambda _: Element("value", {XSI_TYPE: "ST"}, [], content))


def absent_value(source: Resource) -> Value:
    """Return the value of an observation that has none, with the reason it gives."""
    reasons = codes(child(source, "dataAbsentReason")) - {""}
    known_reason = min(reasons) if reasons else ""
    flavor = ABSENT.get(known_reason, "NI") if known_reason else "NI"
    words = known_reason.replace("-", " ") if known_reason else ""
    return Value(words, lambda _: null("value", flavor, "ST"))


def value_of(source: Resource, rendering: Rendering, path: str) -> Value | None:
    """Return the value[x] of an Observation or component; None when it has none."""
    for name, read in READERS.items():
        found = source.get(name)
        if found is not None and (made := read(found, rendering, path)) is not None:
            return made
    return None


def _quantity(found: object, rendering: Rendering, path: str) -> Value | None:
    made = amount(_object(found), rendering, path)
    if made is None:
        return None
    return Value(made.words, lambda _: made.element("value"), made)


def _object(found: object) -> Resource:
    return found if isinstance(found, Mapping) else NOTHING


def _coded(found: object, rendering: Rendering, path: str) -> Value | None:
    made = concept(_object(found), rendering, path)
    if not made:
        return None
    return Value(made.words, lambda row: made.element("value", row, "CD"), concept=made)


def _string(found: object, rendering: Rendering, path: str) -> Value | None:  # noqa: ARG001 - every reader has one shape
    return (
        text_value(found.strip()) if isinstance(found, str) and found.strip() else None
    )


def _plain_number(found: object, rendering: Rendering, path: str) -> Value | None:
    return _quantity({"value": found}, rendering, path)


def _truth(found: object, rendering: Rendering, path: str) -> Value | None:  # noqa: ARG001 - every reader has one shape
    if not isinstance(found, bool):
        return None
    said = "true" if found else "false"
    return Value(said, lambda _: Element("value", {XSI_TYPE: "BL", "value": said}, []))


def _time(found: object, rendering: Rendering, path: str) -> Value | None:
    made: Moment | None = known(found, rendering, path)
    if made is None:
        return None
    return Value(made.words, lambda _: made.element("value", "TS"))


def _period(found: object, rendering: Rendering, path: str) -> Value | None:
    made: Span = period_of(_object(found), rendering, path)
    if not made:
        return None
    bounds = Element("value", {XSI_TYPE: "IVL_TS"}, made.bounds())
    return Value(made.words, lambda _: bounds)


def _range(found: object, rendering: Rendering, path: str) -> Value | None:
    low = amount(child(_object(found), "low"), rendering, path)
    high = amount(child(_object(found), "high"), rendering, path)
    if not low and not high:
        return None
    return Value(range_words(low, high), lambda _: limits("value", low, high))


def range_words(low: Amount | None, high: Amount | None) -> str:
    """Return a range for a reader."""
    if low and high:
        return f"{low.words} - {high.words}"
    return f">= {low.words}" if low else f"<= {high.words}" if high else ""


def _ratio(found: object, rendering: Rendering, path: str) -> Value | None:
    over = amount(child(_object(found), "numerator"), rendering, path)
    under = amount(child(_object(found), "denominator"), rendering, path)
    if not over or not under:
        return None
    parts = [over.element("numerator"), under.element("denominator")]
    said = f"{over.words}:{under.words}"
    if over.comparator or under.comparator:
        return text_value(said)
    return Value(said, lambda _: Element("value", {XSI_TYPE: "RTO"}, parts))


def _samples(found: object, rendering: Rendering, path: str) -> Value | None:
    return _string(_object(found).get("data"), rendering, path)


READERS: Final[Mapping[str, Callable[[object, Rendering, str], Value | None]]] = {
    "valueQuantity": _quantity,
    "valueCodeableConcept": _coded,
    "valueString": _string,
    "valueRange": _range,
    "valueRatio": _ratio,
    "valueDateTime": _time,
    "valueTime": _string,
    "valueInteger": _plain_number,
    "valueBoolean": _truth,
    "valuePeriod": _period,
    "valueSampledData": _samples,
}
"""FHIR value[x] by type; attachments are documents of their own, not values."""
