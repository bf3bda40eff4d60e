"""``Patient/[id]/$everything``: all that is kept of a person, as one searchset.

Spec:
    console.md S7 (export); FHIR R4, operation Patient-everything.
"""

from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from engine.console.fhir_api.answers import Refusal, audited, base_of, searchset, told
from engine.console.fhir_api.patients import PersonId
from engine.console.permissions import Permission
from engine.console.surroundings import caller, surroundings
from engine.transforms.fhir.mapped import Element

_NO_PARAMETERS = "no parameter is supported: all that is kept is given, in one page"


async def everything(request: Request, person: PersonId) -> Response:
    """Answer with the Patient and every resource kept of them, on one page."""
    here = surroundings(request)
    sees = caller(request).may(Permission.VIEW_CONFIDENTIAL)
    if request.query_params:
        raise Refusal(HTTPStatus.BAD_REQUEST, "not-supported", _NO_PARAMETERS)

    def look() -> list[Element]:
        with here.directory.open(here.database, confidential=sees) as lookup:
            today = lookup.today(person)
            bundle = lookup.everything(today) if today else {}
        found = bundle.get("entry", [])
        assert isinstance(found, list)
        return found

    entries = await run_in_threadpool(look)
    await audited(request, "view.everything", person, [person] if entries else [])
    if not entries:
        raise Refusal(HTTPStatus.NOT_FOUND, "not-found", "no such Patient")
    matched = [{**each, "search": {"mode": "match"}} for each in entries]
    self_link = f"{base_of(request)}Patient/{person}/$everything"
    return told(searchset(matched, len(matched), {"self": self_link}))
