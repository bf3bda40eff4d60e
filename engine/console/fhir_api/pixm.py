"""``Patient/$ihe-pix`` (PIXm, ITI-83): other numbers of whoever has one.

Spec:
    identity.md 11, ITI-83.
"""

from http import HTTPStatus
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from engine.channels.queries.demographics import identifier_of
from engine.channels.queries.directory import Lookup
from engine.console.fhir_api.answers import Refusal, audited, base_of, told
from engine.console.permissions import Permission
from engine.console.surroundings import caller, surroundings
from engine.store.person_numbers import Number
from engine.transforms.fhir.mapped import Element

_SOURCE: Final = "sourceIdentifier"
_TARGET: Final = "targetSystem"


async def cross_reference(request: Request) -> Response:
    """Answer with the numbers in use, and never with those of a possible match."""
    asked = request.query_params
    source, targets = asked.getlist(_SOURCE), asked.getlist(_TARGET)
    system, mark, value = (source[0] if len(source) == 1 else "").partition("|")
    if not (mark and system and value):
        sentence = f"{_SOURCE} must be given once, as system|value"
        raise Refusal(HTTPStatus.BAD_REQUEST, "required", sentence)
    person, parameters = await run_in_threadpool(
        _answer, request, system, value, targets
    )
    query = {_SOURCE: source[0], _TARGET: targets}
    await audited(request, "query.pixm", query, [person] if person else [])
    if not person:
        sentence = f"{_SOURCE} Patient Identifier not found"
        raise Refusal(HTTPStatus.NOT_FOUND, "not-found", sentence)
    return told({"resourceType": "Parameters", "parameter": parameters})


def _answer(
    request: Request, system: str, value: str, targets: list[str]
) -> tuple[str, list[Element]]:
    here = surroundings(request)
    sees = caller(request).may(Permission.VIEW_CONFIDENTIAL)
    with here.directory.open(here.database, confidential=sees) as lookup:
        authority = lookup.authority(system)
        if authority is None:
            sentence = f"{_SOURCE} Assigning Authority not found"
            raise Refusal(HTTPStatus.BAD_REQUEST, "code-invalid", sentence)
        wanted = _domains(lookup, targets)
        persons = lookup.persons(authority, value)
        if len(persons) != 1:
            return "", []
        return persons[0], _parameters(lookup, persons[0], wanted, base_of(request))


def _domains(lookup: Lookup, targets: list[str]) -> set[str]:
    found = {lookup.authority(each) for each in targets}
    if None in found:
        sentence = f"{_TARGET} not found"
        raise Refusal(HTTPStatus.FORBIDDEN, "code-invalid", sentence)
    return {each for each in found if each is not None}


def _parameters(
    lookup: Lookup, person: str, wanted: set[str], base: str
) -> list[Element]:
    found: list[Element] = [
        {
            "name": "targetIdentifier",
            "valueIdentifier": identifier_of(Number(each, active=True)),
        }
        for each in lookup.cross_reference(person)
        if not wanted or each.authority in wanted
    ]
    reference = {"reference": f"{base}Patient/{person}"}
    return [*found, {"name": "targetId", "valueReference": reference}]
