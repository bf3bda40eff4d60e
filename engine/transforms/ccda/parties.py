"""The people and organizations of the header, each in the role the message gives."""

from typing import Final

from engine.transforms.ccda.codes import ROLE_CODE, Code, concept
from engine.transforms.ccda.elements import Element, element, null
from engine.transforms.ccda.facts import (
    NOTHING,
    Resource,
    child,
    children,
    codes,
    extension,
    text,
)
from engine.transforms.ccda.people import (
    addresses,
    custodian_address,
    custodian_organization,
    custodian_telecom,
    ids,
    name_words,
    organization,
    person,
    role,
    telecoms,
)
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.times import known

RELATION_CLASSES: Final = {
    "ECON": "ECON",
    "C": "ECON",
    "NOK": "NOK",
    "N": "NOK",
    "GUAR": "GUAR",
    "AGNT": "AGNT",
    "CAREGIVER": "CAREGIVER",
}
"""Relationship codes (v3 role classes, v2 table 0131) to the class of a participant."""


def _relatives(rendering: Rendering) -> list[Resource]:
    """Return related persons that have a name; others cannot be shown."""
    relatives = (relative for _, relative in rendering.facts.of("RelatedPerson"))
    return [relative for relative in relatives if name_words(relative)]


def _lose_nameless(rendering: Rendering) -> None:
    for _, relative in rendering.facts.of("RelatedPerson"):
        if not name_words(relative):
            said = " ".join(sorted(filter(None, _relations(relative))))
            rendering.lose("RelatedPerson", "no-cda-home", said)


def _relations(relative: Resource) -> set[str]:
    kinds = children(relative, "relationship")
    return {code for kind in kinds for code in codes(kind)}


def guardians(rendering: Rendering) -> list[Element]:
    """Return the guardians of the patient."""
    return [
        element(
            "guardian",
            None,
            Code("GUARD", ROLE_CODE, "guardian").element("code"),
            addresses(relative, rendering),
            telecoms(relative),
            person("guardianPerson", relative, rendering),
        )
        for relative in _relatives(rendering)
        if "GUARD" in _relations(relative)
    ]


def participants(rendering: Rendering) -> list[Element]:
    """Return next of kin, contacts and the like; guardians stand with the patient."""
    _lose_nameless(rendering)
    made = []
    for relative in _relatives(rendering):
        relations = _relations(relative)
        if "GUARD" in relations:
            continue
        classes = sorted(RELATION_CLASSES.keys() & relations)
        kind = RELATION_CLASSES[classes[0]] if classes else "PRS"
        entity = element(
            "associatedEntity",
            {"classCode": kind},
            _relationship(relative, rendering),
            addresses(relative, rendering),
            telecoms(relative),
            person("associatedPerson", relative, rendering),
        )
        made.append(element("participant", {"typeCode": "IND"}, entity))
    return made


def _relationship(relative: Resource, rendering: Rendering) -> Element | None:
    for source in children(relative, "relationship"):
        path = "RelatedPerson.relationship"
        found = concept(source, rendering, path, ROLE_CODE)
        if found and not codes(source) & RELATION_CLASSES.keys():
            return found.element("code")
    return None


def authors(rendering: Rendering, note: Resource, now: str) -> list[Element]:
    """Return the engine as author, and the people who wrote the note."""
    custodian = rendering.site.custodian
    device = element(
        "assignedAuthoringDevice",
        None,
        element("manufacturerModelName", text="Interop Engine"),
        element("softwareName", text=f"Interop Engine {rendering.site.engine_version}"),
    )
    assigned = element(
        "assignedAuthor",
        None,
        rendering.author_id,
        custodian_address(custodian),
        custodian_telecom(custodian),
        device,
        custodian_organization("representedOrganization", custodian),
    )
    time = Element("time", {"value": now}, [])
    made = [element("author", None, time, assigned)]
    written = known(note.get("date"), rendering, "DocumentReference.date")
    for writer in note_authors(rendering, note):
        when = written.element("time") if written and _has_day(written.ts) else None
        author = role(
            "assignedAuthor",
            writer,
            rendering,
            person("assignedPerson", writer, rendering),
        )
        made.append(element("author", None, when or null("time"), author))
    return made


def _has_day(time: str) -> bool:
    return len(time) >= len("YYYYMMDD")


def note_authors(rendering: Rendering, note: Resource) -> list[Resource]:
    """Return the people who wrote a note, as far as they have a name."""
    found = []
    for reference in children(note, "author"):
        writer = _party({"author": reference}, "author", rendering, note)
        if writer.get("resourceType") != "Organization" and name_words(writer):
            found.append(writer)
            continue
        for identifier in children(writer, "identifier"):
            number = text(identifier, "value")
            rendering.lose("DocumentReference.author", "no-cda-home", number)
    return found


def _party(
    holder: Resource, name: str, rendering: Rendering, inside: Resource = NOTHING
) -> Resource:
    """Return who a reference means; a PractitionerRole stands for its practitioner."""
    found = rendering.facts.resolve(holder, name, inside)
    if found.get("resourceType") == "PractitionerRole":
        return rendering.facts.resolve(found, "practitioner", inside)
    return found


def informants(rendering: Rendering) -> list[Element]:
    """Return the sending facility, as far as its name is known."""
    for _, message in rendering.facts.of("MessageHeader"):
        sender = rendering.facts.resolve(message, "sender")
        title = name_words(sender)
        if sender.get("resourceType") == "Organization" and title:
            whole = organization("representedOrganization", sender, rendering, title)
            entity = role("assignedEntity", sender, rendering, whole)
            return [element("informant", None, entity)]
    return []


def custodian(rendering: Rendering) -> Element:
    """Return the organization that keeps the document."""
    keeper = custodian_organization(
        "representedCustodianOrganization", rendering.site.custodian
    )
    return element("custodian", None, element("assignedCustodian", None, keeper))


def legal_authenticator(rendering: Rendering, note: Resource) -> list[Element]:
    """Return who signed, only when the note says that it is legally authenticated."""
    status = extension(child(note, "_docStatus"), "alternate-codes")
    signer = _party(note, "authenticator", rendering, note)
    signed = "LA" in codes(child(status, "valueCodeableConcept"))
    if not signed or not name_words(signer):
        if state := text(note, "docStatus"):
            rendering.lose("DocumentReference.docStatus", "no-cda-home", state)
        return []
    entity = role(
        "assignedEntity",
        signer,
        rendering,
        person("assignedPerson", signer, rendering),
    )
    signature = Element("signatureCode", {"code": "S"}, [])
    return [element("legalAuthenticator", None, null("time"), signature, entity)]


def orders(rendering: Rendering, note: Resource) -> list[Element]:
    """Return the orders a note answers, as far as their numbers have an OID."""
    made = []
    related = children(child(note, "context"), "related")
    for reference in related + children(note, "basedOn"):
        order = rendering.facts.resolve({"related": reference}, "related")
        if text(reference, "type") == "ServiceRequest" and not order:
            number = [child(reference, "identifier")]
            order = {"resourceType": "ServiceRequest", "identifier": number}
        if order.get("resourceType") != "ServiceRequest":
            continue
        known_ids = [
            made_id
            for made_id in ids(order, rendering)
            if made_id.attributes.get("root")
        ]
        if known_ids:
            body = element("order", None, known_ids)
            made.append(element("inFulfillmentOf", None, body))
    return made
