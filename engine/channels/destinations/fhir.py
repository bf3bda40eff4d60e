"""Post FHIR Bundles to a server and read its answer without repeating patient data.

Spec:
    FHIR R4 (4.0.1), http.html: transaction and batch; OperationOutcome.
"""

import re
from dataclasses import dataclass
from typing import Final

import orjson

from engine.channels.destinations import Document, Receipt
from engine.channels.posting import Poster, classify, failure_of
from engine.errors import AmbiguousError, DeliveryError

FHIR_JSON: Final = "application/fhir+json"
MAX_ISSUES: Final = 3
_CODE: Final = re.compile(r"[a-z][a-z-]{1,30}")
_ELEMENT: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*|\[\d+\])*")
_STATUS: Final = re.compile(r"[1-5]\d\d")
_BELOW: Final = {"message": "/$process-message"}


@dataclass(frozen=True, slots=True)
class FhirSender:
    """Posts what the worker rendered to the base of a FHIR server.

    With mode ``single`` the document's name is its request, as in
    ``PUT Patient?identifier=...`` or ``POST Observation``.
    """

    poster: Poster
    mode: str = "transaction"

    async def send(self, document: Document) -> Receipt:
        """Return the server's answer when everything in the document was taken.

        Raises:
            DeliveryError: an entry of it was not; the type says what happens next.
        """
        method, below = self._request(document)
        answer = await self.poster.send(
            document.content,
            FHIR_JSON,
            document.require_ours,
            method=method,
            below=below,
            headers={"Accept": FHIR_JSON, "Prefer": "return=minimal"},
        )
        failure = failure_of(answer, outcome_in_words)
        if failure is None and self.mode == "batch":
            failure = batch_failure(answer.body)
        if failure is not None:
            raise failure
        return Receipt(answer.body, note=f"HTTP {answer.status}")

    def _request(self, document: Document) -> tuple[str, str]:
        if self.mode != "single":
            return "POST", _BELOW.get(self.mode, "")
        method, _, place = document.name.partition(" ")
        return (method, f"/{place}") if place else ("POST", "")

    def close(self) -> None:
        """Close kept connections."""
        self.poster.client.close()


def batch_failure(body: bytes) -> DeliveryError | None:
    """Return the error of the first entry that a batch did not take, if any."""
    entries = _parsed(body).get("entry")
    if not isinstance(entries, list):
        return AmbiguousError("the answer is no batch-response", "unreadable-answer")
    for number, entry in enumerate(entries, start=1):
        response = entry.get("response") if isinstance(entry, dict) else None
        told = str(response.get("status", "")) if isinstance(response, dict) else ""
        found = _STATUS.match(told)
        if found is None:
            return AmbiguousError(f"entry {number} has no status", "unreadable-answer")
        if not found[0].startswith("2"):
            return classify(int(found[0]), f"entry {number}")
    return None


def outcome_in_words(body: bytes) -> str:
    """Return what an OperationOutcome complains of: elements and codes, never text.

    ``diagnostics`` and ``details`` may quote the resource, so they are left out.

    Examples:
        >>> outcome_in_words(b'{"issue": [{"code": "required", '
        ...     b'"expression": ["Encounter.class"], "diagnostics": "of John Doe"}]}')
        'Encounter.class: required'
    """
    issues = _parsed(body).get("issue")
    if not isinstance(issues, list):
        return ""
    told = [_issue(issue) for issue in issues if isinstance(issue, dict)]
    return "; ".join(text for text in told[:MAX_ISSUES] if text)


def _issue(issue: dict[str, object]) -> str:
    places = issue.get("expression")
    place = str(places[0]) if isinstance(places, list) and places else ""
    code = str(issue.get("code", ""))
    said = [place if _ELEMENT.fullmatch(place) else ""]
    said.append(code if _CODE.fullmatch(code) else "")
    return ": ".join(text for text in said if text)


def _parsed(body: bytes) -> dict[str, object]:
    try:
        parsed = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
