"""MSH, SFT and EVN to MessageHeader, Device and Provenance.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps MSH[MessageHeader], MSH[Provenance-Source],
    MSH[Provenance-Transformation], SFT[Device], EVN[Provenance]; fhir.md T30.
"""

from base64 import b64encode
from functools import lru_cache
from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Cwe, Hd, Xon
from engine.transforms.fhir.answer import add_response
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    code,
    coded,
    coding_of,
    designator_identifiers,
    extension,
    plain,
    put,
)
from engine.transforms.fhir.feed import Feed
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.keys import named_party, own_party
from engine.transforms.fhir.mapped import Element, Entry, Party
from engine.transforms.fhir.parties import (
    device_of_designator,
    organization,
    organization_of_designator,
    practitioners,
)
from engine.transforms.fhir.said import BLANK, drop_blanks
from engine.transforms.fhir.systems import HL7

ER7: Final = "x-application/hl7-v2+er7"
_PARTICIPANT: Final = HL7 + "provenance-participant-type"
_TRANSFORMATION: Final = {
    "system": "http://hl7.org/fhir/uv/v2mappings/CodeSystem/"
    "provenance-activity-type-v2-to-fhir",
    "code": "v2-fhir-transformation",
}
_AUTHOR: Final = coded(_PARTICIPANT, "author")
_TRANSMITTER: Final = coded(_PARTICIPANT, "transmitter")
_ENTERER: Final = coded(_PARTICIPANT, "enterer")
_ASSEMBLER: Final = coded(_PARTICIPANT, "assembler")
_OF_ONE_MESSAGE: Final = (7, 10)
"""MSH fields that differ in every message of a feed: its time and its number."""

_PRODUCT: Final = "Interop Engine"
_FOCUS: Final = (
    "Encounter", "DiagnosticReport", "DocumentReference", "Appointment",
    "Immunization", "ServiceRequest", "MedicationRequest", "MedicationDispense",
    "MedicationAdministration", "ChargeItem", "Patient", "Practitioner", "Location",
)  # fmt: skip


def map_header(conversion: Conversion) -> None:
    """Add what the message says about itself; call it when all else is mapped."""
    msh = conversion.tree.nodes[0]
    msh.take(1, 2, 7, 9, 10)
    sender = _sender(conversion, msh)
    devices = [_software(conversion, sft) for sft in conversion.tree.each("SFT")]
    header = _message_header(conversion, msh, sender)
    add_response(conversion, header)
    targets = [entry.reference for entry in conversion.mapped.entries]
    entities = _entities(conversion, msh, devices)
    _source(conversion, msh, sender, targets, entities)
    _transformation(conversion, msh, targets, entities)
    for pid in conversion.tree.each("PID"):
        _last_update(conversion, pid)
    put(header.resource, "focus", _focus(conversion))


def _focus(conversion: Conversion) -> list[Element]:
    """Return what the message is about; a result is, its order is not."""
    made: dict[str, list[Element]] = {}
    for entry in conversion.mapped.entries:
        if entry.segment > 0 and entry.method == "PUT":
            made.setdefault(entry.kind, []).append(entry.reference)
    if "DiagnosticReport" in made:
        made.pop("ServiceRequest", None)
    return [one for kind in _FOCUS for one in made.get(kind, ())]


def _sender(conversion: Conversion, msh: Node) -> Entry | None:
    """Return the sending facility, MSH-4, in the country of MSH-17."""
    source = msh.first(4)
    if source is None:
        return None
    entry = organization_of_designator(conversion, msh, source)
    if entry is not None and (country := conversion.string(msh, 17)):
        entry.enrich("address", [{"country": country}])
    return entry


def _message_header(conversion: Conversion, msh: Node, sender: Entry | None) -> Entry:
    resource = conversion.said(msh, _read_header, _OF_ONE_MESSAGE)
    if sender is not None:
        resource["sender"] = sender.reference
    if (software := conversion.tree.first("SFT")) is not None:
        resource["source"] = _origin(conversion, msh, software)
    drop_blanks(resource, "sender")
    return conversion.upsert_unnamed(msh, resource, conversion.message_key)


def _read_header(conversion: Conversion, msh: Node) -> Element:
    """Return what the messages of a feed say alike: what of, whence and whereto."""
    resource: Element = {"resourceType": "MessageHeader"}
    put(resource, "meta", _meta(conversion, msh))
    if msh.has(19):
        put(resource, "language", msh.text(19).strip())
    resource["eventCoding"] = _event(conversion, msh)
    resource["destination"] = [_destination(conversion, msh)]
    resource["sender"] = BLANK
    resource["source"] = _origin(conversion, msh, None)
    if msh.has(22) and (source := msh.first(22)):
        responsible = organization(conversion, msh, source)
        if responsible is not None:
            resource["responsible"] = responsible.mention()
    return resource


def _event(conversion: Conversion, msh: Node) -> Element:
    """Return MSH-9 as Coding."""
    source = msh.first(9)
    if source is None:
        return {"system": HL7 + "v2-0003", "code": "unknown"}
    return conversion.feed.recall("MSG", source, _read_event)


