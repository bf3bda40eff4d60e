"""TXA and its OBX to DocumentReference.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps TXA[DocumentReference], OBX[DocumentReference],
    NTE[DocumentReference]; fhir.md T09 and D19.
"""

from binascii import a2b_base64
from typing import Final

from engine.hl7.datatypes import Ei
from engine.transforms.document_forms import FORMATS, format_of
from engine.transforms.fhir.attachments import (
    content_type,
    encapsulated,
    pointer,
    text_data,
)
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    alternate_codes,
    code,
    coded,
    entity_identifier,
    free_text,
    plain,
    put,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.observation_values import joined
from engine.transforms.fhir.parties import practitioners
from engine.transforms.fhir.systems import HL7, local_system
from engine.transforms.fhir.vocabulary import DOCUMENT_COMPLETION, DOCUMENT_STATUS

_XML: Final = frozenset(("application/xml", "text/xml"))
_DEFAULT_TYPE: Final = "application/octet-stream"
_ORDER_NUMBERS: Final = ((14, "PLAC"), (15, "FILL"))


def map_document(conversion: Conversion, txa: Node) -> None:
    """Add the DocumentReference of a TXA with the content of the OBX below it."""
    txa.take(1)
    resource: Element = {"resourceType": "DocumentReference"}
    number = _number(conversion, txa, 12)
    put(resource, "masterIdentifier", number)
    identifiers = [number] if number else []
    if name := conversion.string(txa, 16):
        feed = conversion.feed
        system = local_system(feed.site, feed.sender, "files")
        identifiers.append({"system": system, "value": name})
    # the number stands in both: not every server's search looks at masterIdentifier
    put(resource, "identifier", identifiers)
    _add_status(conversion, txa, resource)
    conversion.put_concept(resource, "type", txa, 2, "0270")
    subject = conversion.about(txa, resource)
    _add_date(conversion, txa, resource)
    _add_people(conversion, txa, resource)
    _add_relation(conversion, txa, resource)
    put(resource, "description", conversion.string(txa, 25))
    if label := code(txa.text(18)):
        known = label in ("V", "R", "U")
        system = HL7 + "v2-0272" if known else conversion.feed.own_codes("0272")
        resource["securityLabel"] = [coded(system, label)]
    resource["content"] = _content(conversion, txa, resource)
    context = _context(conversion, txa)
    if subject.encounter is not None:
        context["encounter"] = [subject.encounter.reference]
    put(resource, "context", context)
    if number:
        system, value = str(number["system"]), str(number["value"])
        conversion.upsert(txa, resource, system, value)
    else:
        conversion.upsert_own(txa, resource, conversion.message_key, str(txa.number))


def _number(conversion: Conversion, txa: Node, field: int) -> Element:
    source = txa.first(field) if txa.has(field) else None
    return entity_identifier(conversion.feed, Ei.of(source)) if source else {}


def _add_status(conversion: Conversion, txa: Node, resource: Element) -> None:
    """TXA-19 is the status, unless the event says more; TXA-17 the document's own."""
    sent = code(txa.text(19))
    by_event = conversion.plan.document_status
    resource["status"] = by_event or DOCUMENT_STATUS.get(sent, "current")
    if sent and sent != "AV":
        resource["_status"] = alternate_codes(coded(HL7 + "v2-0273", sent))
    completion = code(txa.text(17))
    put(resource, "docStatus", DOCUMENT_COMPLETION.get(completion))
    if completion:
        value = coded(HL7 + "v2-0271", completion)
        resource["_docStatus"] = alternate_codes(value)


def _add_date(conversion: Conversion, txa: Node, resource: Element) -> None:
    """TXA-6, else TXA-4, as far as it is an instant."""
    for field in (6, 4):
        if txa.has(field):
            moment = conversion.moment(txa, field)
            if moment.instant:
                resource["date"] = moment.instant
                return
            if field == 6:  # noqa: PLR2004 - TXA-6
                conversion.lose(txa, field, "not-mapped-by-choice")


def _add_people(conversion: Conversion, txa: Node, resource: Element) -> None:
    authors = practitioners(conversion, txa, 9) or practitioners(conversion, txa, 5)
    put(resource, "author", [entry.reference for entry in authors])
    for field in (10, 22):
        signers = practitioners(conversion, txa, field)
        if signers and "authenticator" not in resource:
            resource["authenticator"] = signers[0].reference


def _add_relation(conversion: Conversion, txa: Node, resource: Element) -> None:
    """TXA-13: the document this one adds to or replaces."""
    if parent := _number(conversion, txa, 13):
        target: Element = {"type": "DocumentReference", "identifier": parent}
        kind = conversion.plan.relates or "appends"
        resource["relatesTo"] = [{"code": kind, "target": target}]


def _context(conversion: Conversion, txa: Node) -> Element:
    found: Element = {}
    if txa.has(4) and (when := conversion.when(txa, 4)):
        found["period"] = {"start": when}
    related: list[Element] = []
    for field, kind in _ORDER_NUMBERS:
        if txa.has(field):
            for source in txa.all(field):
                one = entity_identifier(conversion.feed, Ei.of(source), kind)
                if one:
                    related.append({"type": "ServiceRequest", "identifier": one})
    orders = conversion.mapped.all("ServiceRequest")
    related += [entry.reference for entry in orders]
    put(found, "related", related)
    return found


def _content(conversion: Conversion, txa: Node, resource: Element) -> list[Element]:
    """Return the attachments: each file, and all the text as one."""
    found: list[Element] = []
    lines: list[Node] = []
    for obx in txa.all_below("OBX"):
        if obx.text(2) in ("ED", "RP"):
            found += _files(conversion, obx)
        else:
            lines.append(obx)
    if text := _text(txa, lines):
        kind = content_type(txa.text(3), "")
        kind = kind if kind.startswith("text/") else "text/plain"
        found.insert(0, {"contentType": kind, "data": text_data(text)})
    if not found:
        found = [_empty(txa)]
    for attachment in found:
        put(attachment, "title", attachment.get("title") or resource.get("description"))
    return [{"attachment": attachment} | _format(attachment) for attachment in found]


def _format(attachment: Element) -> Element:
    """Return the format of a C-CDA document, by which a reader knows it is one."""
    if attachment.get("contentType") not in _XML or "data" not in attachment:
        return {}
    document = a2b_base64(str(attachment["data"]))
    urn = format_of(document)
    return {"format": {"system": FORMATS, "code": urn}} if urn else {}


def _empty(txa: Node) -> Element:
    """Return the attachment of a document that is not in the message."""
    kind = content_type(txa.text(3), "") if txa.has(3) else _DEFAULT_TYPE
    return {"contentType": kind}


def _files(conversion: Conversion, obx: Node) -> list[Element]:
    obx.take(1)
    read = encapsulated if obx.text(2) == "ED" else pointer
    found = [attachment for source in obx.all(5) if (attachment := read(source))]
    if not found:
        conversion.lose(obx, 5, "unreadable")
    title = plain(obx.text(3, 2) or obx.text(3))
    for attachment in found:
        put(attachment, "title", title)
    return found


def _text(txa: Node, lines: list[Node]) -> str:
    """Return the words of a document, its notes after the line they follow."""
    for line in lines:
        line.take(1, 2)
    parts: list[str] = []
    for line in lines:
        parts.append(joined([line]))
        parts += _notes(line)
    parts += _notes(txa)
    return "\n".join(parts).strip("\n")


def _notes(node: Node) -> list[str]:
    found: list[str] = []
    for note in node.all_below("NTE"):
        note.take(1)
        found.append("\n".join(free_text(source) for source in note.all(3)))
    return found
