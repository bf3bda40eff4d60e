"""Answers that say what went wrong: RFC 9457 problems, OperationOutcomes for FHIR.

They repeat nothing of the request: it may name a patient.
"""

from http import HTTPStatus
from typing import Final

import orjson
from starlette.responses import Response

PROBLEM: Final = "application/problem+json"
FHIR: Final = "application/fhir+json"
FHIR_PATH: Final = "/fhir/"
API_PATH: Final = "/api/v1/"
PROGRAMS: Final = (FHIR_PATH, API_PATH)
"""Where nobody is answered with a page."""

_WAIT: Final = {429: 900, 503: 5}
"""Seconds after which a program may ask again."""

_ISSUE_CODES: Final = {401: "login", 403: "forbidden", 404: "not-found"}


def problem(
    path: str, status: int, sentence: str = "", request_id: str = ""
) -> Response:
    """Return the answer to a request that was not done, as its path expects it."""
    phrase = HTTPStatus(status).phrase
    headers = {}
    if status in _WAIT:
        headers["Retry-After"] = str(_WAIT[status])
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if path.startswith(FHIR_PATH):
        content = operation_outcome(_issue_code(status), sentence or phrase)
        return Response(content, status, headers, FHIR)
    body: dict[str, object] = {"type": "about:blank", "title": phrase, "status": status}
    if sentence:
        body["detail"] = sentence
    if request_id:
        body["instance"] = f"urn:request:{request_id}"
    return Response(orjson.dumps(body), status, headers, PROBLEM)


def _issue_code(status: int) -> str:
    failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return _ISSUE_CODES.get(status, "exception" if failed else "invalid")


def operation_outcome(code: str, sentence: str) -> bytes:
    """Return an OperationOutcome with one error, of FHIR's issue-type ``code``."""
    issue = {"severity": "error", "code": code, "diagnostics": sentence}
    return orjson.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
