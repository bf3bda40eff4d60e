"""Masking profiles of ``interop.toml``: who sees some fields of a masked message.

A profile is given to roles there, or to one account or token as ``profile:NAME``. It
lies between seeing no patient data and the permission view-phi, which sees all of it.

Spec:
    security.md S11 (field masking profiles).
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

from engine.console.permissions import PROFILE, Permission, Role
from engine.errors import ConfigurationError
from engine.hl7.masking_profile import NOTHING, MaskingProfile, places
from engine.settings import Settings

KEYS: Final = frozenset({"show", "years", "roles"})
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Named:
    """A profile, and the roles that have it without being given it."""

    profile: MaskingProfile
    roles: frozenset[str]


def profiles_of(settings: Settings) -> dict[str, Named]:
    """Return the profiles of ``[masking.NAME]`` by name.

    Raises:
        ConfigurationError: with everything that cannot be read.
    """
    found: dict[str, Named] = {}
    faults: list[str] = []
    for name, told in settings.masking.items():
        try:
            found[name] = _read(name, told)
        except ValueError as error:
            faults.append(f"interop.toml: error: masking.{name}: {error}")
    if faults:
        raise ConfigurationError("a masking profile is wrong", tuple(faults))
    return found


def _read(name: str, told: object) -> Named:
    if not NAME.fullmatch(name):
        raise ValueError("a name has small letters, digits and -")
    if not isinstance(told, Mapping):
        raise ValueError("a section is expected")  # noqa: TRY004 - a fault of the file
    if unknown := sorted(told.keys() - KEYS):
        raise ValueError(
            f"{unknown[0]} is unknown; there are {', '.join(sorted(KEYS))}"
        )
    show, years, roles = (
        _words(told.get(key, [])) for key in ("show", "years", "roles")
    )
    if wrong := sorted(set(roles) - set(Role)):
        raise ValueError(f"{wrong[0]} is no role; there are {', '.join(Role)}")
    return Named(MaskingProfile(places(show), places(years)), frozenset(roles))


def _words(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{value!r} is no list of words")
    return value


def seen_by(grants: Collection[str], settings: Settings) -> MaskingProfile:
    """Return what these grants show together; a profile that is gone shows nothing."""
    held = [
        each.profile
        for name, each in profiles_of(settings).items()
        if PROFILE + name in grants or each.roles & set(grants)
    ]
    return reduce(or_, held, NOTHING)


def scope_of(words: Iterable[str], settings: Settings) -> list[str]:
    """Return what a token may be given: permissions, and profiles that there are.

    Raises:
        ValueError: with a sentence, for any other word or for none.
    """
    known = [*Permission, *(PROFILE + name for name in profiles_of(settings))]
    wanted = sorted(set(words))
    if not wanted or not set(wanted) <= set(known):
        raise ValueError("a token has permissions: " + ", ".join(known))
    return wanted
