"""CDA elements as plain values, their order in the schema, and the way to XML.

Sections and header build `Element` values in any order; `to_xml` sorts the children of
each by `ORDER`, so a document cannot hold siblings in an order the schema refuses.
Every text and every attribute is escaped there, so no value can become markup.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

HL7: Final = "urn:hl7-org:v3"
NAMESPACES: Final = {
    "xmlns": HL7,
    "xmlns:sdtc": "urn:hl7-org:sdtc",
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
"""The prefixes that names here may carry, declared on the root element."""
XSI_TYPE: Final = "xsi:type"

FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 has no way to write."""


@dataclass(slots=True)
class Element:
    """One element to be written; names may carry a prefix of `NAMESPACES`."""

    name: str
    attributes: dict[str, str]
    children: list["Element"]
    text: str = ""
    tail: str = ""


Child = Element | Iterable[Element] | None


def element(
    name: str,
    attributes: dict[str, str] | None = None,
    *children: Child,
    text: str = "",
) -> Element:
    """Return an element; children that are None are left out, lists are laid flat."""
    flat: list[Element] = []
    for child in children:
        if child.__class__ is Element:
            flat.append(child)
        elif child is not None:
            flat.extend(child)  # type: ignore[arg-type]  # anything else is iterable
    return Element(name, attributes or {}, flat, text)


def null(name: str, flavor: str = "UNK", xsi_type: str = "") -> Element:
    """Return an element that says why it has no value."""
    typed = {XSI_TYPE: xsi_type} if xsi_type else {}
    return Element(name, {**typed, "nullFlavor": flavor}, [])


_INFRASTRUCTURE: Final = "realmCode typeId templateId"
_PARTICIPANTS: Final = "subject specimen product consumable performer author informant"
_RELATIONS: Final = "participant entryRelationship reference precondition"
_ROLE: Final = "id code addr telecom"


def _order(*names: str) -> Mapping[str, int]:
    return {
        name: place
        for place, name in enumerate(" ".join((_INFRASTRUCTURE, *names)).split())
    }


_ASSIGNED: Final = _order(
    _ROLE, "assignedPerson assignedAuthoringDevice representedOrganization"
)
_ORGANIZATION: Final = _order("id name telecom addr")
_VALUE: Final = _order(
    "originalText qualifier translation low width high numerator denominator",
    "phase period event offset reference",
)

