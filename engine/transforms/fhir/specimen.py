"""SPM, and OBR-15 of older versions, to Specimen.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps SPM[Specimen] and OBR[Specimen]; fhir.md T15.
"""

from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Cwe, Ei
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    append,
    code,
    coded,
    entity_identifier,
    formatted,
    identifier_of,
    plain,
    put,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.notes import notes_of
from engine.transforms.fhir.parties import practitioners
from engine.transforms.fhir.quantities import counted
from engine.transforms.fhir.systems import HL7
from engine.transforms.fhir.vocabulary import AVAILABILITY

_KINDS: Final = ((1, "PLAC"), (2, "FGN"))
"""SPM-2 components and the identifier types they become."""


def map_specimen(conversion: Conversion, spm: Node, order_key: str) -> Entry:
    """Add the Specimen of one SPM, once for all its orders."""
    for known in conversion.mapped.all("Specimen") if spm.taken else ():
        if known.segment == spm.position:
            return known
    resource: Element = {"resourceType": "Specimen"}
    identifiers = _identifiers(conversion, spm)
    put(resource, "identifier", identifiers)
    if spm.has(30) and (source := spm.first(30)):
        number = identifier_of(conversion.feed, source, "ACSN")
        put(resource, "accessionIdentifier", number)
    put(resource, "status", AVAILABILITY.get(spm.text(20)))
    conversion.put_concept(resource, "type", spm, 4, "0487")
    conversion.about(spm, resource)
    conversion.put_time(resource, "receivedTime", spm, 18)
    put(resource, "collection", _collection(conversion, spm))
    put(resource, "container", _container(conversion, spm))
    if spm.has(24):
        put(resource, "condition", conversion.concepts(spm, 24, "0493"))
    put(resource, "note", _description(spm) + notes_of(conversion, spm))
    _add_parent(conversion, spm, resource)
    spm.take(1)
    if identifiers:
        best = identifiers[0]
        system, value = str(best["system"]), str(best["value"])
        return conversion.upsert(spm, resource, system, value)
    return conversion.upsert_own(spm, resource, order_key, str(spm.number))


def _identifiers(conversion: Conversion, spm: Node) -> list[Element]:
    feed = conversion.feed
    found: list[Element] = []
    if spm.has(2) and (source := spm.first(2)):
        found += pair(conversion, source)
    if spm.has(31):
        for other in spm.all(31):
            found.append(identifier_of(feed, other))
    if spm.has(32) and (source := spm.first(32)):
        found.append(entity_identifier(feed, Ei.of(source), "SNO"))
    return [one for one in found if one]


def pair(conversion: Conversion, source: Repetition) -> list[Element]:
    """Return the identifiers of an EIP: what the placer says and the filler."""
    found: list[Element] = []
    for part, kind in _KINDS:
        value = Ei.within(source.sub(part))
        if one := entity_identifier(conversion.feed, value, kind):
            found.append(one)
    return found


def names_of(spm: Node, entry: Entry) -> dict[str, Entry]:
    """Return what OBX-33 and the group may call a specimen."""
    found = {f"#{spm.position}": entry}
    for part in (1, 2):
        if name := spm.text(2, part):
            found[name] = entry
    return found


def _collection(conversion: Conversion, spm: Node) -> Element:
    found: Element = {}
    conversion.put_concept(found, "method", spm, 7, "0488")
    conversion.put_concept(found, "bodySite", spm, 8)
    if spm.has(12):
        put(found, "quantity", counted(conversion.feed, spm.first(12)))
    source = spm.first(17) if spm.has(17) else None
    if source is not None:
        start, end = (conversion.feed.date_time(text) for text in source.texts(2))
        if end:
            span: Element = {}
            put(span, "start", start)
            found["collectedPeriod"] = {**span, "end": end}
        elif start:
            found["collectedDateTime"] = start
        else:
            conversion.lose(spm, 17, "unreadable")
    return found


