"""Whether a value can stand at a place at all: a word is no date, an unknown code none.

Spec:
    FHIR R4, primitive types and required bindings; fhir.md T02, T22.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from engine.hl7.timestamps import read_time, read_timestamp
from engine.transforms.fhir.bindings import REQUIRED
from engine.transforms.fhir.definitions import elements
from engine.transforms.fhir.times import offset_of
from engine.transforms.guide.places import Place

_NUMBER: Final = re.compile(r"\s*[<>]?=?[+-]?\d*\.?\d+\s*")
_NOTHING: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"Immunization.doseQuantity.value": ("998", "999")}
)
"""Values that a sender's guide writes for none or unknown."""

_ONLY: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "multipleBirthInteger": re.compile("[1-9][0-9]*"),
        "name.family.extension.valueCode": re.compile("[FG]"),
        "content.attachment.contentType": re.compile(r"\w+/.+|(?i:pdf|rtf|jpeg|png)"),
    }
)
"""What alone can stand at some places that R4 leaves open: table 0444, media types,
the place of a child among those born with it."""

_CODE: Final = re.compile(r"[^\s]+(?: [^\s]+)*")


def fits(place: Place, value: str, codes: frozenset[str]) -> bool:
    """Whether a component can stand at a place of R4.

    Args:
        place: where the guide wants it.
        value: the component.
        codes: what a vocabulary map makes of it.
    """
    if not value.strip() or value in _NOTHING.get(place.text, ()):
        return False
    if (only := _ONLY.get(place.path)) is not None:
        return only.fullmatch(value) is not None
    _, _, kind = _typed(place)
    if kind == "code":
        if allowed := bound(place):
            return bool(allowed & (codes | {value, value.lower()}))
        return bool(codes) or _CODE.fullmatch(value) is not None
    return _READS.get(kind, bool)(value)


def lacks_zone(place: Place, value: str) -> bool:
    """Whether a value alone is no instant where R4 wants one (T01)."""
    return _typed(place)[2] == "instant" and not offset_of(value)


def bound(place: Place) -> frozenset[str]:
    """Return the codes R4 allows at a place, none where it leaves them open."""
    owner, name, _ = _typed(place)
    return REQUIRED.get(f"{owner}.{name}", frozenset())


def _typed(place: Place) -> tuple[str, str, str]:
    """Return the type that owns a place's last element, its name and its type."""
    owner, name, kind = place.kind, "", place.kind
    for part in place.path.split(".") if place.path else ():
        known = elements(kind).get(part)
        if known is None:
            return "", "", ""
        owner, name, kind = kind, part, known.type
    return owner, name, kind


def _is_time(value: str) -> bool:
    return read_timestamp(value) is not None


def _is_truth(value: str) -> bool:
    return value.strip().upper() in {"Y", "N", "TRUE", "FALSE", "0", "1"}


def _is_number(value: str) -> bool:
    return _NUMBER.fullmatch(value) is not None


_READS: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {
        **dict.fromkeys(("date", "dateTime", "instant"), _is_time),
        "time": lambda value: read_time(value) is not None,
        **dict.fromkeys(
            ("decimal", "integer", "positiveInt", "unsignedInt"), _is_number
        ),
        "boolean": _is_truth,
    }
)
