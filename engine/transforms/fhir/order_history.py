"""ORC: who entered, verified, placed and carried out an order, as Provenance.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment map ORC[Provenance].
"""

from typing import Final

from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import coded, put
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.parties import (
    device_of_code,
    organization_of_code,
    practitioners,
)
from engine.transforms.fhir.related import add_contact
from engine.transforms.fhir.systems import HL7

_PARTICIPANT: Final = HL7 + "provenance-participant-type"
_OPERATION: Final = HL7 + "v3-DataOperation"
_PARTICIPATION: Final = HL7 + "v3-ParticipationType"
_OPERATIONS: Final = {"NW": "CREATE", "SC": "UPDATE", "OC": "CANCEL", "CA": "CANCEL"}
_PEOPLE: Final = ((10, "enterer"), (11, "verifier"), (19, "performer"))
_SAYS_WHO: Final = (10, 11, 17, 18, 19)


def map_order_history(
    conversion: Conversion, orc: Node | None, detail: Node, request: Entry
) -> None:
    """Add a Provenance of the order where ORC or PRT says who had to do with it.

    Args:
        conversion: the message on its way.
        orc: the order, where it was sent.
        detail: OBR, RXA or another order detail segment.
        request: what was made of the two.
    """
    agents = _participants(conversion, detail)
    if orc is not None:
        if any(orc.has(field) for field in _SAYS_WHO):
            agents = _agents(conversion, orc) + agents
        agents += _participants(conversion, orc)
    if not agents:
        return
    resource: Element = {"resourceType": "Provenance", "target": [request.reference]}
    recorded = ""
    if orc is not None:
        moment = conversion.moment(orc, 9)
        put(resource, "occurredDateTime", moment.text)
        recorded = moment.instant
        if operation := _OPERATIONS.get(orc.text(1)):
            resource["activity"] = coded(_OPERATION, operation)
    resource["recorded"] = recorded or conversion.recorded()
    resource["agent"] = agents
    key = (conversion.message_key, "order", str(detail.position), request.full_url)
    conversion.upsert_unnamed(detail, resource, *key)


def _participants(conversion: Conversion, node: Node) -> list[Element]:
    """Return the people of the PRT below a segment, each with the role sent."""
    found: list[Element] = []
    for prt in node.all_below("PRT") if node.children else ():
        role = conversion.concept(prt, 4, "0912")
        for entry in practitioners(conversion, prt, 5):
            prt.take(2)
            add_contact(conversion, prt, entry)
            agent: Element = {"type": coded(_PARTICIPATION, "IRCP")}
            if prt.text(4) != "RCT":
                agent = {}
            put(agent, "role", [role] if role else [])
            found.append({**agent, "who": entry.reference})
    return found


def _agents(conversion: Conversion, orc: Node) -> list[Element]:
    found: list[Element] = []
    source = orc.first(17) if orc.has(17) else None
    firm = organization_of_code(conversion, orc, source) if source else None
    for field, kind in _PEOPLE:
        for entry in practitioners(conversion, orc, field):
            agent: Element = {"type": coded(_PARTICIPANT, kind), "who": entry.reference}
            if firm is not None and kind == "enterer":
                agent["onBehalfOf"] = firm.reference
            found.append(agent)
    if firm is not None and not orc.has(10):
        kind_of = coded(_PARTICIPANT, "enterer")
        found.append({"type": kind_of, "who": firm.reference})
    device = orc.first(18) if orc.has(18) else None
    machine = device_of_code(conversion, orc, device) if device else None
    if machine is not None:
        kind_of = coded(_PARTICIPANT, "enterer")
        found.append({"type": kind_of, "who": machine.reference})
    return found