ORDER: Final[Mapping[str, Mapping[str, int]]] = {
    "ClinicalDocument": _order(
        "id code title effectiveTime confidentialityCode languageCode setId",
        "versionNumber recordTarget author dataEnterer informant custodian",
        "informationRecipient legalAuthenticator authenticator participant",
        "inFulfillmentOf documentationOf relatedDocument componentOf component",
    ),
    "patientRole": _order("id addr telecom patient providerOrganization"),
    "patient": _order(
        "id name administrativeGenderCode birthTime sdtc:deceasedInd",
        "sdtc:deceasedTime sdtc:multipleBirthInd sdtc:multipleBirthOrderNumber",
        "maritalStatusCode religiousAffiliationCode raceCode sdtc:raceCode",
        "ethnicGroupCode sdtc:ethnicGroupCode guardian birthplace",
        "languageCommunication",
    ),
    "guardian": _order(_ROLE, "guardianPerson guardianOrganization"),
    "assignedAuthor": _ASSIGNED,
    "assignedEntity": _ASSIGNED,
    "associatedEntity": _order(_ROLE, "associatedPerson scopingOrganization"),
    "representedOrganization": _ORGANIZATION,
    "representedCustodianOrganization": _ORGANIZATION,
    "scopingOrganization": _ORGANIZATION,
    "manufacturerOrganization": _ORGANIZATION,
    "assignedAuthoringDevice": _order("code manufacturerModelName softwareName"),
    "author": _order("functionCode time assignedAuthor"),
    "performer": _order("functionCode time modeCode assignedEntity"),
    "legalAuthenticator": _order("time signatureCode assignedEntity"),
    "participant": _order("functionCode time associatedEntity participantRole"),
    "participantRole": _order(_ROLE, "playingDevice playingEntity scopingEntity"),
    "playingEntity": _order("code quantity name desc"),
    "serviceEvent": _order("id code effectiveTime performer"),
    "parentDocument": _order("id code text setId versionNumber"),
    "encompassingEncounter": _order(
        "id code effectiveTime dischargeDispositionCode responsibleParty",
        "encounterParticipant location",
    ),
    "healthCareFacility": _order("id code location serviceProviderOrganization"),
    "section": _order("id code title text confidentialityCode author entry component"),
    "act": _order(
        "id code text statusCode effectiveTime priorityCode languageCode",
        _PARTICIPANTS,
        _RELATIONS,
    ),
    "observation": _order(
        "id code derivationExpr text statusCode effectiveTime priorityCode",
        "repeatNumber languageCode value interpretationCode methodCode",
        "targetSiteCode",
        _PARTICIPANTS,
        _RELATIONS,
        "referenceRange",
    ),
    "observationRange": _order("code text value interpretationCode"),
    "organizer": _order(
        "id code sdtc:text statusCode effectiveTime",
        _PARTICIPANTS,
        "participant reference precondition component",
    ),
    "encounter": _order(
        "id code text statusCode effectiveTime sdtc:dischargeDispositionCode",
        "priorityCode",
        _PARTICIPANTS,
        _RELATIONS,
    ),
    "procedure": _order(
        "id code text statusCode effectiveTime priorityCode languageCode methodCode",
        "approachSiteCode targetSiteCode",
        _PARTICIPANTS,
        _RELATIONS,
    ),
    "substanceAdministration": _order(
        "id code text statusCode effectiveTime priorityCode repeatNumber routeCode",
        "approachSiteCode doseQuantity rateQuantity maxDoseQuantity",
        "administrationUnitCode",
        _PARTICIPANTS,
        _RELATIONS,
    ),
    "manufacturedProduct": _order(
        "id manufacturedLabeledDrug manufacturedMaterial manufacturerOrganization"
    ),
    "manufacturedMaterial": _order("code name lotNumberText sdtc:expirationTime"),
    "languageCommunication": _order("languageCode modeCode preferenceInd"),
    "code": _VALUE,
    "value": _VALUE,
    "effectiveTime": _VALUE,
    "doseQuantity": _VALUE,
}
"""For each CDA class, by the name its elements have here, the order of its children.

Spec:
    CDA R2 schema POCD_MT000040 with the SDTC extensions.
"""


_IN_TEXT: Final = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", 13: "&#13;"}
_IN_ATTRIBUTE: Final = {**_IN_TEXT, 9: "&#9;", 10: "&#10;", ord('"'): "&quot;"}
_SPECIAL: Final = re.compile('[&<>\t\n\r"]')


def to_xml(root: Element) -> tuple[bytes, int]:
    """Return an element as a document, and how many characters XML could not carry.

    Each of those became U+FFFD.
    """
    root.attributes.update(NAMESPACES)
    pieces = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    _write(root, pieces.append)
    whole, replaced = FORBIDDEN.subn("\ufffd", "".join(pieces))
    return whole.encode(), replaced


def _write(source: Element, put: Callable[[str], None]) -> None:
    name, children, said = source.name, source.children, source.text
    head = f"<{name}"
    for key, value in source.attributes.items():
        safe = value.translate(_IN_ATTRIBUTE) if _SPECIAL.search(value) else value
        head += f' {key}="{safe}"'
    if said and _SPECIAL.search(said):
        said = said.translate(_IN_TEXT)
    if not children:
        put(f"{head}>{said}</{name}>" if said else f"{head}/>")
        return
    put(f"{head}>{said}")
    if len(children) > 1 and (order := ORDER.get(name)) is not None:
        children.sort(key=lambda child: order[child.name])
    for child in children:
        _write(child, put)
        if child.tail:
            put(child.tail.translate(_IN_TEXT))
    put(f"</{name}>")
