"""A sparse update applied to what is known: nothing said leaves the value.

HL7 v2 updates say what changed. An element that is not in the update stays, one that
an HL7 null named goes, and a list is replaced only where the message sent one.

Spec:
    architecture.md 4, "a sparse message never wipes a rich one"; fhir.md T19, T28.
"""

from collections.abc import Iterable
from typing import Final

from engine.transforms.fhir.mapped import Element

_UNITED: Final = frozenset({"identifier", "link", "classHistory", "statusHistory"})
"""Lists that grow: what an update does not repeat is still true."""

_CHOICES: Final = ("deceased", "multipleBirth", "value", "effective", "onset")
"""Elements of which one kind replaces another: deceasedBoolean, deceasedDateTime."""


def merge_update(known: Element, update: Element, nulls: Iterable[str]) -> Element:
    """Return the resource as it stands after an update.

    Args:
        known: the latest version, with all that earlier messages said.
        update: what this message says; left unchanged.
        nulls: names of elements that an HL7 null removes.

    Examples:
        >>> merge_update({"gender": "male", "active": True}, {"gender": "female"}, [])
        {'gender': 'female', 'active': True}
    """
    merged = dict(known)
    for name in nulls:
        if name not in update:
            merged.pop(name, None)
    for name, value in update.items():
        _drop_other_choices(merged, name)
        before = merged.get(name)
        if name in _UNITED and isinstance(before, list) and isinstance(value, list):
            merged[name] = _united(before, value)
        elif isinstance(before, dict) and isinstance(value, dict):
            merged[name] = _within(before, value)
        else:
            merged[name] = value
    return merged


def _within(known: Element, update: Element) -> Element:
    """Merge a structure such as ``hospitalization``; a coded one is replaced whole."""
    if _is_value(update) or _is_value(known):
        return update
    return {**known, **update}


def _is_value(element: Element) -> bool:
    return bool(
        {"coding", "text", "reference", "system", "start", "end"} & set(element)
    )


def _drop_other_choices(merged: Element, name: str) -> None:
    for choice in _CHOICES:
        if name.startswith(choice) and name != choice:
            for other in [each for each in merged if each.startswith(choice)]:
                if other != name:
                    del merged[other]


def _united(known: list[object], update: list[object]) -> list[object]:
    """Return the update's items, then the known ones that it does not speak of."""
    said = {_name(item) for item in update}
    return [*update, *(item for item in known if _name(item) not in said)]


def _name(item: object) -> tuple[object, ...]:
    """Return what tells one list item from another."""
    if not isinstance(item, dict):
        return (item,)
    if "value" in item:
        return item.get("system"), item.get("value")
    return tuple((key, str(item[key])) for key in sorted(item))
