"""RF1 and PRD to ServiceRequest, and who refers to whom.

Spec:
    fhir.md section 3 (REF); data type map PLN[Identifier]. The guide has no map for RF1
    and PRD.
"""

from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Cx, Ei, Hd
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    alternate_codes,
    append,
    code,
    coded,
    entity_identifier,
    identifier,
    put,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.keys import named_party
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.names import phones
from engine.transforms.fhir.notes import notes_of
from engine.transforms.fhir.parties import organization
from engine.transforms.fhir.places import place
from engine.transforms.fhir.related import addresses, names
from engine.transforms.fhir.systems import HL7, SNOMED
from engine.transforms.fhir.vocabulary import PRIORITY

_REFERRAL: Final = "3457005"
_STATUS_TABLE: Final = HL7 + "v2-0283"
_STATUSES: Final = {"A": "active", "P": "active", "R": "revoked", "E": "revoked"}
_REFERS: Final = "RP"
_REFERRED_TO: Final = "RT"


def map_referral(conversion: Conversion, rf1: Node) -> None:
    """Add the referral of an RF1, from and to the providers of the message."""
    resource: Element = {"resourceType": "ServiceRequest"}
    numbers = _numbers(conversion, rf1)
    put(resource, "identifier", numbers)
    _add_status(conversion, rf1, resource)
    resource["intent"] = "order"
    resource["category"] = [
        coded(SNOMED, _REFERRAL, "Patient referral"),
        *(conversion.concepts(rf1, 5, "0284") if rf1.has(5) else ()),
    ]
    if found := PRIORITY.get(rf1.text(2).strip()):
        resource["priority"] = found
    elif rf1.has(2):
        rf1.leave(2)
    conversion.put_concept(resource, "code", rf1, 3, "0281")
    if rf1.has(4):
        put(resource, "orderDetail", conversion.concepts(rf1, 4, "0282"))
    subject = conversion.about(rf1, resource)
    if "subject" not in resource:
        resource["subject"] = {"display": "unknown"}
    if subject.encounter is not None:
        resource["encounter"] = subject.encounter.reference
    _add_times(conversion, rf1, resource)
    if rf1.has(10):
        put(resource, "reasonCode", conversion.concepts(rf1, 10, "0336"))
    _add_providers(conversion, resource)
    about = [rf1, subject.pid] if subject.pid else [rf1]
    put(resource, "note", [one for node in about for one in notes_of(conversion, node)])
    if numbers:
        best = numbers[0]
        system, value = str(best["system"]), str(best["value"])
        conversion.upsert(rf1, resource, system, value)
    else:
        conversion.upsert_own(rf1, resource, conversion.message_key, "referral")


def _numbers(conversion: Conversion, rf1: Node) -> list[Element]:
    """Return RF1-6, the referral's own number, and RF1-11, the other side's."""
    found = (
        entity_identifier(conversion.feed, Ei.of(source))
        for field in (6, 11)
        if rf1.has(field) and (source := rf1.first(field))
    )
    return [one for one in found if one]


def _add_status(conversion: Conversion, rf1: Node, resource: Element) -> None:
    """The event may revoke it (I14); else RF1-1."""
    sent = code(rf1.text(1))
    status = _STATUSES.get(sent, "active")
    resource["status"] = "revoked" if conversion.plan.deletes else status
    if sent:
        known = sent in _STATUSES
        system = _STATUS_TABLE if known else conversion.feed.own_codes("0283")
        resource["_status"] = alternate_codes(coded(system, sent))


def _add_times(conversion: Conversion, rf1: Node, resource: Element) -> None:
    """RF1-7 and 8: from when to when it holds; RF1-9: when it was made."""
    span: Element = {}
    conversion.put_time(span, "start", rf1, 7)
    conversion.put_time(span, "end", rf1, 8)
    put(resource, "occurrencePeriod", span)
    conversion.put_time(resource, "authoredOn", rf1, 9)


def _add_providers(conversion: Conversion, resource: Element) -> None:
    """Each PRD is a provider; two of them refer and are referred to."""
    for prd in conversion.tree.each("PRD"):
        role = map_provider(conversion, prd)
        if role is None:
            continue
        kinds = {source.text() for source in prd.all(1)}
        if _REFERS in kinds and "requester" not in resource:
            resource["requester"] = role.reference
        elif _REFERRED_TO in kinds:
            append(resource, "performer", role.reference)


def map_provider(conversion: Conversion, prd: Node) -> Entry | None:
    """Add the Practitioner of a PRD in the role it plays; None where it is nobody."""
    resource: Element = {"resourceType": "Practitioner"}
    numbers = [one for source in prd.all(7) if (one := _licence(conversion, source))]
    put(resource, "identifier", numbers)
    put(resource, "name", names(conversion, prd, 2))
    put(resource, "telecom", phones(conversion, prd, ((5, "work"),)))
    put(resource, "address", addresses(conversion, prd, 3))
    if not {"identifier", "name"} & resource.keys():
        return None
    if numbers:
        party = named_party(conversion.context.site, resource, numbers[0])
        person = conversion.party(prd, party)
    else:
        person = conversion.add_own_party(prd, resource, str(resource["name"]))
    return _role(conversion, prd, person)


def _licence(conversion: Conversion, source: Repetition) -> Element:
    """Return one PLN as identifier: number, kind, state, until when."""
    value, kind, state, until = source.texts(4)
    numbered = Cx(value, "", "", Hd(state), kind, Hd(), "", until, "", "")
    return identifier(conversion.feed, numbered)


def _role(conversion: Conversion, prd: Node, person: Entry) -> Entry:
    role: Element = {
        "resourceType": "PractitionerRole",
        "practitioner": person.reference,
    }
    put(role, "code", conversion.concepts(prd, 1, "0286"))
    source = prd.first(10) if prd.has(10) else None
    firm = organization(conversion, prd, source) if source else None
    if firm is not None:
        role["organization"] = firm.reference
    spot = prd.first(4) if prd.has(4) else None
    where = place(conversion, prd, spot) if spot else None
    if where is not None:
        role["location"] = [where.reference]
    span: Element = {}
    conversion.put_time(span, "start", prd, 8)
    conversion.put_time(span, "end", prd, 9)
    put(role, "period", span)
    firm_url = firm.full_url if firm else ""
    parts = (person.full_url, firm_url, str(role.get("code")))
    return conversion.add_own_party(prd, role, *parts)
