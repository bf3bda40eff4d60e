"""Observed facts of a vaccination that Immunization has elements for.

Immunization registries send funding, eligibility, information statements and dose
numbers as OBX with settled LOINC codes. They fill the elements here and stay
Observations too, so that who said it and when is kept.

Spec:
    HL7 v2-to-FHIR 1.0.0, message map VXU_V04 (comment on OBX); fhir.md D20.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import append, plain, put
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element

_CONCEPTS: Final[Mapping[str, str]] = MappingProxyType(
    {"30963-3": "fundingSource", "64994-7": "programEligibility"}
)
_STATEMENT_DATES: Final[Mapping[str, str]] = MappingProxyType(
    {"29768-9": "publicationDate", "29769-7": "presentationDate"}
)
_STATEMENT_KINDS: Final = frozenset(("69764-9", "30956-7"))
_DOSE_NUMBER: Final = "30973-2"


def add_facts(conversion: Conversion, nodes: list[Node], resource: Element) -> None:
    """Set the elements of an Immunization that its OBX speak of.

    Args:
        conversion: the message on its way.
        nodes: the OBX below one RXA; statements are told apart by OBX-4.
        resource: the Immunization.
    """
    statements: dict[str, Element] = {}
    for obx in nodes:
        what = obx.segment.text(3)
        if name := _CONCEPTS.get(what):
            _add_concept(conversion, obx, name, resource)
        elif name := _STATEMENT_DATES.get(what):
            found = statements.setdefault(obx.segment.text(4), {})
            put(found, name, conversion.feed.date_time(obx.segment.text(5)))
        elif what in _STATEMENT_KINDS:
            found = statements.setdefault(obx.segment.text(4), {})
            kind = plain(obx.segment.text(5, 2) or obx.segment.text(5))
            put(found, "documentType", kind)
        elif what == _DOSE_NUMBER:
            _add_dose_number(obx, resource)
    put(resource, "education", [one for one in statements.values() if one])


def _add_concept(
    conversion: Conversion, obx: Node, name: str, resource: Element
) -> None:
    found = conversion.concept(obx, 5)
    if not found:
        return
    if name == "programEligibility":
        append(resource, name, found)
    else:
        resource[name] = found


def _add_dose_number(obx: Node, resource: Element) -> None:
    sent = plain(obx.segment.text(5))
    if not sent or "protocolApplied" in resource:
        return
    dose: Element = (
        {"doseNumberPositiveInt": int(sent)}
        if sent.isdecimal() and int(sent) > 0
        else {"doseNumberString": sent}
    )
    resource["protocolApplied"] = [dose]
