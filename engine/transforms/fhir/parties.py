"""Practitioners, organizations and devices: parties that a message only refers to.

The same doctor, laboratory or application comes again in every message of a feed, so
what was made of one is remembered by `Feed`.
"""

from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Cwe, Cx, Ei, Hd, Xcn, Xon
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    coded,
    designator_identifiers,
    entity_identifier,
    extension,
    identifier,
    organization_identifier,
    period,
    plain,
    put,
    strings,
)
from engine.transforms.fhir.feed import Feed
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.keys import named_party, own_party
from engine.transforms.fhir.mapped import Element, Entry, Party
from engine.transforms.fhir.names import family_parts
from engine.transforms.fhir.systems import HL7
from engine.transforms.fhir.vocabulary import NAME_USE

_DEGREE: Final = HL7 + "v2-0360"
_DEGREES: Final = frozenset(
    ("AA", "AAS", "BA", "BN", "BS", "BSN", "CNM", "CNP", "CNS", "CRN", "DDS", "DO",
     "EMT", "JD", "MA", "MBA", "MD", "MED", "MS", "MSN", "MT", "NP", "PA", "PHD", "PHE",
     "PHS", "RN", "RPH")
)  # fmt: skip
_NO_HD: Final = Hd()


def practitioner(
    conversion: Conversion, node: Node, source: Repetition
) -> Entry | None:
    """Return the Practitioner one XCN speaks of; None where it says nothing.

    Spec:
        HL7 v2-to-FHIR 1.0.0, data type map XCN[Practitioner].
    """
    found = conversion.feed.recall("XCN", source, _practitioner)
    return conversion.add_parties(node, found)


def practitioners(conversion: Conversion, node: Node, field: int) -> list[Entry]:
    """Return the Practitioners of an XCN field, in order."""
    recall, found = conversion.feed.recall, []
    for source in node.all(field):
        entry = conversion.add_parties(node, recall("XCN", source, _practitioner))
        if entry is not None:
            found.append(entry)
    return found


def named_person(
    conversion: Conversion, node: Node, source: Repetition
) -> Entry | None:
    """Return the Practitioner of an NDL, whose first component is a CNN."""
    found = conversion.feed.recall("NDL", source, _named_person)
    return conversion.add_parties(node, found)


def organization(
    conversion: Conversion,
    node: Node,
    source: Repetition,
    *details: tuple[str, object],
) -> Entry | None:
    """Return the Organization one XON speaks of; None where it says nothing.

    ``details`` are elements it is to have, too.
    """
    found = conversion.feed.recall("XON", source, _organization)
    return conversion.add_parties(node, found, *details)


def organization_of_code(
    conversion: Conversion, node: Node, source: Repetition
) -> Entry | None:
    """Return the Organization a CWE names, such as OBX-15."""
    found = conversion.feed.recall("CWE Organization", source, _coded_firm)
    return conversion.add_parties(node, found)


def organization_of_designator(
    conversion: Conversion, node: Node, source: Repetition
) -> Entry | None:
    """Return the Organization an HD names, such as MSH-4."""
    found = conversion.feed.recall("HD Organization", source, _designated_firm)
    return conversion.add_parties(node, found)


def device_of_designator(
    conversion: Conversion, node: Node, source: Repetition
) -> Entry | None:
    """Return the Device an HD names, such as the application of MSH-3."""
    found = conversion.feed.recall("HD Device", source, _application)
    return conversion.add_parties(node, found)


def device_of_entity(
    conversion: Conversion, node: Node, source: Repetition
) -> Entry | None:
    """Return the Device an EI identifies, such as OBX-18."""
    found = conversion.feed.recall("EI Device", source, _instrument)
    return conversion.add_parties(node, found)


def device_of_code(
    conversion: Conversion, node: Node, source: Repetition
) -> Entry | None:
    """Return the Device a CWE names, such as ORC-18."""
    found = conversion.feed.recall("CWE Device", source, _coded_device)
    return conversion.add_parties(node, found)


def _party(feed: Feed, resource: Element, one: Element, key: str) -> tuple[Party, ...]:
    """Return a party under its identifier, or under a key of what else is known."""
    if one:
        resource["identifier"] = [one]
        return (named_party(feed.site, resource, one),)
    if len(resource) == 1:
        return ()
    return (own_party(feed.site, resource, key),)


def _practitioner(feed: Feed, source: Repetition) -> tuple[Party, ...]:
    value = Xcn.of(source)
    resource: Element = {"resourceType": "Practitioner"}
    numbered = Cx(
        value.identifier, value.check_digit, value.check_digit_scheme,
        value.assigning_authority, value.type_code, _NO_HD, "", "", "", "",
    )  # fmt: skip
    one = identifier(feed, numbered)
    name = _name(feed, value, source)
    put(resource, "name", [name] if name else [])
    if degree := plain(value.degree):
        resource["qualification"] = [{"code": _degree(degree)}]
    return _party(feed, resource, one, str(name))


