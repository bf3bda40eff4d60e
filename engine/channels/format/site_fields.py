"""What a site calls the fields of its own segments: ``[hl7.ZPI]`` in ``interop.toml``.

Spec:
    channel-format.md 4.1, Z segments; cli.md, table of settings.
"""

import re
from collections.abc import Iterator
from typing import Final

from engine.settings import Settings

_SEGMENT: Final = re.compile("Z[A-Z0-9]{2}")
_PLACE: Final = re.compile(r"[1-9]\d{0,2}(?:\.[1-9]\d{0,2})?")


def site_fields(settings: Settings) -> dict[str, str]:
    """Return the names by path, ``ZPI-2`` or, of a component, ``ZPI-2.1``."""
    return {
        f"{segment}-{place}": name
        for segment, names in settings.hl7.items()
        if isinstance(names, dict)
        for place, name in names.items()
        if isinstance(name, str)
    }


def site_field_faults(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield key, sentence and hint for each entry that names no field."""
    for segment, names in settings.hl7.items():
        if not _SEGMENT.fullmatch(segment) or not isinstance(names, dict):
            hint = "name fields of Z segments, as in [hl7.ZPI]"
            yield segment, f"[hl7] {segment} is no section of a Z segment", hint
            continue
        for place, name in names.items():
            if not _PLACE.fullmatch(place) or not isinstance(name, str):
                hint = 'write 2 = "name", or "2.1" = "name" for a component'
                yield place, f"[hl7.{segment}] {place} names no field", hint