def _read_event(_feed: Feed, source: Repetition) -> Element:
    kind, event, structure = source.texts(3)
    display = "^".join(part for part in (kind, event, structure) if part)
    value = code(event or kind)
    return {"system": HL7 + "v2-0003", "code": value, "display": plain(display)}


def _meta(conversion: Conversion, msh: Node) -> Element:
    """MSH-11: what the message is for; MSH-8 and 26: who may see it."""
    tags: list[Element] = []
    for part, table in ((1, "0103"), (2, "0207")):
        if value := code(msh.text(11, part)):
            tags.append({"system": f"{HL7}v2-{table}", "code": value})
    labels: list[Element] = []
    for field in (8, 26, 27):
        source = msh.first(field) if msh.has(field) else None
        if source is not None:
            label = coding_of(conversion.feed, Cwe.of(source), "", f"MSH-{field}")
            labels += [label] if label else []
    found: Element = {}
    put(found, "tag", tags)
    put(found, "security", labels)
    return found


def _destination(conversion: Conversion, msh: Node) -> Element:
    found: Element = {}
    application = msh.first(5) if msh.has(5) else None
    value = Hd.of(application) if application else Hd()
    device = device_of_designator(conversion, msh, application) if application else None
    put(found, "name", plain(value.namespace))
    if device is not None:
        found["target"] = device.mention()
    found["endpoint"] = _endpoint(conversion, msh, 25, value)
    if msh.has(23) and (source := msh.first(23)):
        receiver = organization(conversion, msh, source)
        if msh.has(6):  # the guide takes it only where MSH-23 is not valued
            conversion.lose(msh, 6, "duplicate")
    elif msh.has(6) and (source := msh.first(6)):
        receiver = organization_of_designator(conversion, msh, source)
    else:
        receiver = None
    if receiver is not None:
        found["receiver"] = receiver.mention()
    return found


def _endpoint(conversion: Conversion, msh: Node, field: int, value: Hd) -> str:
    """Return a network address, else the URI of the application."""
    source = msh.first(field) if msh.has(field) else None
    address = Hd.of(source) if source else Hd()
    if address.universal_id and ":" in address.universal_id:
        return "".join(plain(address.universal_id).split())
    if address.namespace or address.universal_id:
        return conversion.feed.identifier_system(address)
    return conversion.feed.identifier_system(value)


def _origin(conversion: Conversion, msh: Node, software: Node | None) -> Element:
    found: Element = {}
    source = msh.first(3)
    value = Hd.of(source) if source else Hd()
    put(found, "name", plain(value.namespace))
    if software is not None:
        put(found, "software", plain(software.text(3)))
        put(found, "version", plain(software.text(2)))
    else:
        put(found, "software", plain(value.universal_id))
    found["endpoint"] = _endpoint(conversion, msh, 24, value)
    return found


def _software(conversion: Conversion, sft: Node) -> Entry:
    """Add the Device of one SFT."""
    resource: Element = {"resourceType": "Device"}
    vendor = sft.first(1)
    if vendor is not None:
        value = Xon.of(vendor)
        put(resource, "manufacturer", plain(value.name or value.identifier))
    put(resource, "modelNumber", conversion.string(sft, 4))
    if name := conversion.string(sft, 3):
        resource["deviceName"] = [{"name": name, "type": "manufacturer-name"}]
    put(resource, "version", _version(conversion, sft))
    if note := conversion.string(sft, 5):
        resource["note"] = [{"text": note}]
    party = own_party(conversion.context.site, resource, sft.segment.encoded)
    return conversion.party(sft, party)


def _version(conversion: Conversion, sft: Node) -> list[Element]:
    value = conversion.string(sft, 2)
    if not value:
        return []
    found: Element = {"value": value}
    if sft.has(6) and (when := conversion.when(sft, 6)):
        url = (
            "http://hl7.org/fhir/5.0/StructureDefinition/"
            "extension-Device.version.installDate"
        )
        found["extension"] = [extension(url, "DateTime", when)]
    return [found]


def _entities(conversion: Conversion, msh: Node, devices: list[Entry]) -> list[Element]:
    """Return what the resources were made from: the message, and the software."""
    found: list[Element] = []
    if conversion.context.options.source_message != "none":
        document = _document(conversion, msh)
        number = document.resource["masterIdentifier"]
        what: Element = {**document.reference, "identifier": number}
        found.append({"role": "source", "what": what})
    software: list[Element] = [
        {"role": "derivation", "what": device.reference} for device in devices
    ]
    return found + software


def _document(conversion: Conversion, msh: Node) -> Entry:
    """Return the message as a DocumentReference: its address, or the message itself."""
    context = conversion.context
    feed = conversion.feed
    attachment: Element = {"contentType": ER7}
    if context.options.source_message == "inline":
        attachment["data"] = b64encode(conversion.message.data).decode("ascii")
    else:
        attachment["url"] = context.message_url or feed.own_codes("messages")
    system = feed.identifier_system(Hd("messages"))
    number = plain(msh.text(10)) or "none"
    resource: Element = {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"system": system, "value": number},
        "status": "current",
        "content": [{"attachment": attachment}],
    }
    entry = conversion.upsert_unnamed(msh, resource, conversion.message_key)
    entry.segment = 0
    return entry


