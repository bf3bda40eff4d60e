"""How the FHIR API answers, refuses, and keeps account of who was told what.

Spec:
    identity.md 11 and 13, Audit; security.md S18 and S24.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from engine.console.exposure import note_opening
from engine.console.problems import FHIR, operation_outcome
from engine.transforms.fhir.mapped import Element

BASE: Final = "fhir/"
JSON: Final = frozenset({"application/fhir+json", "application/json"})
FORM: Final = "application/x-www-form-urlencoded"


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of ours
    """Ends a request with an OperationOutcome; it repeats no value of the request."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code


def refused(_: Request, refusal: Exception) -> Response:
    """Return the answer a refusal stands for."""
    assert isinstance(refusal, Refusal)
    content = operation_outcome(refusal.code, str(refusal))
    return Response(content, refusal.status, media_type=FHIR)


def told(resource: Element) -> Response:
    """Return a resource as the answer."""
    return Response(orjson.dumps(resource), media_type=FHIR)


def base_of(request: Request) -> str:
    """Return the address of the FHIR API, as this caller reached it."""
    return str(request.base_url) + BASE


def searchset(
    entries: Sequence[Element], total: int | None, links: Mapping[str, str]
) -> Element:
    """Return a Bundle of type searchset."""
    bundle: Element = {"resourceType": "Bundle", "type": "searchset"}
    if total is not None:
        bundle["total"] = total
    if links:
        bundle["link"] = [{"relation": name, "url": url} for name, url in links.items()]
    if entries:
        bundle["entry"] = list(entries)
    return bundle


async def resource_in(request: Request) -> Element:
    """Return the JSON object in the body.

    Raises:
        Refusal: it is of another kind, or no JSON object.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in JSON:
        sentence = "send application/fhir+json"
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-supported", sentence)
    try:
        found = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        sentence = "the body is not a JSON object"
        raise Refusal(HTTPStatus.BAD_REQUEST, "structure", sentence)
    return found


async def audited(
    request: Request, action: str, asked: object, persons: Sequence[str]
) -> None:
    """Write who asked what and which persons were in the answer.

    It is on disk before the answer leaves; where it cannot be written, none does. Where
    it is one person, the act names them by their hash too.
    """
    detail = orjson.dumps(
        {
            "request": request.state.request_id,
            "query": asked,
            "persons": list(persons),
        }
    ).decode()
    whom = persons if len(persons) == 1 else ()
    await run_in_threadpool(
        note_opening, request, action, "patient index", detail, patients=whom
    )
