"""Patients fed over FHIR: ``PUT`` or ``DELETE [path]/Patient?identifier=SYSTEM|VALUE``.

Each becomes a message that is on disk before it is answered: 200 when it can be read,
422 when it cannot or the channel refuses it; then it stands in the error queue. What it
means for the index is decided afterwards, as with every feed. Answers are
OperationOutcomes and repeat nothing of what was sent.

Spec:
    identity.md 11, ITI-104; IHE PIXm 3.0.4, 2:3.104.4; FHIR R4, http.html#cond-update.
"""

from typing import Final

import orjson
from typing_extensions import override

from engine.channels.accept import Reply
from engine.channels.format.cda_site import engine_version
from engine.channels.patient_feed import (
    MOST_BYTES,
    Form,
    asked_for,
    enclosed,
    removal,
)
from engine.channels.posts import OK, REFUSED, UNREADABLE, Post, Posted, status_of
from engine.hl7 import parse
from engine.identity.index import Identifier
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.xml_form import to_xml

_FORMS: Final = {
    "": Form.JSON, "application/fhir+json": Form.JSON, "application/json": Form.JSON,
    "application/fhir+xml": Form.XML, "application/xml": Form.XML, "text/xml": Form.XML,
}  # fmt: skip
"""Media types of what is sent, and of the answers that are asked for."""

_PATIENT: Final = "/Patient"
_METADATA: Final = "/metadata"
_NUMBER: Final = b"identifier"
_NAME_IT: Final = "name the patient in the address: Patient?identifier=SYSTEM|VALUE"
_UNSUPPORTED: Final = 415
_TOO_LONG: Final = 413
_ISSUES: Final = {
    401: "login", 405: "not-supported", 413: "too-long", 415: "not-supported",
    503: "transient",
}  # fmt: skip


class Patients(Post):
    """Where Patients of one channel are fed."""

    places = (_PATIENT, _METADATA)
    methods = (b"PUT", b"DELETE")

    @override
    def render(self, request: Posted) -> bytes | int:
        """Answer one request, now or once the Patient is on disk."""
        if request.path.endswith(_METADATA.encode()):
            return self.unwelcome(request, (b"GET",)) or self._capability(request)
        if request.method == b"DELETE":
            return self.unwelcome(request, self.methods) or self._remove(request)
        return super().render(request)

    @override
    def say(self, request: Posted, status: int, sentence: str) -> bytes:
        """Return an OperationOutcome with one sentence."""
        request.setResponseCode(status)
        good = status == OK
        issue = {
            "severity": "information" if good else "error",
            "code": "informational" if good else _ISSUES.get(status, "invalid"),
            "diagnostics": sentence,
        }
        return _written(request, {"resourceType": "OperationOutcome", "issue": [issue]})

    @override
    def take(self, request: Posted, body: bytes) -> bytes | int:
        """Journal the message that says what the Patient says, then answer."""
        form = _form_of(request)
        if form is None:
            sentence = "send application/fhir+json or application/fhir+xml"
            return self.say(request, _UNSUPPORTED, sentence)
        if len(body) > MOST_BYTES:
            return self.say(request, _TOO_LONG, "a Patient of at most 1 MB is taken")
        about = _addressed(request)
        if about is None:
            return self.say(request, UNREADABLE, _NAME_IT)
        intake = self.intake
        found = enclosed(body, about, intake.now(), intake.new_control_id(), form)
        request.refusal = found.refusal
        return super().take(request, found.message)

    def _remove(self, request: Posted) -> bytes | int:
        """Journal the message that says that there is no such patient, then answer."""
        about = _addressed(request)
        if about is None:
            return self.say(request, UNREADABLE, _NAME_IT)
        intake = self.intake
        message = removal(about, intake.now(), intake.new_control_id())
        return super().take(request, message)

    @override
    def told(self, reply: Reply, request: Posted) -> tuple[int, bytes]:
        """Set status and kind of the answer; return the status and the body."""
        status, answer = status_of(reply)
        if status == OK and request.refusal:
            status, sentence = REFUSED, f"kept, and refused: {request.refusal}"
        elif status == OK:
            sentence = "on disk; the patient index decides next"
        elif status == REFUSED:
            sentence = f"kept, and refused: {parse(answer)['ERR-8']}"
        else:
            sentence = "not stored: send it again"
        return status, self.say(request, status, sentence)

    def _capability(self, request: Posted) -> bytes:
        """Return what is done here, as a CapabilityStatement."""
        patient = {
            "type": "Patient",
            "interaction": [{"code": "update"}, {"code": "delete"}],
            "conditionalUpdate": True,
            "conditionalDelete": "single",
            "searchParam": [{"name": "identifier", "type": "token"}],
        }
        return _written(
            request,
            {
                "resourceType": "CapabilityStatement",
                "status": "active",
                "date": f"{self.intake.now():%Y-%m-%d}",
                "kind": "instance",
                "software": {"name": "Interop Engine", "version": engine_version()},
                "implementation": {"description": "Patient identity feed, ITI-104"},
                "fhirVersion": "4.0.1",
                "format": ["json", "xml"],
                "rest": [{"mode": "server", "resource": [patient]}],
            },
        )


def _addressed(request: Posted) -> Identifier | None:
    """Return the number in the address; None for none, or for several."""
    numbers = request.args.get(_NUMBER, [])
    if len(numbers) != 1:
        return None
    return asked_for(numbers[0].decode("utf-8", "replace"))


def _form_of(request: Posted) -> Form | None:
    """Return how the body is written, None where we do not read that."""
    return _FORMS.get(_media_type(request.getHeader(b"Content-Type")))


def _media_type(header: bytes | None) -> str:
    return (header or b"").partition(b";")[0].decode("latin-1").strip().lower()


def _written(request: Posted, resource: Element) -> bytes:
    """Return an answer in the form that is asked for, else in that of the body."""
    asked = (request.getHeader(b"Accept") or b"").split(b",")
    wanted = (_FORMS.get(_media_type(each)) for each in asked if each)
    form = next(filter(None, wanted), None) or _form_of(request) or Form.JSON
    request.setHeader(b"Content-Type", f"application/{form}".encode())
    return to_xml(resource) if form is Form.XML else orjson.dumps(resource)
