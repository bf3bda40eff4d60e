"""What each trigger event makes: structure as data.

A row says what an event means; which resources it makes follows from its segments, for
a segment is mapped by what it is. The map of segment kinds to modules is in `mapping`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.errors import TransformError


class Visit(StrEnum):
    """When a PV1 becomes an Encounter."""

    ALWAYS = "always"
    NUMBERED = "numbered"
    """Only with a visit number: elsewhere what PV1 says is about the message."""


class Merge(StrEnum):
    """What an MRG segment does to the patient of the PID before it."""

    NONE = "none"
    PERSON = "person"
    """The prior patient is retired in favour of this one."""
    NUMBER = "number"
    """This patient had another number before."""


Parents: TypeAlias = Mapping[str, tuple[str, ...]]

_SPECIMEN_OR_ORDER: Final = frozenset(("SPM", "OBR", "ORC"))

_ORDERED: Final = ("OBR", "RXO", "RXE", "RXA", "RXD", "RXG", "ORC")

_OF_PERSON: Final = (
    "PD1", "NK1", "PV1", "MRG", "AL1", "IAM", "IN1", "GT1", "PDA", "ACC", "UB1", "UB2",
    "DRG", "ORC", "TXA", "PRB", "GOL", "FT1", "DB1", "CON",
)  # fmt: skip

PARENTS: Final[Parents] = MappingProxyType(
    {
        **dict.fromkeys(("NTE", "ROL", "PRT", "CTD", "ARV", "SGH", "SGT"), ("*",)),
        **dict.fromkeys(_OF_PERSON, ("PID",)),
        **dict.fromkeys(("AIS", "AIG", "AIL", "AIP"), ("RGS",)),
        "PV2": ("PV1",),
        "PR1": ("FT1", "PID"),
        "DG1": ("FT1", "OBR", "RXO", "RXE", "ORC", "PID"),
        "IN2": ("IN1",),
        "IN3": ("IN1",),
        "TQ1": ("OBR", "RXO", "RXE", "RXG", "RXA", "ORC"),
        "TQ2": ("TQ1",),
        "OBR": ("ORC", "PRB", "PID"),
        **dict.fromkeys(("RXO", "RXE", "RXA", "RXD", "RXG"), ("ORC", "PID")),
        "RXR": _ORDERED,
        "RXC": _ORDERED,
        "SPM": ("OBR", "ORC", "PID"),
        "SAC": ("SPM", "OBR"),
        "OBX": ("SAC", "SPM", *_ORDERED, "TXA", "PRB", "IAM", "PID"),
        **dict.fromkeys(("FAC", "CTI", "CSR", "CSP", "CSS", "PCR"), ("OBR", "PID")),
    }
)
"""What each segment kind may belong to, whatever the structure: nearest open wins."""

_SPECIMEN_BEFORE_RESULT: Final = MappingProxyType(
    {**PARENTS, "SPM": ("PID",), "OBR": ("SPM", "PID"), "ORC": ("OBR", "SPM", "PID")}
)
"""OUL puts the specimen first, its orders below it and ORC below each OBR."""

_SPECIMEN_BEFORE_ORDER: Final = MappingProxyType(
    {**PARENTS, "SPM": ("PID",), "ORC": ("SPM", "PID")}
)
"""OML_O33 and OML_O35 put the specimen first and each ORC below it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one trigger event means.

    Attributes:
        structure: the message structure its segments are read with.
        status: Encounter.status this event implies, over the patient class; or "".
        forced: ``status`` wins even over a discharge time.
        visit: when PV1 becomes an Encounter.
        merge: what MRG does.
        reports: an OBR makes a DiagnosticReport beside its ServiceRequest.
        vaccinates: an RXA is an Immunization, not a MedicationAdministration.
        deletes: what the message speaks of is withdrawn: a problem, a referral.
        account: Account.status this event implies.
        appointment: Appointment.status where the scheduler sends none.
        relates: DocumentReference.relatesTo code for TXA-13, or "".
        document_status: DocumentReference.status, or "" for what TXA-19 says.
        parents: for each segment id, what it may belong to.
        by_specimen: the same where the specimen comes before its orders.
    """

    structure: str
    status: str = ""
    forced: bool = False
    visit: Visit = Visit.ALWAYS
    merge: Merge = Merge.NONE
    reports: bool = True
    vaccinates: bool = False
    deletes: bool = False
    account: str = "active"
    appointment: str = "booked"
    relates: str = ""
    document_status: str = ""
    parents: Parents = field(default_factory=lambda: PARENTS)
    by_specimen: Parents | None = None

    def parents_in(self, segment_ids: Iterable[str]) -> Parents:
        """Return what each segment may belong to in a message with these segments.

        Older senders of the structures that begin with the specimen send it last.
        """
        if self.by_specimen is None:
            return self.parents
        first = next((one for one in segment_ids if one in _SPECIMEN_OR_ORDER), "")
        return self.by_specimen if first == "SPM" else self.parents


_PERSON_ONLY: Final = Plan("ADT_A05", visit=Visit.NUMBERED)
_RESULTS: Final = Plan("ORU_R01", visit=Visit.NUMBERED)
_DOCUMENT: Final = Plan("MDM_T02", visit=Visit.NUMBERED, reports=False)
_BOOKED: Final = Plan("SIU_S12", visit=Visit.NUMBERED)
_CALLED_OFF: Final = replace(_BOOKED, appointment="cancelled")
_ORDER: Final = Plan("ORM_O01", visit=Visit.NUMBERED, reports=False)
_LABORATORY: Final = replace(_ORDER, structure="OML_O21")
_SPECIMENS: Final = replace(
    _LABORATORY, structure="OML_O33", by_specimen=_SPECIMEN_BEFORE_ORDER
)
_BY_SPECIMEN: Final = replace(
    _RESULTS, structure="OUL_R22", by_specimen=_SPECIMEN_BEFORE_RESULT
)
_CHARGES: Final = Plan("DFT_P03", visit=Visit.NUMBERED, reports=False)
_ACCOUNT: Final = Plan("BAR_P01", visit=Visit.NUMBERED, reports=False)
_CLOSED: Final = replace(_ACCOUNT, structure="BAR_P06", account="inactive")
_PROBLEMS: Final = Plan("PPR_PC1", visit=Visit.NUMBERED, reports=False)
_REFERRAL: Final = Plan("REF_I12", visit=Visit.NUMBERED)
_VACCINATION: Final = Plan("VXU_V04", visit=Visit.NUMBERED, vaccinates=True)
_MERGES: Final = Plan("ADT_A39", visit=Visit.NUMBERED, merge=Merge.PERSON)

PLANS: Final[Mapping[str, Plan]] = MappingProxyType(
    {
        "ADT^A01": Plan("ADT_A01", status="in-progress"),
        "ADT^A02": Plan("ADT_A02", status="in-progress"),
        "ADT^A03": Plan("ADT_A03", status="finished"),
        "ADT^A04": Plan("ADT_A01", status="planned"),
        "ADT^A05": Plan("ADT_A05", status="planned"),
        "ADT^A06": Plan("ADT_A06", status="in-progress"),
        "ADT^A07": Plan("ADT_A06", status="in-progress"),
        "ADT^A08": Plan("ADT_A01"),
        "ADT^A11": Plan("ADT_A09", status="cancelled", forced=True),
        "ADT^A13": Plan("ADT_A01", status="in-progress"),
        "ADT^A28": _PERSON_ONLY,
        "ADT^A31": _PERSON_ONLY,
        "ADT^A34": Plan("ADT_A30", visit=Visit.NUMBERED, merge=Merge.PERSON),
        "ADT^A40": _MERGES,
        "ADT^A45": Plan("ADT_A45", visit=Visit.NUMBERED),
        "ADT^A47": Plan("ADT_A30", visit=Visit.NUMBERED, merge=Merge.NUMBER),
        "ADT^A60": Plan("ADT_A60", visit=Visit.NUMBERED),
        **dict.fromkeys(
            ("ORU^R01", "ORU^R30", "ORU^R31", "ORU^R32", "ORU^R40"), _RESULTS
        ),
        **dict.fromkeys(("OUL^R22", "OUL^R23", "OUL^R24"), _BY_SPECIMEN),
        **dict.fromkeys(
            ("ORM^O01", "OMP^O09", "RDE^O01", "RDE^O11", "RDE^O25"), _ORDER
        ),
        **dict.fromkeys(("RDS^O01", "RDS^O13", "RAS^O01", "RAS^O17"), _ORDER),
        **dict.fromkeys(("OML^O21", "OMG^O19", "OMI^O23"), _LABORATORY),
        **dict.fromkeys(("OML^O33", "OML^O35"), _SPECIMENS),
        **dict.fromkeys(("SIU^S12", "SIU^S13", "SIU^S14"), _BOOKED),
        **{f"SIU^S{number}": _BOOKED for number in range(18, 24)},
        **dict.fromkeys(("SIU^S15", "SIU^S16", "SIU^S24"), _CALLED_OFF),
        "SIU^S17": replace(_BOOKED, appointment="entered-in-error"),
        "SIU^S26": replace(_BOOKED, appointment="noshow"),
        **dict.fromkeys(("DFT^P03", "DFT^P11"), _CHARGES),
        **dict.fromkeys(("BAR^P01", "BAR^P05", "BAR^P12"), _ACCOUNT),
        **dict.fromkeys(("BAR^P02", "BAR^P06"), _CLOSED),
        **dict.fromkeys(("PPR^PC1", "PPR^PC2"), _PROBLEMS),
        "PPR^PC3": replace(_PROBLEMS, deletes=True),
        **dict.fromkeys(("REF^I12", "REF^I13", "REF^I15"), _REFERRAL),
        "REF^I14": replace(_REFERRAL, deletes=True),
        "VXU^V04": _VACCINATION,
        "MDM^T01": _DOCUMENT,
        "MDM^T02": _DOCUMENT,
        "MDM^T03": _DOCUMENT,
        "MDM^T04": _DOCUMENT,
        "MDM^T05": replace(_DOCUMENT, relates="appends"),
        "MDM^T06": replace(_DOCUMENT, relates="appends"),
        "MDM^T07": _DOCUMENT,
        "MDM^T08": _DOCUMENT,
        "MDM^T09": replace(_DOCUMENT, relates="replaces"),
        "MDM^T10": replace(_DOCUMENT, relates="replaces"),
        "MDM^T11": replace(_DOCUMENT, document_status="entered-in-error"),
    }
)
"""Trigger events the built-in map knows."""

NEAREST: Final[Mapping[str, Plan]] = MappingProxyType(
    {
        "ADT": Plan("ADT_A01", visit=Visit.NUMBERED),
        "ORU": _RESULTS,
        "OUL": _BY_SPECIMEN,
        **dict.fromkeys(("ORM", "OMP", "RDE", "RDS", "RAS"), _ORDER),
        **dict.fromkeys(("OML", "OMG", "OMI"), _LABORATORY),
        "MDM": _DOCUMENT,
        "SIU": _BOOKED,
        "DFT": _CHARGES,
        "BAR": _ACCOUNT,
        "PPR": _PROBLEMS,
        "REF": _REFERRAL,
        "VXU": _VACCINATION,
    }
)
"""How an unknown event of a known message type is read where a feed allows it."""


def plan_for(message_type: str, event: str, *, nearest: bool = False) -> Plan:
    """Return what a trigger event makes.

    Args:
        message_type: MSH-9.1.
        event: MSH-9.2.
        nearest: read an unknown event of a known type with its nearest structure.

    Raises:
        TransformError: ``trigger-not-mapped``; HL7 v2 output may go on without it.
    """
    plan = PLANS.get(f"{message_type}^{event}")
    if plan is None and nearest:
        plan = NEAREST.get(message_type)
    if plan is None:
        raise TransformError(
            f"no map makes FHIR resources from {message_type}^{event}",
            "trigger-not-mapped",
        )
    return plan
