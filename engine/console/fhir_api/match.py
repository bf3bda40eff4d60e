"""``Patient/$match`` (ITI-119): who may be meant, with how sure that is.

Spec:
    identity.md 11; FHIR R4 Patient-operation-match.
"""

from http import HTTPStatus
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from engine.channels.patient_pid import traits_in
from engine.console.fhir_api.answers import (
    Refusal,
    audited,
    base_of,
    resource_in,
    searchset,
    told,
)
from engine.console.permissions import Permission
from engine.console.surroundings import caller, surroundings
from engine.identity.grading import Grade, Graded
from engine.identity.traits import Traits
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.systems import EXTENSION

DEFAULT_COUNT: Final = 10
MOST: Final = 40
GRADE: Final = EXTENSION + "match-grade"


async def match(request: Request) -> Response:
    """Answer with the persons alike; nothing of the index is written (M04)."""
    asked = await resource_in(request)
    patient, only_certain, count = parameters_in(asked)
    found = await run_in_threadpool(_alike, request, traits_in(patient))
    wanted = {Grade.CERTAIN} if only_certain else set(Grade) - {Grade.CERTAINLY_NOT}
    graded = [each for each in found if each.grade in wanted][:count]
    entries = await run_in_threadpool(_entries, request, graded)
    await audited(request, "query.match", patient, [each.person for each in graded])
    return told(searchset(entries, len(entries), {}))


def parameters_in(asked: Element) -> tuple[Element, bool, int]:
    """Return the Patient, ``onlyCertainMatches`` and ``count``.

    A bare Patient is taken too, as some clients send it.

    Raises:
        Refusal: there is no Patient, or the count is none.
    """
    if asked.get("resourceType") == "Patient":
        return asked, False, DEFAULT_COUNT
    listed = asked.get("parameter")
    named = {
        str(one.get("name")): one
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict)
    }
    patient = named.get("resource", {}).get("resource")
    if not isinstance(patient, dict) or patient.get("resourceType") != "Patient":
        sentence = "Parameters.parameter named resource must hold a Patient"
        raise Refusal(HTTPStatus.BAD_REQUEST, "required", sentence)
    count = named.get("count", {}).get("valueInteger", DEFAULT_COUNT)
    if not isinstance(count, int) or count < 1:
        sentence = "count must be a positive integer"
        raise Refusal(HTTPStatus.BAD_REQUEST, "value", sentence)
    only = named.get("onlyCertainMatches", {}).get("valueBoolean", False)
    return patient, only is True, min(count, MOST)


def _alike(request: Request, traits: Traits) -> list[Graded]:
    here = surroundings(request)
    sees = caller(request).may(Permission.VIEW_CONFIDENTIAL)
    with here.directory.open(here.database, confidential=sees) as lookup:
        return lookup.search.alike(traits)


def _entries(request: Request, found: list[Graded]) -> list[Element]:
    here, base = surroundings(request), base_of(request)
    sees = caller(request).may(Permission.VIEW_CONFIDENTIAL)
    with here.directory.open(here.database, confidential=sees) as lookup:
        patients = lookup.patients([each.person for each in found])
    return [
        {
            "fullUrl": f"{base}Patient/{each.person}",
            "resource": patient,
            "search": {
                "extension": [{"url": GRADE, "valueCode": each.grade.value}],
                "mode": "match",
                "score": round(each.posterior, 4),
            },
        }
        for each, patient in zip(found, patients, strict=True)
    ]
