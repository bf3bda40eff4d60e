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
    PERSON_AND_ACCOUNT = "person and account"
    ACCOUNT = "account"
    """The prior account is closed in favour of this patient's."""
    VISIT = "visit"
    """The prior visit is withdrawn in favour of this one."""
    MOVED_NUMBERS = "moved numbers"
    MOVED_ACCOUNT = "moved account"
    MOVED_VISIT = "moved visit"
    """Numbers, an account or a visit of another patient are this one's now."""
    ACCOUNT_NUMBER = "account number"
    VISIT_NUMBER = "visit number"
    OTHER_VISIT_NUMBER = "other visit number"
    """The account or visit had another number before."""


class Link(StrEnum):
    """What a message says of its two patients."""

    NONE = "none"
    MADE = "made"
    REMOVED = "removed"


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
        **dict.fromkeys(("STF", "LOC"), ("MFE",)),
        "PRA": ("STF",),
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
        link: whether the two patients of the message have to do with one another.
        stays: PV1 fields that name a place and the status of being there, where it is
            not the usual one; a field that is not there is left out.
        inactive: the person's record is withdrawn.
        joins: PV1 fields of the doctors who join the visit with this event.
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
    link: Link = Link.NONE
    stays: Mapping[int, str] | None = None
    inactive: bool = False
    joins: tuple[int, ...] = ()
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


_VISIT: Final = Plan("ADT_A09")
_PRESENT: Final = MappingProxyType({3: "active"})
_ON_LEAVE: Final = Plan("ADT_A21", status="onleave")
_BACK: Final = Plan("ADT_A21", status="in-progress")
_CALLED_BACK: Final = Plan("ADT_A09", status="cancelled", forced=True)
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
_MASTER: Final = Plan("MFN_M02", visit=Visit.NUMBERED)
_ANSWER: Final = Plan("ACK", visit=Visit.NUMBERED)
_CHARGES: Final = Plan("DFT_P03", visit=Visit.NUMBERED, reports=False)
_ACCOUNT: Final = Plan("BAR_P01", visit=Visit.NUMBERED, reports=False)
_CLOSED: Final = replace(_ACCOUNT, structure="BAR_P06", account="inactive")
_PROBLEMS: Final = Plan("PPR_PC1", visit=Visit.NUMBERED, reports=False)
_REFERRAL: Final = Plan("REF_I12", visit=Visit.NUMBERED)
_VACCINATION: Final = Plan("VXU_V04", visit=Visit.NUMBERED, vaccinates=True)
_MERGES: Final = Plan("ADT_A39", visit=Visit.NUMBERED, merge=Merge.PERSON)
_RENAMES: Final = replace(_MERGES, structure="ADT_A30", merge=Merge.NUMBER)
_PAIR: Final = Plan("ADT_A24", visit=Visit.NUMBERED)

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
        "ADT^A09": replace(
            _VISIT, stays={3: "completed", 6: "completed", 11: "active"}
        ),
        "ADT^A10": _VISIT,
        "ADT^A11": _CALLED_BACK,
        "ADT^A12": replace(_VISIT, status="in-progress", stays=_PRESENT),
        "ADT^A13": Plan("ADT_A01", status="in-progress"),
        "ADT^A14": Plan("ADT_A05", status="planned"),
        "ADT^A15": _VISIT,
        "ADT^A16": Plan("ADT_A16"),
        "ADT^A17": Plan("ADT_A17", status="in-progress"),
        "ADT^A18": replace(_MERGES, structure="ADT_A18"),
        "ADT^A20": Plan("ADT_A20", visit=Visit.NUMBERED),
        **dict.fromkeys(("ADT^A21", "ADT^A53"), _ON_LEAVE),
        **dict.fromkeys(("ADT^A22", "ADT^A52"), _BACK),
        "ADT^A23": replace(_CALLED_BACK, status="entered-in-error"),
        "ADT^A24": replace(_PAIR, link=Link.MADE),
        "ADT^A25": replace(_VISIT, status="in-progress"),
        "ADT^A26": replace(_VISIT, stays={3: "active", 6: "completed", 11: "active"}),
        **dict.fromkeys(("ADT^A27", "ADT^A38"), _CALLED_BACK),
        **dict.fromkeys(("ADT^A28", "ADT^A31"), _PERSON_ONLY),
        "ADT^A29": replace(_PERSON_ONLY, structure="ADT_A21", inactive=True),
        **dict.fromkeys(("ADT^A30", "ADT^A46", "ADT^A47"), _RENAMES),
        "ADT^A32": replace(_VISIT, stays={3: "planned"}),
        "ADT^A33": replace(_VISIT, stays=_PRESENT),
        "ADT^A34": replace(_MERGES, structure="ADT_A30"),
        "ADT^A35": replace(_RENAMES, merge=Merge.ACCOUNT),
        "ADT^A36": replace(_RENAMES, merge=Merge.PERSON_AND_ACCOUNT),
        "ADT^A37": replace(_PAIR, link=Link.REMOVED),
        **dict.fromkeys(("ADT^A39", "ADT^A40"), _MERGES),
        "ADT^A41": replace(_MERGES, merge=Merge.ACCOUNT),
        "ADT^A42": replace(_MERGES, merge=Merge.VISIT),
        "ADT^A43": replace(_MERGES, structure="ADT_A43", merge=Merge.MOVED_NUMBERS),
        "ADT^A44": replace(_MERGES, structure="ADT_A43", merge=Merge.MOVED_ACCOUNT),
        "ADT^A45": replace(_MERGES, structure="ADT_A45", merge=Merge.MOVED_VISIT),
        "ADT^A49": replace(_RENAMES, merge=Merge.ACCOUNT_NUMBER),
        "ADT^A50": replace(_MERGES, structure="ADT_A50", merge=Merge.VISIT_NUMBER),
        "ADT^A51": replace(
            _MERGES, structure="ADT_A50", merge=Merge.OTHER_VISIT_NUMBER
        ),
        "ADT^A54": Plan("ADT_A54", joins=(7,)),
        "ADT^A55": Plan("ADT_A52"),
        "ADT^A60": Plan("ADT_A60", visit=Visit.NUMBERED),
        "ADT^A61": Plan("ADT_A61", joins=(9,)),
        "ADT^A62": Plan("ADT_A61"),
        "MFN^M02": _MASTER,
        "MFN^M05": replace(_MASTER, structure="MFN_M05"),
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

ANY_EVENT: Final[Mapping[str, Plan]] = MappingProxyType({"ACK": _ANSWER})
"""Message types that mean the same whatever the event; ACK often names none."""

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
        "MFN": _MASTER,
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
    plan = PLANS.get(f"{message_type}^{event}") or ANY_EVENT.get(message_type)
    if plan is None and nearest:
        plan = NEAREST.get(message_type)
    if plan is None and not message_type:
        sentence = "MSH-9 is empty: the message does not say what it is"
        raise TransformError(sentence, "trigger-not-mapped")
    if plan is None:
        raise TransformError(
            f"no map makes FHIR resources from {message_type}^{event}",
            "trigger-not-mapped",
        )
    return plan
