"""The built-in map: one message to the resources it means.

A segment is mapped by what it is. `MAPPERS` says which module knows a segment kind;
segments read by the mapper of the segment they belong to are not named there.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.hl7 import Message
from engine.transforms.fhir.allergy import map_allergy
from engine.transforms.fhir.appointment import map_appointment
from engine.transforms.fhir.bed import map_bed
from engine.transforms.fhir.charge import map_charge
from engine.transforms.fhir.condition import map_diagnosis
from engine.transforms.fhir.conversion import Conversion, Subject
from engine.transforms.fhir.coverage import map_financial_class, map_insurance
from engine.transforms.fhir.directory import map_location, map_staff
from engine.transforms.fhir.document import map_document
from engine.transforms.fhir.encounter import map_encounter
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.header import map_header
from engine.transforms.fhir.immunization import map_immunization
from engine.transforms.fhir.links import map_links
from engine.transforms.fhir.losses import account
from engine.transforms.fhir.mapped import MapContext, Mapped
from engine.transforms.fhir.medication_given import map_administration, map_dispense
from engine.transforms.fhir.medication_request import map_medication_order
from engine.transforms.fhir.merge import map_merge
from engine.transforms.fhir.observation import Order, map_observations
from engine.transforms.fhir.patient import map_account, map_living_will, map_patient
from engine.transforms.fhir.plan import plan_for
from engine.transforms.fhir.problem import map_problem
from engine.transforms.fhir.procedure import map_procedure
from engine.transforms.fhir.referral import map_referral
from engine.transforms.fhir.related import map_guarantor, map_mother, map_next_of_kin
from engine.transforms.fhir.report import map_report
from engine.transforms.fhir.request import map_order_alone
from engine.transforms.fhir.roles import (
    map_case_manager,
    map_participation,
    map_role,
)
from engine.transforms.fhir.site_segments import map_site_segment
from engine.transforms.fhir.specimen import map_specimen, names_of

Mapper: TypeAlias = Callable[[Conversion, Node], None]


def _map_around_person(conversion: Conversion, pid: Node) -> None:
    """Add what a PID says beside the Patient: the account, the mother."""
    map_account(conversion, pid)
    if pid.has(21):
        map_mother(conversion, pid)


def _map_loose_observations(conversion: Conversion, obx: Node) -> None:
    """Add OBX that belong to no order: they are about the patient (T33)."""
    if obx.taken or (obx.parent is not None and obx.parent.id == "TXA"):
        return
    owner = obx.parent
    siblings = (
        owner.children
        if owner
        else [node for node in conversion.tree.roots if node.id == "OBX"]
    )
    subject = conversion.subject_of(obx)
    order = Order(key=f"{subject.key}|{subject.visit_key}")
    if owner is not None and (spm := _specimen_of(owner)) is not None:
        order.specimens = names_of(spm, map_specimen(conversion, spm, order.key))
    nodes = [node for node in siblings if node.id == "OBX" and not node.taken]
    map_observations(conversion, nodes, order)


def _map_dose(conversion: Conversion, rxa: Node) -> None:
    """Add what an RXA says was given."""
    if conversion.plan.vaccinates:
        map_immunization(conversion, rxa)
    else:
        map_administration(conversion, rxa)


def _specimen_of(node: Node) -> Node | None:
    return node if node.id == "SPM" else node.above("SPM")


def _map_loose_specimen(conversion: Conversion, spm: Node) -> None:
    """Add the Specimen of an SPM that belongs to no order."""
    if not spm.taken and spm.above("OBR") is None and spm.above("ORC") is None:
        subject = conversion.subject_of(spm)
        map_specimen(conversion, spm, f"{subject.key}|{subject.visit_key}")


MAPPERS: Final[Mapping[str, Mapper]] = MappingProxyType(
    {
        "PID": _map_around_person,
        "PD1": map_living_will,
        "NK1": map_next_of_kin,
        "PV1": map_financial_class,
        "ROL": map_role,
        "PRT": map_participation,
        "MRG": map_merge,
        "AL1": map_allergy,
        "IAM": map_allergy,
        "DG1": map_diagnosis,
        "PR1": map_procedure,
        "IN1": map_insurance,
        "IN3": map_case_manager,
        "GT1": map_guarantor,
        "ORC": map_order_alone,
        "OBR": map_report,
        "OBX": _map_loose_observations,
        "TXA": map_document,
        "RXA": _map_dose,
        "RXD": map_dispense,
        "RXE": map_medication_order,
        "RXO": map_medication_order,
        "SPM": _map_loose_specimen,
        "SCH": map_appointment,
        "FT1": map_charge,
        "PRB": map_problem,
        "RF1": map_referral,
        "STF": map_staff,
        "LOC": map_location,
        "NPU": map_bed,
    }
)
"""What each segment kind makes, once patient and visit are there."""


def map_message(message: Message, context: MapContext) -> Mapped:
    """Return the FHIR R4 resources of a message.

    Pure: equal messages and contexts give equal resources. Every populated field is in
    an entry or in ``losses``.

    Args:
        message: any message, edited or not.
        context: site, feed and time; nothing else is looked up.

    Raises:
        TransformError: ``trigger-not-mapped``, for an event the map does not know.
    """
    return convert(message, context).mapped


def convert(
    message: Message, context: MapContext, made_of: type[Node] = Node
) -> Conversion:
    """Return the whole state of a finished mapping, see `map_message`."""
    nearest = context.options.unknown_trigger == "nearest"
    plan = plan_for(message.message_type, message.trigger_event, nearest=nearest)
    conversion = Conversion(message, context, plan, made_of)
    tree = conversion.tree
    for pid in tree.each("PID"):
        map_patient(conversion, pid)
        conversion.list_cuts(pid)
    if tree.first("PID") is None:
        conversion.add_subject(Subject(None, None))
    for pv1 in tree.each("PV1"):
        map_encounter(conversion, pv1)
        conversion.list_cuts(pv1)
    for node in tree.nodes:
        mapper = MAPPERS.get(node.id)
        if mapper is None and node.id.startswith("Z") and context.options.z:
            mapper = map_site_segment
        if mapper is not None:
            mapper(conversion, node)
            conversion.list_cuts(node)
    map_links(conversion)
    map_header(conversion)
    account(conversion)
    conversion.mapped.unmapped = sorted(conversion.feed.unmapped)
    conversion.mapped.told = conversion.told()
    return conversion
