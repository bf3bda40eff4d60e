"""An update for a server that others write to as well: it changes what it says alone.

Spec:
    fhir.md T19 (``update: partial``).
"""

from collections.abc import Collection
from typing import Final

from engine.transforms.fhir.history import HISTORIES
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.stamps import UNTIMED
from engine.transforms.fhir.update import (
    Update,
    list_of,
    parts_of,
    presumed_by,
    removed_by,
    whole_of,
)

OURS: Final = ("identifier#", "link#")
"""Members that say which thing a resource is: every update says those it knows."""


def said_by(update: Update) -> frozenset[str]:
    """Return the names of the parts that a message speaks of, or takes away."""
    own = parts_of(update.resource).keys() - presumed_by(update)
    return frozenset((*own, *removed_by(update)))


def identity_of(resource: Element) -> frozenset[str]:
    """Return the names of the parts that say which thing a resource is."""
    return frozenset(name for name in parts_of(resource) if name.startswith(OURS))


def grafted(theirs: Element, ours: Element, said: Collection[str]) -> Element:
    """Return a server's resource with what our version says of some parts.

    A part spoken of that our version does not have is taken away; every other part
    stays as the server has it. Doing it again changes nothing.

    Args:
        theirs: the resource as the server has it; not changed.
        ours: the latest version we know; it refers to things as the server does.
        said: names of the parts that are ours to say.
    """
    have, new = parts_of(theirs), parts_of(ours)
    parts: dict[str, object] = {}
    for name, value in have.items():
        if name not in said and list_of(name) not in said:
            parts[name] = value
        elif name in new:
            parts[name] = new[name]
    for name, value in new.items():
        if name in said:
            parts.setdefault(name, value)
    whole = whole_of(theirs, parts, dict.fromkeys(parts, UNTIMED))
    for element, history in HISTORIES.items():
        if element in said and history in ours:
            whole[history] = ours[history]
    return whole
