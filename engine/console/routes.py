"""Every route of the console in one table: what it answers, and who may ask."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from engine.console import health
from engine.console.fhir_api import capability, match, patients, pixm
from engine.console.permissions import Permission


class Route(NamedTuple):
    """One route; ``permission`` None is open to everybody."""

    method: str
    path: str
    endpoint: Callable[..., Any]
    permission: Permission | None


ROUTES: Final[Sequence[Route]] = (
    Route("GET", "/livez", health.livez, None),
    Route("GET", "/startupz", health.startupz, None),
    Route("GET", "/readyz", health.readyz, None),
    Route("GET", "/fhir/metadata", capability.metadata, Permission.VIEW_METADATA),
    Route("POST", "/fhir/Patient/$match", match.match, Permission.VIEW_PHI),
    Route("GET", "/fhir/Patient/$ihe-pix", pixm.cross_reference, Permission.VIEW_PHI),
    Route("GET", "/fhir/Patient", patients.search, Permission.VIEW_PHI),
    Route(
        "POST", "/fhir/Patient/_search", patients.search_by_form, Permission.VIEW_PHI
    ),
    Route("GET", "/fhir/Patient/{id}", patients.read, Permission.VIEW_PHI),
)
