"""The navigation: groups by person, not by module; each caller sees what they may use.

Spec:
    console.md 2 (layout).
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from engine.console.permissions import Caller, Permission
from engine.console.reach import REACH


class Item(NamedTuple):
    """One entry: its words, its address, and whether it is where one stands."""

    title: str
    href: str
    current: bool = False


_SEE: Final = Permission.VIEW_METADATA
_ITEMS: Final[Mapping[str, Sequence[tuple[str, str, Permission]]]] = {
    "": (
        ("Overview", "/", _SEE),
        ("Channels", "/channels", _SEE),
        ("Messages", "/messages", _SEE),
        ("Work", "/work", _SEE),
    ),
    "Patients": (
        ("Mismatch queue", "/work/mismatch", Permission.WORK_IDENTITY),
        ("Patient search", "/patients", Permission.VIEW_PHI),
    ),
    "Build": (
        ("Test bench", "/bench", Permission.EDIT),
        ("Code tables", "/tables", _SEE),
        ("Alerts", "/alerts", _SEE),
    ),
    "Admin": (
        ("Audit", "/audit", Permission.READ_AUDIT),
        ("Users", "/users", Permission.ADMINISTER),
        ("System", "/system", Permission.ADMINISTER),
    ),
}


_PLACES: Final = tuple(href for items in _ITEMS.values() for _, href, _ in items)


def groups(who: Caller, path: str) -> list[tuple[str, list[Item]]]:
    """Return the groups with what this caller may open."""
    found = []
    here = max((h for h in _PLACES if _is_at(h, path)), key=len, default="")
    for title, items in _ITEMS.items():
        seen = [
            Item(words, href, href == here)
            for words, href, permission in items
            if who.may(permission) and (who.channels is None or href in REACH)
        ]
        if seen:
            found.append((title, seen))
    return found


def _is_at(href: str, path: str) -> bool:
    return path == href or (href != "/" and path.startswith(f"{href}/"))
