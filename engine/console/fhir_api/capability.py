"""``metadata``: what this FHIR API does."""

from starlette.requests import Request
from starlette.responses import Response

from engine.channels.format.cda_site import engine_version
from engine.console.fhir_api.answers import base_of, told
from engine.console.fhir_api.parameters import SUPPORTED
from engine.console.surroundings import surroundings
from engine.transforms.fhir.mapped import Element


async def metadata(request: Request) -> Response:
    """Answer with the CapabilityStatement."""
    site = surroundings(request).settings.site
    operations = [
        {
            "name": "match",
            "definition": "http://hl7.org/fhir/OperationDefinition/Patient-match",
        },
        {
            "name": "everything",
            "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything",
        },
        {
            "name": "ihe-pix",
            "definition": "https://profiles.ihe.net/ITI/PIXm/"
            "OperationDefinition/IHE.PIXm.pix",
        },
    ]
    patient: Element = {
        "type": "Patient",
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [
            {"name": name, "type": kind} for name, kind in SUPPORTED.items()
        ],
        "operation": operations,
    }
    security = {"description": "Authorization: Bearer TOKEN (interop token create)"}
    return told(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": surroundings(request).now().isoformat(timespec="seconds"),
            "kind": "instance",
            "software": {"name": "Interop Engine", "version": engine_version()},
            "implementation": {"description": site, "url": base_of(request)},
            "fhirVersion": "4.0.1",
            "format": ["json"],
            "rest": [{"mode": "server", "security": security, "resource": [patient]}],
        }
    )