def _container(conversion: Conversion, spm: Node) -> list[Element]:
    found: Element = {}
    conversion.put_concept(found, "type", spm, 27)
    if spm.has(6):
        additives = conversion.concepts(spm, 6, "0371")
        if additives:
            found["additiveCodeableConcept"] = additives[0]
    return [found] if found else []


def _description(spm: Node) -> list[Element]:
    if not spm.has(14):
        return []
    texts = [plain(formatted(source.text())) for source in spm.all(14)]
    return [{"text": text} for text in texts if text]


def _add_parent(conversion: Conversion, spm: Node, resource: Element) -> None:
    """SPM-3: a specimen of another message, known by its identifier."""
    source = spm.first(3) if spm.has(3) else None
    numbers = pair(conversion, source) if source else []
    if numbers:
        resource["parent"] = [{"type": "Specimen", "identifier": numbers[0]}]


def map_old_specimen(conversion: Conversion, obr: Node, order_key: str) -> Entry | None:
    """Add the Specimen that OBR-15 describes; None where it says nothing."""
    source = obr.first(15) if obr.has(15) else None
    if source is None:
        return None
    resource: Element = {"resourceType": "Specimen"}
    put(resource, "type", _part(conversion, source, 1, "0487"))
    conversion.about(obr, resource)
    conversion.put_time(resource, "receivedTime", obr, 14)
    collection: Element = {}
    put(collection, "bodySite", _part(conversion, source, 4, "0163"))
    collectors = practitioners(conversion, obr, 10)
    if collectors:
        collection["collector"] = collectors[0].reference
    if obr.has(9):
        put(collection, "quantity", counted(conversion.feed, obr.first(9)))
    _add_collected(conversion, obr, collection)
    put(resource, "collection", collection)
    if additive := _part(conversion, source, 2, "0371"):
        resource["container"] = [{"additiveCodeableConcept": additive}]
    if condition := _part(conversion, source, 6, "0493"):
        resource["condition"] = [condition]
    if comment := plain(source.text(3)):
        resource["note"] = [{"text": comment}]
    return conversion.upsert_own(obr, resource, order_key, "OBR-15")


def add_collection(conversion: Conversion, obr: Node, specimen: Entry) -> None:
    """Add what OBR-9, 10, 14 and 39 say of a specimen that an SPM describes."""
    known = specimen.resource.get("collection")
    collection: Element = {**known} if isinstance(known, dict) else {}
    collectors = practitioners(conversion, obr, 10)
    if collectors:
        collection.setdefault("collector", collectors[0].reference)
    if obr.has(9) and (volume := counted(conversion.feed, obr.first(9))):
        collection.setdefault("quantity", volume)
    put(specimen.resource, "collection", collection)
    when = conversion.when(obr, 14) if obr.has(14) else ""
    if when and specimen.resource.setdefault("receivedTime", when) != when:
        obr.leave(14)
    for source in obr.all(39) if obr.has(39) else ():
        if words := plain(source.text(2) or source.text()):
            append(specimen.resource, "note", {"text": words})


def _add_collected(conversion: Conversion, obr: Node, collection: Element) -> None:
    start = conversion.when(obr, 7) if obr.has(7) else ""
    end = conversion.when(obr, 8) if obr.has(8) else ""
    if start and end:
        collection["collectedPeriod"] = {"start": start, "end": end}
    elif start:
        collection["collectedDateTime"] = start


def _part(
    conversion: Conversion, source: Repetition, component: int, table: str
) -> Element:
    """Return one component of SPS, itself a coded value or a bare code."""
    parts = source.sub(component)
    if not any(parts):
        return {}
    value = Cwe.within(parts)
    found: Element = {}
    if symbol := code(plain(value.code)):
        feed = conversion.feed
        system = (
            feed.code_system(value.system)
            if value.system
            else f"{HL7}v2-{table}"
            if symbol.isalnum() and symbol.isupper()
            else feed.own_codes(table)
        )
        found = coded(system, symbol, plain(value.text))
    put(found, "text", plain(value.original_text or value.text))
    return found
