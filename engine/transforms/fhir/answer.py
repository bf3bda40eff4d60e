"""MSA and ERR to MessageHeader.response and an OperationOutcome.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment map MSA[MessageHeader]; fhir.md D17.
"""

import re
from typing import Final

from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import append, code, plain, put
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry

_RESPONSES: Final = {
    "AA": "ok", "CA": "ok", "AE": "transient-error", "CE": "transient-error",
    "AR": "fatal-error", "CR": "fatal-error",
}  # fmt: skip
_SEVERITIES: Final = {
    "I": "information", "W": "warning", "E": "error", "F": "fatal",
    "ok": "information", "transient-error": "error", "fatal-error": "fatal",
}  # fmt: skip
_ISSUES: Final = {
    "0": "informational", "100": "structure", "101": "required", "102": "value",
    "103": "code-invalid", "200": "not-supported", "201": "not-supported",
    "202": "not-supported", "203": "not-supported", "204": "not-found",
    "205": "duplicate", "206": "lock-error", "207": "exception",
}  # fmt: skip
"""Table 0357 to issue-type."""
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
_ORIGINAL: Final = "http://hl7.org/fhir/StructureDefinition/originalText"
_OUTCOME: Final = "outcome"


def add_response(conversion: Conversion, header: Entry) -> None:
    """Say in the MessageHeader what the message answers, and how it went."""
    msa = conversion.tree.first("MSA")
    if msa is None:
        return
    kind = _RESPONSES.get(code(msa.text(1)), "fatal-error")
    response: Element = {"code": kind}
    number = plain(msa.text(2))
    if _ID.fullmatch(number):
        response["identifier"] = number
    else:
        one = {"url": _ORIGINAL, "valueString": number or "unknown"}
        response["_identifier"] = {"extension": [one]}
    issues = [_issue(conversion, err, kind) for err in conversion.tree.each("ERR")]
    if words := conversion.string(msa, 3):
        severity = _SEVERITIES[kind]
        issues.append(
            {"severity": severity, "code": "informational", "diagnostics": words}
        )
    if issues:
        outcome: Element = {"resourceType": "OperationOutcome", "id": _OUTCOME}
        outcome["issue"] = issues
        append(header.resource, "contained", outcome)
        response["details"] = {"reference": f"#{_OUTCOME}"}
    header.resource["response"] = response


def _issue(conversion: Conversion, err: Node, kind: str) -> Element:
    """Return one ERR: where, what, how bad, and in which words."""
    sent = code(err.text(4))
    found: Element = {"severity": _SEVERITIES.get(sent, _SEVERITIES[kind])}
    found["code"] = _ISSUES.get(err.text(3).strip(), "processing")
    put(found, "details", conversion.concept(err, 3, "0357"))
    words = [conversion.string(err, 7), conversion.string(err, 8)]
    put(found, "diagnostics", "\n".join(text for text in words if text))
    places = [place for source in err.all(2) if (place := _place(source.texts(6)))]
    put(found, "expression", places)
    return found


def _place(parts: list[str]) -> str:
    """Return an ERL as this engine writes places: ``PID[1]-3[2].1``."""
    segment, number, field, repetition, component, _ = parts
    text = segment
    if number:
        text += f"[{number}]"
    if field:
        text += f"-{field}"
    if repetition:
        text += f"[{repetition}]"
    return f"{text}.{component}" if component else text
