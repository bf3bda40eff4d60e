"""How much of a medicine, and where on the body: what all RX segments share.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps RXR[Immunization], RXR[MedicationRequest],
    vocabulary maps RouteOfAdministration and BodyParts.
"""

from typing import Final

from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import append, put, translated
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.quantities import number, quantity, unit
from engine.transforms.fhir.systems import HL7, SNOMED
from engine.transforms.fhir.vocabulary import METHOD, ROUTE

_ROUTE_TABLE: Final = HL7 + "v2-0162"
_V3_ROUTE: Final = HL7 + "v3-RouteOfAdministration"


def amount(conversion: Conversion, node: Node, field: int, units: int) -> Element:
    """Return an NM field and the CWE field of its unit as Quantity.

    A field that is no number is left to the loss report.
    """
    if not node.has(field):
        return {}
    found = number(node.text(field))
    if found is None:
        conversion.lose(node, field, "unreadable")
        return {}
    source = node.first(units) if node.has(units) else None
    return quantity(found, unit(conversion.feed, source))


def route(conversion: Conversion, node: Node, field: int = 1) -> Element:
    """Return a route of administration; v3's code where table 0162 has another."""
    found = conversion.concept(node, field, "0162")
    codings = found.get("coding")
    if isinstance(codings, list) and codings[0].get("system") == _ROUTE_TABLE:
        return translated(found, ROUTE, _V3_ROUTE)
    return found


def add_site(conversion: Conversion, rxr: Node, element: Element) -> None:
    """Set ``route`` and ``site`` of an Immunization or dosage from an RXR."""
    if rxr.has(1) and "route" not in element:
        put(element, "route", route(conversion, rxr))
    if rxr.has(2) and "site" not in element:
        put(element, "site", conversion.concept(rxr, 2, "0550"))


def add_dosage_site(conversion: Conversion, rxr: Node, dosage: Element) -> None:
    """Set route, site, method and further instructions of a Dosage from an RXR."""
    add_site(conversion, rxr, dosage)
    if rxr.has(4) and "method" not in dosage:
        method = conversion.concept(rxr, 4, "0165")
        put(dosage, "method", translated(method, METHOD, SNOMED))
    if rxr.has(5):
        for one in conversion.concepts(rxr, 5, "0621"):
            append(dosage, "additionalInstruction", one)
