"""IN1, IN2 and PV1-20 to Coverage.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps IN1[Coverage] and PV1[Coverage]; fhir.md D12.
"""

from typing import Final

from engine.hl7.datatypes import Cwe, Cx, Hd, Xon
from engine.transforms.fhir.conversion import Conversion, Subject
from engine.transforms.fhir.datatypes import (
    append,
    coded,
    extension,
    identifier,
    identifier_of,
    listed,
    organization_identifier,
    plain,
    put,
    translated,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.keys import named_party, own_party
from engine.transforms.fhir.mapped import Element, Entry, Party
from engine.transforms.fhir.names import address, contact_points, phones
from engine.transforms.fhir.parties import organization
from engine.transforms.fhir.patient import add_gender
from engine.transforms.fhir.related import addresses, names, social_security
from engine.transforms.fhir.said import BLANK, drop_blanks
from engine.transforms.fhir.systems import HL7
from engine.transforms.fhir.vocabulary import RELATIONSHIP, V3_ROLE

_SUBSCRIBER_RELATION: Final = HL7 + "subscriber-relationship"
_RELATIONS: Final = {
    "SEL": "self", "SPO": "spouse", "CHD": "child", "PAR": "parent", "OTH": "other",
    "18": "self", "01": "spouse", "19": "child",
}  # fmt: skip
_CLASS: Final = HL7 + "coverage-class"
_SUBSCRIBER_ID: Final = (
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-subscriberId"
)
_SELF: Final = frozenset(("SEL", "18", "S"))
_IN2_NUMBERS: Final = ((61, "MB"), (6, "MC"), (8, "MA"))


def map_insurance(conversion: Conversion, in1: Node) -> None:
    """Add the Coverage of an IN1 and the IN2 that follows it."""
    subject = conversion.subject_of(in1)
    if subject.patient is None:
        in1.take(1)
        conversion.lose_all(in1, "context")
        return
    in2 = in1.child("IN2")
    resource = conversion.said(in1, _read_policy)
    if in2 is not None:
        members = _members(conversion, in2)
        put(resource, "identifier", listed(resource, "identifier") + members)
    _add_class(conversion, in1, resource)
    subscriber = _subscriber(conversion, in1, in2, subject)
    if subscriber is not None:
        resource["subscriber"] = subscriber.reference
    resource["beneficiary"] = subject.patient.reference
    resource["payor"] = conversion.read_once(in1, _payors)
    drop_blanks(resource, "identifier", "type", "subscriber", "payor")
    segment = in1.segment
    parts = (subject.key, segment.raw(2), segment.raw(36) or segment.raw(49))
    coverage = conversion.upsert_own(in1, resource, *parts)
    if subject.account is not None and not conversion.plan.reports:
        covers: Element = {"coverage": coverage.reference}
        put(covers, "priority", resource.get("order"))
        append(subject.account.resource, "coverage", covers)


def _read_policy(conversion: Conversion, in1: Node) -> Element:
    """Return the policy, whoever is insured by it."""
    in1.take(1)
    resource: Element = {"resourceType": "Coverage"}
    resource["identifier"] = _numbers(conversion, in1) or BLANK
    resource["status"] = "active"
    resource["type"] = conversion.concept(in1, 15, "0086") or BLANK
    _add_holder(conversion, in1, resource)
    _add_subscriber_id(conversion, in1, resource)
    resource["subscriber"] = resource["beneficiary"] = BLANK
    _add_relation(conversion, in1, resource)
    span: Element = {}
    conversion.put_time(span, "start", in1, 12)
    conversion.put_time(span, "end", in1, 13)
    put(resource, "period", span)
    resource["payor"] = BLANK
    _add_group(conversion, in1, resource)
    return resource


def _numbers(conversion: Conversion, in1: Node) -> list[Element]:
    feed = conversion.feed
    found: list[Element] = []
    source = in1.first(2) if in1.has(2) else None
    if source is not None:
        value = Cwe.of(source)
        number = plain(value.code or value.text)
        if number:
            system = (
                feed.code_system(value.system)
                if value.system
                else feed.identifier_system(Hd("health-plans"))
            )
            plan: Element = {"system": system, "value": number}
            if value.code and (words := plain(value.text)):
                plan["type"] = {"text": words}
            found.append(plan)
    if in1.has(49) and (number := conversion.string(in1, 36)):
        found.append(identifier(feed, Cx(number, "", "", Hd("policies"), "", Hd(),
                                         "", "", "", "")))  # fmt: skip
    return found


def _members(conversion: Conversion, in2: Node) -> list[Element]:
    """Return the numbers of the insured that an IN2 gives."""
    found: list[Element] = []
    for field, kind in _IN2_NUMBERS:
        member = in2.first(field) if in2.has(field) else None
        one = identifier_of(conversion.feed, member, kind) if member else {}
        found += [one] if one else []
    return found


def _add_class(conversion: Conversion, in1: Node, resource: Element) -> None:
    """Add the financial class of the visit to the type of its first policy."""
    pv1 = conversion.tree.first("PV1")
    if pv1 is None or not pv1.has(20) or in1.number != 1:
        return
    if also := listed(conversion.concept(pv1, 20, "0064"), "coding"):
        known = resource["type"]
        kind = known if isinstance(known, dict) else {}
        resource["type"] = {**kind, "coding": listed(kind, "coding") + also}


def _add_holder(conversion: Conversion, in1: Node, resource: Element) -> None:
    """IN1-10 and 11: the employer who holds the policy; a subscriber's number."""
    source = in1.first(10) if in1.has(10) else None
    number = identifier_of(conversion.feed, source) if source else {}
    if source is not None and source.text(5) == "SN" and number:
        append(resource, "extension", extension(_SUBSCRIBER_ID, "Identifier", number))
    firm = in1.first(11) if in1.has(11) else None
    detail = ("identifier", [number] if number else [])
    holder = organization(conversion, in1, firm, detail) if firm else None
    if holder is None and number:
        employer: Element = {"resourceType": "Organization", "identifier": [number]}
        employer["name"] = number["value"]
        party = named_party(conversion.context.site, employer, number)
        holder = conversion.party(in1, party)
    if holder is not None:
        resource["policyHolder"] = holder.mention()


def _add_subscriber_id(conversion: Conversion, in1: Node, resource: Element) -> None:
    number = ""
    source = in1.first(49) if in1.has(49) else None
    if source is not None:
        one = identifier_of(conversion.feed, source)
        if one:
            number = str(one["value"])
            append(resource, "extension", extension(_SUBSCRIBER_ID, "Identifier", one))
    else:
        number = conversion.string(in1, 36)
    put(resource, "subscriberId", number)


def _subscriber(
    conversion: Conversion, in1: Node, in2: Node | None, subject: Subject
) -> Entry | None:
    """Return who is insured: the patient, or a RelatedPerson."""
    if in1.text(17) in _SELF:
        in1.take(16)
        return subject.patient
    called = names(conversion, in1, 16)
    if not called or subject.patient is None:
        return None
    resource: Element = {"resourceType": "RelatedPerson"}
    if in2 is not None:
        put(resource, "identifier", social_security(conversion, in2, 2))
        put(resource, "telecom", phones(conversion, in2, ((63, "home"),)))
    resource["patient"] = subject.patient.reference
    if relation := conversion.concept(in1, 17, "0063"):
        resource["relationship"] = [translated(relation, RELATIONSHIP, V3_ROLE)]
    resource["name"] = called
    add_gender(resource, in1.text(43))
    if in1.has(18) and (born := conversion.moment(in1, 18).date):
        resource["birthDate"] = born
    put(resource, "address", addresses(conversion, in1, 19))
    parts = ("insured", in1.segment.raw(16), in1.segment.raw(17))
    return conversion.upsert_own(in1, resource, subject.key, *parts)


def _add_relation(conversion: Conversion, in1: Node, resource: Element) -> None:
    if relation := conversion.concept(in1, 17, "0063"):
        resource["relationship"] = translated(
            relation, _RELATIONS, _SUBSCRIBER_RELATION
        )


def _payors(conversion: Conversion, in1: Node) -> list[Element]:
    """Return the insurers of IN1-3 and IN1-4, or the words there are for them."""
    insurer = _insurer(conversion, in1)
    if insurer is None:
        words = conversion.string(in1, 2, 2) or conversion.string(in1, 2)
        return [{"display": words or "unknown"}]
    home = in1.first(5) if in1.has(5) else None
    where = address(conversion.feed, home) if home else {}
    points = [
        point
        for one in (in1.all(7) if in1.has(7) else ())
        for point in contact_points(conversion.feed, one)
    ]
    details = ("address", [where] if where else []), ("telecom", points)
    entry = conversion.add_parties(in1, (insurer,), *details)
    return [entry.mention()] if entry else []


def _insurer(conversion: Conversion, in1: Node) -> Party | None:
    feed = conversion.feed
    named = in1.first(4) if in1.has(4) else None
    value = Xon.of(named) if named else None
    number = in1.first(3) if in1.has(3) else None
    one = identifier_of(feed, number) if number else {}
    also = organization_identifier(feed, value) if value else {}
    resource: Element = {"resourceType": "Organization"}
    put(resource, "identifier", [found for found in (one, also) if found])
    put(resource, "name", plain(value.name) if value else "")
    best = one or also
    if best:
        resource.setdefault("name", best["value"])
        return named_party(feed.site, resource, best)
    if value is None or not plain(value.name):
        return None
    return own_party(feed.site, resource, plain(value.name))


def _add_group(conversion: Conversion, in1: Node, resource: Element) -> None:
    """IN1-8 and 9: the group; IN1-22: which insurance pays first."""
    number, name = conversion.string(in1, 8), conversion.string(in1, 9)
    if number or name:
        group: Element = {"type": coded(_CLASS, "group"), "value": number or name}
        put(group, "name", name)
        resource["class"] = [group]
    rank = in1.text(22).strip()
    if rank.isdecimal() and int(rank) > 0:
        resource["order"] = int(rank)
    elif rank:
        in1.leave(22)


def map_financial_class(conversion: Conversion, pv1: Node) -> None:
    """PV1-20 without an IN1: a Coverage of which only the kind is known."""
    subject = conversion.subject_of(pv1)
    if (
        not pv1.has(20)
        or subject.patient is None
        or subject.encounter is None
        or conversion.tree.first("IN1") is not None
    ):
        return
    kind = conversion.concept(pv1, 20, "0064")
    words = plain(pv1.text(20))
    if not kind:
        return
    resource: Element = {
        "resourceType": "Coverage",
        "status": "active",
        "type": kind,
        "beneficiary": subject.patient.reference,
        "payor": [{"display": words}],
    }
    conversion.upsert_own(pv1, resource, subject.key, subject.visit_key, "PV1-20")
