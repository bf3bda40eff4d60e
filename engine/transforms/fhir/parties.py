"""Practitioners, organizations and devices: parties that a message only refers to."""

from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Cwe, Cx, Ei, Hd, Xcn, Xon
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    coded,
    designator_identifiers,
    entity_identifier,
    extension,
    family_parts,
    identifier,
    organization_identifier,
    period,
    plain,
    put,
    strings,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.systems import HL7
from engine.transforms.fhir.vocabulary import NAME_USE

_DEGREE: Final = HL7 + "v2-0360"


def practitioner(
    conversion: Conversion, node: Node, source: Repetition
) -> Entry | None:
    """Return the Practitioner one XCN speaks of; None where it says nothing.

    Spec:
        HL7 v2-to-FHIR 1.0.0, data type map XCN[Practitioner].
    """
    value = Xcn.of(source)
    feed = conversion.feed
    resource: Element = {"resourceType": "Practitioner"}
    one = identifier(
        feed,
        Cx(value.identifier, value.check_digit, value.check_digit_scheme,
           value.assigning_authority,
           value.type_code, Hd(), "", "", "", ""),
    )  # fmt: skip
    name = _name(conversion, value, source)
    put(resource, "name", [name] if name else [])
    if degree := plain(value.degree):
        resource["qualification"] = [{"code": _degree(degree)}]
    return _party(conversion, node, resource, one, str(name))


def _degree(text: str) -> Element:
    found: Element = {"text": text}
    letters = text.replace(".", "").upper()
    if letters.isalpha() and letters in _DEGREES:
        found = {**coded(_DEGREE, letters), "text": text}
    return found


_DEGREES: Final = frozenset(
    [
        "AA",
        "AAS",
        "BA",
        "BN",
        "BS",
        "BSN",
        "CNM",
        "CNP",
        "CNS",
        "CRN",
        "DDS",
        "DO",
        "EMT",
        "JD",
        "MA",
        "MBA",
        "MD",
        "MED",
        "MS",
        "MSN",
        "NP",
        "PA",
        "PHD",
        "PHE",
        "PHS",
        "RN",
        "RPH",
        "MT",
    ]
)


def _name(conversion: Conversion, value: Xcn, source: Repetition) -> Element:
    feed = conversion.feed
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
        known = period(feed, *[*source.sub(17), ""][:2])
    put(name, "period", known)
    if value.assembly in ("G", "F"):
        kind = value.assembly
        name["extension"] = [extension("humanname-assembly-order", "Code", kind)]
    return name


def _party(
    conversion: Conversion, node: Node, resource: Element, one: Element, key: str
) -> Entry | None:
    """Add a party under its identifier, or under a key of what else is known."""
    if one:
        resource["identifier"] = [one]
        system, value = str(one["system"]), str(one["value"])
        return conversion.party(node, resource, system, value)
    if len(resource) == 1:
        return None
    return conversion.party_own(node, resource, key)


def practitioners(conversion: Conversion, node: Node, field: int) -> list[Entry]:
    """Return the Practitioners of an XCN field, in order."""
    if not node.has(field):
        return []
    found = (practitioner(conversion, node, source) for source in node.all(field))
    return [entry for entry in found if entry is not None]


def named_person(
    conversion: Conversion, node: Node, source: Repetition
) -> Entry | None:
    """Return the Practitioner of an NDL, whose first component is a CNN."""
    parts = [*source.sub(1), *[""] * 9][:9]
    if not any(parts):
        return None
    name: Element = {}
    put(name, "family", plain(parts[1]))
    put(name, "given", strings(parts[2], parts[3]))
    put(name, "prefix", strings(parts[5]))
    put(name, "suffix", strings(parts[4], parts[6]))
    resource: Element = {"resourceType": "Practitioner"}
    put(resource, "name", [name] if name else [])
    one = identifier(
        conversion.feed,
        Cx(parts[0], "", "", Hd(parts[8]), "", Hd(), "", "", "", ""),
    )
    return _party(conversion, node, resource, one, str(name))


def organization(
    conversion: Conversion, node: Node, source: Repetition
) -> Entry | None:
    """Return the Organization one XON speaks of; None where it says nothing."""
    value = Xon.of(source)
    resource: Element = {"resourceType": "Organization"}
    put(resource, "name", plain(value.name))
    one = organization_identifier(conversion.feed, value)
    if one and not value.name:
        resource["name"] = str(one["value"])
    return _party(conversion, node, resource, one, plain(value.name))


def organization_of_code(
    conversion: Conversion, node: Node, source: Repetition
) -> Entry | None:
    """Return the Organization a CWE names, such as OBX-15."""
    value = Cwe.of(source)
    resource: Element = {"resourceType": "Organization"}
    name = plain(value.original_text or value.text or value.code)
    put(resource, "name", name)
    one = identifier(
        conversion.feed,
        Cx(value.code, "", "", Hd(value.system, value.system_oid), "", Hd(), "", "",
           "", ""),
    )  # fmt: skip
    return _party(conversion, node, resource, one, name)


def device_of_code(
    conversion: Conversion, node: Node, source: Repetition
) -> Entry | None:
    """Return the Device a CWE names, such as ORC-18."""
    value = Cwe.of(source)
    resource: Element = {"resourceType": "Device"}
    name = plain(value.text or value.original_text or value.code)
    if name:
        resource["deviceName"] = [{"name": name, "type": "user-friendly-name"}]
    one = _code_identifier(conversion, value)
    return _party(conversion, node, resource, one, name)


def _code_identifier(conversion: Conversion, value: Cwe) -> Element:
    """Return what a CWE calls something as an identifier."""
    authority = Hd(value.system, value.system_oid)
    numbered = Cx(value.code, "", "", authority, "", Hd(), "", "", "", "")
    return identifier(conversion.feed, numbered)


def organization_of_designator(
    conversion: Conversion, node: Node, value: Hd
) -> Entry | None:
    """Return the Organization an HD names, such as MSH-4."""
    return _designated(conversion, node, value, "Organization", "name")


def device_of_designator(conversion: Conversion, node: Node, value: Hd) -> Entry | None:
    """Return the Device an HD names, such as the application of MSH-3."""
    return _designated(conversion, node, value, "Device", "")


def _designated(
    conversion: Conversion, node: Node, value: Hd, kind: str, name: str
) -> Entry | None:
    identifiers = designator_identifiers(conversion.feed, value)
    if not identifiers:
        return None
    resource: Element = {"resourceType": kind, "identifier": identifiers}
    if name:
        put(resource, name, plain(value.namespace or value.universal_id))
    else:
        label = plain(value.namespace or value.universal_id)
        resource["deviceName"] = [{"name": label, "type": "user-friendly-name"}]
    best = identifiers[-1]
    return conversion.party(node, resource, str(best["system"]), str(best["value"]))


def device_of_entity(
    conversion: Conversion, node: Node, source: Repetition
) -> Entry | None:
    """Return the Device an EI identifies, such as OBX-18."""
    one = entity_identifier(conversion.feed, Ei.of(source))
    resource: Element = {"resourceType": "Device"}
    return _party(conversion, node, resource, one, "")
