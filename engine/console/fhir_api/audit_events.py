"""Acts of the audit trail as FHIR AuditEvents.

Spec:
    FHIR R4 AuditEvent: type, recorded, agent and source are required; IHE PIXm 3.0.4,
    2:3.104.5.1.2, the events of a patient feed as the manager records them.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC
from types import MappingProxyType
from typing import Final

from engine.channels.processing.fed import CREATE, DELETE, UPDATE
from engine.console.fhir_api.answers import searchset
from engine.store.audit import AuditRow
from engine.transforms.fhir.mapped import Element

_DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_TYPES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "sign-in": ("110114", "User Authentication"),
        "sign-out": ("110114", "User Authentication"),
        "view": ("110110", "Patient Record"),
        "reveal": ("110110", "Patient Record"),
        "query": ("110112", "Query"),
        "search": ("110112", "Query"),
        "audit": ("110101", "Audit Log Used"),
        "user": ("110113", "Security Alert"),
        "token": ("110113", "Security Alert"),
        "break-glass": ("110113", "Security Alert"),
    }
)
"""The first word of an act: DICOM PS3.16 CID 400; others are application activity."""

_FEEDS: Final[Mapping[str, str]] = MappingProxyType(
    {CREATE: "C", UPDATE: "U", DELETE: "D"}
)
_CODES: Final = "http://terminology.hl7.org/CodeSystem/"
_REST: Final = {
    "system": f"{_CODES}audit-event-type",
    "code": "rest",
    "display": "Restful Operation",
}
_ITI_104: Final = {
    "system": "urn:ihe:event-type-code",
    "code": "ITI-104",
    "display": "Patient Identity Feed FHIR",
}
_IP_ADDRESS: Final = "2"
_OTHER: Final = ("110100", "Application Activity")
_READS: Final = frozenset({"view", "reveal", "query", "search", "audit"})


def bundle(rows: Sequence[AuditRow], site: str) -> Element:
    """Return a searchset of AuditEvents, in the order of the rows."""
    entries: list[Element] = [{"resource": audit_event(each, site)} for each in rows]
    return searchset(entries, len(entries), {})


def audit_event(row: AuditRow, site: str) -> Element:
    """Return one act; its detail, which may name a patient, is left out."""
    act = row.act
    kind, _, rest = act.action.partition(".")
    code, display = _TYPES.get(kind, _OTHER)
    event: Element = {
        "resourceType": "AuditEvent",
        "id": str(row.id),
        "type": {"system": _DICOM, "code": code, "display": display},
        "subtype": [{"code": act.action}],
        "action": "R" if kind in _READS else "E",
        "recorded": act.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "outcome": "8" if rest == "failed" else "0",
        "agent": [{"name": act.actor, "requestor": True}],
        "source": {"site": site, "observer": {"display": f"Interop Engine {site}"}},
        "entity": [{"what": {"display": act.subject}}],
    }
    return event | _fed(row, site) if act.action in _FEEDS else event


def _fed(row: AuditRow, site: str) -> Element:
    """Return what tells of a patient that was fed: from whom, to us, about whom.

    The trail keeps a keyed hash of the person, and that is what stands here, too.
    """
    act = row.act
    channel, _, peer = act.actor.rpartition(" ")
    client = _agent("110153", "Source Role ID", channel)
    if peer:
        client["network"] = {"address": peer, "type": _IP_ADDRESS}
    interaction = act.action.partition(".")[2]
    return {
        "type": _REST,
        "subtype": [
            {"system": "http://hl7.org/fhir/restful-interaction", "code": interaction},
            _ITI_104,
        ],
        "action": _FEEDS[act.action],
        "agent": [client, _agent("110152", "Destination Role ID", site)],
        "entity": [
            _entity("1", "1", {"identifier": {"value": row.patient}}),
            _entity("2", "4", {"display": act.subject}),
        ],
    }


def _agent(role: str, display: str, name: str) -> Element:
    coding = {"system": _DICOM, "code": role, "display": display}
    return {"type": {"coding": [coding]}, "who": {"display": name}, "requestor": False}


def _entity(kind: str, role: str, what: Element) -> Element:
    """Return a person (1) who is a patient (1), or a thing (2), a resource (4)."""
    return {
        "what": what,
        "type": {"system": f"{_CODES}audit-entity-type", "code": kind},
        "role": {"system": f"{_CODES}object-role", "code": role},
    }
