"""Which of two messages counts: how plainly it speaks, then when it was said.

Spec:
    fhir.md T31.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, NamedTuple

from engine.transforms.fhir.mapped import Element

NEVER: Final = datetime.min.replace(tzinfo=UTC)

PRESUMED, PRELIMINARY, SAID = range(3)
"""How plainly something is said: filled in for FHIR's sake, not yet final, said."""


class Stamp(NamedTuple):
    """When something was said and how plainly; the greater one counts.

    ``at`` is the source's time of this state of things, ``sent`` tells two messages
    about the same state of a result apart.
    """

    rank: int = SAID
    at: datetime = NEVER
    sent: datetime = NEVER


OLDEST: Final = Stamp(PRESUMED)
UNTIMED: Final = Stamp()

_NOT_FINAL: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "Observation": frozenset(("registered", "preliminary")),
        "DiagnosticReport": frozenset(("registered", "partial", "preliminary")),
    }
)
"""Statuses of results that a final one supersedes, whichever comes first."""


def rank_of(resource: Element) -> int:
    """Return how plainly a resource speaks: a result may be preliminary."""
    early = _NOT_FINAL.get(str(resource["resourceType"]), frozenset())
    return PRELIMINARY if resource.get("status") in early else SAID
