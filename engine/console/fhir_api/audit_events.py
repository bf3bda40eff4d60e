"""Acts of the audit trail as FHIR AuditEvents.

Spec:
    FHIR R4 AuditEvent: type, recorded, agent and source are required.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC
from types import MappingProxyType
from typing import Final

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
    return {
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
