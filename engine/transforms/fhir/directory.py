"""MFN: staff, practitioners and places of a master file.

Spec:
    fhir.md D16. The guide has no map for STF, PRA and LOC.
"""

from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Cx, Hd
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    code,
    coded,
    identifier,
    identifier_of,
    plain,
    put,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.names import phones
from engine.transforms.fhir.parties import organization, organization_of_code
from engine.transforms.fhir.patient import add_gender, add_new
from engine.transforms.fhir.places import place
from engine.transforms.fhir.related import addresses, names
from engine.transforms.fhir.systems import HL7

_ACTIVE: Final = {"A": True, "I": False}
_BY_EVENT: Final = {"MDC": False, "MDL": False, "MAC": True}
"""MFE-1: deactivated, deleted, reactivated; any other leaves it to the record."""
_LOCATION_TYPE: Final = HL7 + "v2-0260"


def map_staff(conversion: Conversion, stf: Node) -> None:
    """Add the Practitioner of an STF, and the roles of its PRA."""
    resource: Element = {"resourceType": "Practitioner"}
    numbers = _numbers(conversion, stf)
    put(resource, "identifier", numbers)
    active = _active(stf, _ACTIVE.get(code(stf.text(7))))
    if active is not None:
        resource["active"] = active
    put(resource, "name", names(conversion, stf, 3))
    points = phones(conversion, stf, ((10, "work"),))
    if mail := conversion.string(stf, 15):
        points.append({"system": "email", "value": mail})
    put(resource, "telecom", points)
    put(resource, "address", addresses(conversion, stf, 11))
    add_gender(resource, stf.text(5))
    if stf.has(6):
        put(resource, "birthDate", conversion.moment(stf, 6).date)
    if numbers:
        system, value = str(numbers[0]["system"]), str(numbers[0]["value"])
        person = conversion.upsert(stf, resource, system, value)
    else:
        person = conversion.upsert_own(stf, resource, str(resource.get("name")))
    for pra in stf.all_below("PRA"):
        _add_role(conversion, pra, person, active)


def _numbers(conversion: Conversion, stf: Node) -> list[Element]:
    """Return STF-2, and STF-1 where it says something else."""
    found: list[Element] = []
    for source in stf.all(2) if stf.has(2) else ():
        add_new(found, identifier_of(conversion.feed, source))
    number, system = plain(stf.text(1)), plain(stf.text(1, 3))
    if number and not any(one["value"] == number for one in found):
        authority = Hd(system or "staff")
        numbered = Cx(number, "", "", authority, "", Hd(), "", "", "", "")
        add_new(found, identifier(conversion.feed, numbered))
    return found


def _active(node: Node, said: bool | None) -> bool | None:  # noqa: FBT001 - a value
    """Return what MFE-1 makes of a record, else what the record says of itself."""
    mfe = node.above("MFE")
    event = code(mfe.text(1)) if mfe else ""
    return _BY_EVENT.get(event, said)


def _add_role(
    conversion: Conversion,
    pra: Node,
    person: Entry,
    active: bool | None,  # noqa: FBT001 - a value
) -> None:
    """PRA-2, 3, 5 and 6: for whom, as what, in which field, with which licence."""
    resource: Element = {
        "resourceType": "PractitionerRole",
        "practitioner": person.reference,
    }
    licences = [one for source in pra.all(6) if (one := _licence(conversion, source))]
    put(resource, "identifier", licences)
    if active is not None:
        resource["active"] = active
    source = pra.first(2) if pra.has(2) else None
    firm = organization_of_code(conversion, pra, source) if source else None
    if firm is not None:
        resource["organization"] = firm.reference
    if pra.has(3):
        put(resource, "code", conversion.concepts(pra, 3, "0186"))
    fields = [text for source in pra.all(5) if (text := plain(source.text()))]
    put(resource, "specialty", [{"text": text} for text in fields])
    pra.take(1)
    conversion.upsert_own(pra, resource, person.full_url, str(pra.number))


def _licence(conversion: Conversion, source: Repetition) -> Element:
    """Return one PLN as identifier."""
    value, kind, state, until = source.texts(4)
    numbered = Cx(value, "", "", Hd(state), kind, Hd(), "", until, "", "")
    return identifier(conversion.feed, numbered)


def map_location(conversion: Conversion, loc: Node) -> None:
    """Add the Location of a LOC; it updates a known one."""
    source = loc.first(1)
    entry = place(conversion, loc, source) if source else None
    if entry is None:
        conversion.lose_all(loc, "unreadable")
        return
    entry.method = "PUT"
    resource = entry.resource = {**entry.resource}
    active = _active(loc, None)
    resource["status"] = "inactive" if active is False else "active"
    put(resource, "description", conversion.string(loc, 2))
    if kind := code(loc.text(3)):
        resource["type"] = [coded(_LOCATION_TYPE, kind)]
    owner = loc.first(4) if loc.has(4) else None
    firm = organization(conversion, loc, owner) if owner else None
    if firm is not None:
        resource["managingOrganization"] = firm.reference
    where = addresses(conversion, loc, 5)
    put(resource, "address", where[0] if where else {})
    put(resource, "telecom", phones(conversion, loc, ((6, "work"),)))
