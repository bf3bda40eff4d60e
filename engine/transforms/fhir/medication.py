"""RX segments to the Medication they speak of, contained in what uses it.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment map RXO[MedicationRequest] (Medication); fhir.md D13.
"""

from dataclasses import dataclass
from typing import Final

from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import append, coded, put
from engine.transforms.fhir.dosage import amount
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.observation import ABSENT
from engine.transforms.fhir.parties import organization_of_code

_ID: Final = "medication"
_ONE: Final[Element] = {"value": 1}


@dataclass(frozen=True, slots=True)
class Fields:
    """Where a segment names a medicine; 0 where it has no such field.

    ``strength`` and ``volume`` are followed by their units.
    """

    code: int
    form: int = 0
    strength: int = 0
    volume: int = 0
    lot: int = 0
    maker: int = 0


ORDERED: Final = Fields(code=1, form=5, strength=18, volume=25)
ENCODED: Final = Fields(code=2, form=6, strength=25, volume=33)
DISPENSED: Final = Fields(code=2, form=6, strength=16, volume=25, lot=18, maker=20)
ADMINISTERED: Final = Fields(code=5, form=8, strength=13, volume=23, lot=15, maker=17)


def add_medication(
    conversion: Conversion, node: Node, fields: Fields, resource: Element
) -> None:
    """Set ``medication[x]`` of a request, dispense or administration.

    A code alone is a CodeableConcept; form, strength, lot or components (RXC) make a
    Medication of it.
    """
    what = conversion.concept(node, fields.code) or coded(ABSENT, "unknown")
    found: Element = {"resourceType": "Medication", "id": _ID, "code": what}
    _add_product(conversion, node, fields, found)
    _add_strength(conversion, node, fields, found)
    for rxc in _components(node):
        _add_component(conversion, rxc, found)
    if found.keys() == {"resourceType", "id", "code"}:
        resource["medicationCodeableConcept"] = what
        return
    append(resource, "contained", found)
    resource["medicationReference"] = {"reference": f"#{_ID}"}


def _components(node: Node) -> list[Node]:
    return [rxc for rxc in node.all_below("RXC") if not rxc.taken]


def _add_product(
    conversion: Conversion, node: Node, fields: Fields, found: Element
) -> None:
    if fields.form:
        conversion.put_concept(found, "form", node, fields.form)
    if not fields.lot:
        return
    batch: Element = {}
    put(batch, "lotNumber", conversion.string(node, fields.lot))
    conversion.put_time(batch, "expirationDate", node, fields.lot + 1)
    put(found, "batch", batch)
    source = node.first(fields.maker) if node.has(fields.maker) else None
    firm = organization_of_code(conversion, node, source) if source else None
    if firm is not None:
        found["manufacturer"] = firm.reference


def _add_strength(
    conversion: Conversion, node: Node, fields: Fields, found: Element
) -> None:
    """The strength is that of the one thing in it: the medicine itself."""
    ratio = _ratio(conversion, node, fields.strength, fields.volume)
    if ratio:
        item: Element = {"itemCodeableConcept": found["code"], "strength": ratio}
        append(found, "ingredient", item)


def _ratio(conversion: Conversion, node: Node, top: int, bottom: int) -> Element:
    """Return a strength per volume; per one where no volume is given."""
    if not top or not node.has(top):
        return {}
    above = amount(conversion, node, top, top + 1)
    below = amount(conversion, node, bottom, bottom + 1) if node.has(bottom) else _ONE
    return {"numerator": above, "denominator": below or _ONE} if above else {}


def _add_component(conversion: Conversion, rxc: Node, found: Element) -> None:
    """RXC: one component of a mixture, its strength or else its amount."""
    item = conversion.concept(rxc, 2)
    if not item:
        return
    one: Element = {"itemCodeableConcept": item}
    put(one, "strength", _ratio(conversion, rxc, 5, 8) or _ratio(conversion, rxc, 3, 0))
    append(found, "ingredient", one)
