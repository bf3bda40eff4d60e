"""What a FHIR server's answers say, read without repeating patient data.

Spec:
    FHIR R4 (4.0.1), http.html: transaction, batch and search; OperationOutcome.
"""

import json
import re
from codecs import BOM_UTF8
from typing import Final

import orjson

from engine.channels.posting import classify
from engine.errors import AmbiguousError, DeliveryError, PermanentError
from engine.transforms.fhir.digits import Digits
from engine.transforms.fhir.exchange import Held
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.update import has_parts

MAX_ISSUES: Final = 3
_CODE: Final = re.compile(r"[a-z][a-z-]{1,30}")
_ELEMENT: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*|\[\d+\])*")
_STATUS: Final = re.compile(r"[1-5]\d\d")
_SEVERAL: Final = 412
_MOST_DIGITS: Final = 18
"""So many fit into 64 bits, whatever they are."""


def statuses(body: bytes) -> list[int]:
    """Return the HTTP status of each entry of a batch or transaction response.

    Raises:
        AmbiguousError: it is none.
    """
    entries = read(body).get("entry")
    if not isinstance(entries, list):
        raise AmbiguousError("the answer is no batch-response", "unreadable-answer")
    found = []
    for number, entry in enumerate(entries, start=1):
        response = entry.get("response") if isinstance(entry, dict) else None
        told = str(response.get("status", "")) if isinstance(response, dict) else ""
        match = _STATUS.match(told)
        if match is None:
            raise AmbiguousError(f"entry {number} has no status", "unreadable-answer")
        found.append(int(match[0]))
    return found


def batch_failure(body: bytes) -> DeliveryError | None:
    """Return the error of the first entry that a batch did not take, if any."""
    try:
        told = statuses(body)
    except AmbiguousError as error:
        return error
    for number, status in enumerate(told, start=1):
        if status // 100 != 2:  # noqa: PLR2004 - HTTP success
            return classify(status, f"entry {number}")
    return None


def outcome_in_words(body: bytes) -> str:
    """Return what an OperationOutcome complains of: elements and codes, never text.

    ``diagnostics`` and ``details`` may quote the resource, so they are left out.

    Examples:
        >>> outcome_in_words(b'{"issue": [{"code": "required", '
        ...     b'"expression": ["Encounter.class"], "diagnostics": "of John Doe"}]}')
        'Encounter.class: required'
    """
    issues = read(body).get("issue")
    if not isinstance(issues, list):
        return ""
    told = [_issue(issue) for issue in issues if isinstance(issue, dict)]
    return "; ".join(text for text in told[:MAX_ISSUES] if text)


def _issue(issue: Element) -> str:
    places = issue.get("expression")
    place = str(places[0]) if isinstance(places, list) and places else ""
    code = str(issue.get("code", ""))
    said = [place if _ELEMENT.fullmatch(place) else ""]
    said.append(code if _CODE.fullmatch(code) else "")
    return ": ".join(text for text in said if text)


def read(body: bytes) -> Element:
    """Return a JSON object, ``{}`` where there is none; decimals keep their digits.

    What it holds can be sent back: `json` also takes NaN, half a surrogate pair and
    whole numbers beyond 64 bits, which `write_json` does not.
    """
    content = body.removeprefix(BOM_UTF8)
    try:
        orjson.loads(content)
        found = json.loads(content, parse_float=Digits, parse_int=_whole)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _whole(text: str) -> int | Digits:
    return int(text) if len(text) <= _MOST_DIGITS else Digits(text)


def held_in(searchset: object, query: str) -> Held | None:
    """Return the one resource that a search found, None where there is none.

    Args:
        searchset: the Bundle a server answered a search with.
        query: what was asked for, ``Patient?identifier=...``.

    Raises:
        AmbiguousError: it is no answer to a search, or what was found no resource.
        PermanentError: there are several; which of them is meant nobody can say.
    """
    kind = query.partition("?")[0]
    if not isinstance(searchset, dict) or searchset.get("type") != "searchset":
        raise AmbiguousError("the answer is no search result", "unreadable-answer")
    entries = searchset.get("entry")
    found = [
        one["resource"]
        for one in (entries if isinstance(entries, list) else ())
        if isinstance(one, dict)
        and isinstance(one.get("resource"), dict)
        and one["resource"].get("resourceType") == kind
    ]
    if len(found) > 1:
        sentence = f"several {kind} resources have the identifier of one"
        raise PermanentError(sentence, f"http-{_SEVERAL}", status=_SEVERAL)
    if not found:
        return None
    if not has_parts(found[0]):
        sentence = f"the server's {kind} is not formed as FHIR resources are"
        raise AmbiguousError(sentence, "unreadable-answer")
    return Held(f"{kind}/{found[0].get('id')}", found[0])
