"""Resources that rows and steps of ``map`` take out, with what refers to them.

A reference that leads nowhere makes a Bundle invalid.

Spec:
    channel-format.md 6, ``remove: Type``; FHIR R4, bundle.html#references.
"""

from collections.abc import Sequence

from engine.transforms.fhir.bundle import references_in
from engine.transforms.fhir.mapped import Element, Entry, Mapped


def leave(mapped: Mapped, entries: Sequence[Entry]) -> None:
    """Make these the entries, and take out what refers to those that were others.

    Args:
        mapped: changed in place.
        entries: what stays, and what is new.
    """
    staying = {each.full_url for each in entries}
    gone = frozenset(each.full_url for each in mapped.entries) - staying
    mapped.entries[:] = entries
    for entry in entries if gone else ():
        if _refers(entry.resource, gone):
            entry.resource = _without(mapped.own(entry), gone)


def _without(element: Element, gone: frozenset[str]) -> Element:
    """Return an element without what refers to resources that are gone.

    Of a list that is the whole member: a performer is nobody without the reference.
    What stays are the same objects: a Reference follows its resource.
    """
    found: Element = {}
    for name, value in element.items():
        left: object = value
        if isinstance(value, list):
            left = [one for one in value if not _refers(one, gone)]
        elif isinstance(value, dict) and _refers(value, gone):
            left = {} if value.get("reference") in gone else _without(value, gone)
        if left or not value:
            found[name] = left
    return found


def _refers(value: object, gone: frozenset[str]) -> bool:
    return any(each["reference"] in gone for each in references_in(value))
