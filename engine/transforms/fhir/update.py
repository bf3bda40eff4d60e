"""A sparse update onto what is known: an empty field leaves, a null removes.

Spec:
    architecture.md section 4, "A sparse message never wipes a rich one"; fhir.md T19.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.transforms.fhir.mapped import Element

Parts: TypeAlias = list[Element]
Name: TypeAlias = Callable[[Element], str]


def merge_update(known: Element, update: Element, nulls: Iterable[str] = ()) -> Element:
    """Return the latest known version of a resource with an update applied to it.

    An element the update does not have stays as it was. Lists that gather what several
    messages say (identifiers, stays, extensions) are joined by what each part is;
    every other element is replaced whole.

    Args:
        known: the latest version; not changed.
        update: what the new message says; not changed.
        nulls: names of the elements an HL7 null asked to remove, see `Entry.nulls`.

    Returns:
        A new resource that shares its unchanged parts with the two.
    """
    kind = str(update["resourceType"])
    gone = frozenset(nulls)
    merged = {name: value for name, value in known.items() if name not in gone}
    if kind == "Encounter":
        _keep_history(known, update, merged)
    for name, value in update.items():
        joined_by = _JOINED.get(f"{kind}.{name}") or _JOINED.get(name)
        before = merged.get(name)
        if (
            joined_by is not None
            and isinstance(before, list)
            and isinstance(value, list)
        ):
            merged[name] = _join(before, value, joined_by)
        else:
            merged[name] = value
    _drop_alternatives(update, merged)
    return merged


def _join(known: Parts, update: Parts, name: Name) -> Parts:
    """Return both lists as one; a part of the update replaces the known one it names.

    Parts that say the same thing of the same name within one list all stay.
    """
    renewed = {name(part) for part in update}
    return [*update, *(part for part in known if name(part) not in renewed)]


def _identifier(part: Element) -> str:
    return f"{part.get('system')}|{part.get('value')}"


def _extension(part: Element) -> str:
    return str(part.get("url"))


def _target(name: str) -> Name:
    def read(part: Element) -> str:
        inner = part.get(name)
        return str(inner.get("reference")) if isinstance(inner, dict) else ""

    return read


def _telecom(part: Element) -> str:
    return f"{part.get('use')}|{part.get('system')}"


def _participant(part: Element) -> str:
    kinds = part.get("type")
    return str(kinds[0].get("coding")) if isinstance(kinds, list) and kinds else ""


_JOINED: Final[Mapping[str, Name]] = MappingProxyType(
    {
        "identifier": _identifier,
        "extension": _extension,
        "telecom": _telecom,
        "Patient.link": _target("other"),
        "Encounter.location": _target("location"),
        "Encounter.diagnosis": _target("condition"),
        "Encounter.participant": _participant,
        "Account.guarantor": _target("party"),
    }
)
"""Lists that are joined, by element or by type and element, and what names a part."""

_ALTERNATIVES: Final = (
    "deceased", "multipleBirth", "effective", "value", "performed", "onset",
    "occurrence",
)  # fmt: skip
"""Choice elements: a new kind of value replaces the old kind."""


@cache
def _stem(name: str) -> str:
    """Return the choice element that ``valueString`` is a kind of, or ``""``."""
    return next((stem for stem in _ALTERNATIVES if name.startswith(stem)), "")


def _drop_alternatives(update: Element, merged: Element) -> None:
    stems = {stem for stem in map(_stem, update) if stem}
    if not stems:
        return
    for name in [name for name in merged if _stem(name) in stems]:
        if name not in update:
            del merged[name]
    if "value" in stems and "dataAbsentReason" not in update:
        merged.pop("dataAbsentReason", None)


def _keep_history(known: Element, update: Element, merged: Element) -> None:
    """Remember the status and class a visit had before (ADT A06, A07 and others)."""
    period = known.get("period") or {"extension": [_UNKNOWN_TIME]}
    for name, history in (("status", "statusHistory"), ("class", "classHistory")):
        before, now = known.get(name), update.get(name)
        if before is None or now is None or before == now:
            continue
        kept = merged.get(history)
        one: Element = {name: before, "period": period}
        merged[history] = [*(kept if isinstance(kept, list) else ()), one]


_UNKNOWN_TIME: Final[Element] = {
    "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
    "valueCode": "unknown",
}