def _source(
    conversion: Conversion,
    msh: Node,
    sender: Entry | None,
    targets: list[Element],
    entities: list[Element],
) -> None:
    """Add who sent the message and, from EVN, who did what it reports and why."""
    sent = conversion.moment(msh, 7)
    event = _event(conversion, msh)
    display = f"message - {event.get('display', '')}"
    resource: Element = {"resourceType": "Provenance", "target": targets}
    evn = conversion.tree.first("EVN")
    if evn is not None:
        _add_event(conversion, evn, resource)
    elif sent.text:
        resource["occurredDateTime"] = sent.text
    resource["recorded"] = sent.instant or conversion.recorded()
    resource["activity"] = {"coding": [{**event, "display": display}]}
    resource["agent"] = _agents(conversion, msh, sender, evn)
    put(resource, "entity", entities)
    conversion.upsert_unnamed(msh, resource, conversion.message_key, "source")


def _agents(
    conversion: Conversion, msh: Node, sender: Entry | None, evn: Node | None
) -> list[Element]:
    found: list[Element] = []
    responsible = msh.first(22) if msh.has(22) else None
    named = organization(conversion, msh, responsible) if responsible else None
    who = named or sender
    if who is not None:
        found.append({"type": _AUTHOR, "who": who.reference})
    application = msh.first(3)
    device = device_of_designator(conversion, msh, application) if application else None
    if device is not None:
        found.append({"type": _TRANSMITTER, "who": device.reference})
    operators = practitioners(conversion, evn, 5) if evn else []
    found += [{"type": _ENTERER, "who": one.reference} for one in operators]
    return found or [{"who": {"display": conversion.feed.sender}}]


def _add_event(conversion: Conversion, evn: Node, resource: Element) -> None:
    """EVN: when it happened, why, and where."""
    evn.take(1)
    recorded = conversion.when(evn, 2) if evn.has(2) else ""
    occurred = conversion.when(evn, 6) if evn.has(6) else ""
    put(resource, "occurredDateTime", occurred or recorded)
    if evn.has(4) and (reason := conversion.concept(evn, 4, "0062")):
        resource["reason"] = [reason]
    source = evn.first(7) if evn.has(7) else None
    value = Hd.of(source) if source else Hd()
    if name := plain(value.namespace) or plain(value.universal_id):
        system = conversion.feed.identifier_system(Hd("facilities"))
        place: Element = {
            "resourceType": "Location",
            "identifier": [
                {"system": system, "value": name},
                *designator_identifiers(conversion.feed, value),
            ],
            "name": name,
            "mode": "instance",
        }
        one: Element = {"system": system, "value": name}
        entry = conversion.party(evn, named_party(conversion.context.site, place, one))
        resource["location"] = entry.reference


def _last_update(conversion: Conversion, pid: Node) -> None:
    """PID-33 and 34: when the person's record was changed, and where."""
    patient = conversion.subject_of(pid).patient
    source = pid.first(34) if pid.has(34) else None
    place = organization_of_designator(conversion, pid, source) if source else None
    if patient is None or not pid.has(33):
        pid.leave(34)
        return
    changed = conversion.moment(pid, 33)
    resource: Element = {"resourceType": "Provenance", "target": [patient.reference]}
    put(resource, "occurredDateTime", changed.text)
    resource["recorded"] = changed.instant or conversion.recorded()
    resource["activity"] = coded(HL7 + "v3-DataOperation", "UPDATE")
    kind = coded(_PARTICIPANT, "performer")
    who: Element = place.reference if place else {"display": "unknown"}
    resource["agent"] = [{"type": kind, "who": who}]
    key = (conversion.message_key, "update", str(pid.position))
    conversion.upsert_unnamed(pid, resource, *key)


def _transformation(
    conversion: Conversion,
    msh: Node,
    targets: list[Element],
    entities: list[Element],
) -> None:
    """Add that this product made the resources, and when."""
    context = conversion.context
    engine = conversion.party(msh, _product(context.site, context.engine_version))
    resource: Element = {
        "resourceType": "Provenance",
        "target": targets,
        "recorded": conversion.recorded(),
        "activity": {"coding": [_TRANSFORMATION]},
        "agent": [{"type": _ASSEMBLER, "who": engine.reference}],
    }
    put(resource, "entity", entities)
    conversion.upsert_unnamed(msh, resource, conversion.message_key, "transformation")


@lru_cache(maxsize=64)
def _product(site: str, version: str) -> Party:
    """Return this product as a Device."""
    one: Element = {"system": "urn:id:interop-engine:version", "value": version}
    device: Element = {
        "resourceType": "Device",
        "identifier": [one],
        "deviceName": [{"name": _PRODUCT, "type": "manufacturer-name"}],
        "version": [{"value": version}],
    }
    return named_party(site, device, one)