def _degree(text: str) -> Element:
    letters = text.replace(".", "").upper()
    if letters in _DEGREES:
        return {**coded(_DEGREE, letters), "text": text}
    return {"text": text}


def _name(feed: Feed, value: Xcn, source: Repetition) -> Element:
    name: Element = {}
    put(name, "use", NAME_USE.get(value.name_type))
    put(name, "family", plain(value.family))
    if len(value.family_parts) > 1:
        put(name, "_family", family_parts(value.family_parts[1:]))
    put(name, "given", strings(value.given, value.further_given))
    put(name, "prefix", strings(value.prefix))
    put(name, "suffix", strings(value.suffix, value.professional_suffix))
    if not name.keys() - {"use"}:
        return {}
    start, end = value.effective, value.expiration
    known = period(feed, start, end) if start or end else {}
    if not known and value.validity:
        start, end = [*source.sub(17), ""][:2]
        known = period(feed, start, end)
    put(name, "period", known)
    if value.assembly in ("G", "F"):
        kind = value.assembly
        name["extension"] = [extension("humanname-assembly-order", "Code", kind)]
    return name


def _named_person(feed: Feed, source: Repetition) -> tuple[Party, ...]:
    inner = source.sub(1)
    if len(inner) <= 1 and source.text(2).isalpha():
        return _practitioner(feed, source)
    parts = [*inner, *[""] * 9][:9]
    name: Element = {}
    put(name, "family", plain(parts[1]))
    put(name, "given", strings(parts[2], parts[3]))
    put(name, "prefix", strings(parts[5]))
    put(name, "suffix", strings(parts[4], parts[6]))
    resource: Element = {"resourceType": "Practitioner"}
    put(resource, "name", [name] if name else [])
    numbered = Cx(parts[0], "", "", Hd(parts[8]), "", _NO_HD, "", "", "", "")
    return _party(feed, resource, identifier(feed, numbered), str(name))


def _organization(feed: Feed, source: Repetition) -> tuple[Party, ...]:
    value = Xon.of(source)
    resource: Element = {"resourceType": "Organization"}
    put(resource, "name", plain(value.name))
    one = organization_identifier(feed, value)
    if one and "name" not in resource:
        resource["name"] = one["value"]
    return _party(feed, resource, one, plain(value.name))


def _coded_firm(feed: Feed, source: Repetition) -> tuple[Party, ...]:
    value = Cwe.of(source)
    resource: Element = {"resourceType": "Organization"}
    name = plain(value.original_text or value.text or value.code)
    put(resource, "name", name)
    return _party(feed, resource, _code_identifier(feed, value), name)


def _coded_device(feed: Feed, source: Repetition) -> tuple[Party, ...]:
    value = Cwe.of(source)
    resource: Element = {"resourceType": "Device"}
    name = plain(value.text or value.original_text or value.code)
    if name:
        resource["deviceName"] = [{"name": name, "type": "user-friendly-name"}]
    return _party(feed, resource, _code_identifier(feed, value), name)


def _code_identifier(feed: Feed, value: Cwe) -> Element:
    """Return what a CWE calls something as an identifier."""
    authority = Hd(value.system, value.system_oid)
    return identifier(
        feed, Cx(value.code, "", "", authority, "", _NO_HD, "", "", "", "")
    )


def _designated_firm(feed: Feed, source: Repetition) -> tuple[Party, ...]:
    value = Hd.of(source)
    identifiers = designator_identifiers(feed, value)
    if not identifiers:
        return ()
    resource: Element = {"resourceType": "Organization", "identifier": identifiers}
    put(resource, "name", plain(value.namespace or value.universal_id))
    return (named_party(feed.site, resource, identifiers[-1]),)


def _application(feed: Feed, source: Repetition) -> tuple[Party, ...]:
    value = Hd.of(source)
    identifiers = designator_identifiers(feed, value)
    if not identifiers:
        return ()
    label = plain(value.namespace or value.universal_id)
    resource: Element = {
        "resourceType": "Device",
        "identifier": identifiers,
        "deviceName": [{"name": label, "type": "user-friendly-name"}],
    }
    return (named_party(feed.site, resource, identifiers[-1]),)


def _instrument(feed: Feed, source: Repetition) -> tuple[Party, ...]:
    one = entity_identifier(feed, Ei.of(source))
    return _party(feed, {"resourceType": "Device"}, one, "")
