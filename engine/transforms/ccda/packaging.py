"""A C-CDA document as an XDM package: a zip with the metadata it is filed by.

The metadata are read from the document alone; what it does not say is left out. The
same document gives the same bytes: nothing is compressed, and times are the document's.

Spec:
    IHE ITI Cross-Enterprise Document Media Interchange (XDM): folder ``IHE_XDM``, one
    ``METADATA.XML`` for each subset; entries in ebRIM 3.0 as for XDS.b.
"""

import hashlib
import zipfile
from io import BytesIO
from typing import Final
from uuid import uuid5

from lxml import etree

from engine.transforms.ccda.elements import HL7
from engine.transforms.ccda.linkage import Node
from engine.transforms.ccda.rendering import NAMESPACE
from engine.transforms.ccda.versions import OWN_DOCUMENTS
from engine.transforms.ccda.viewing import header_facts
from engine.transforms.document_forms import format_of

FOLDER: Final = "IHE_XDM/SUBSET01"
DOCUMENT: Final = "DOC0001.XML"
_STAMP: Final = (1980, 1, 1, 0, 0, 0)
_RIM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
_LCM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
_OBJECT: Final = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"
_MEMBER: Final = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
_APPROVED: Final = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
_ENTRY: Final = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
_SUBMISSION: Final = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
_CODES: Final = {
    "class": "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
    "type": "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983",
    "confidentiality": "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
    "format": "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d",
    "author": "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d",
    "content": "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500",
}
_IDS: Final = {
    "XDSDocumentEntry.patientId": "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    "XDSDocumentEntry.uniqueId": "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab",
    "XDSSubmissionSet.patientId": "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
    "XDSSubmissionSet.sourceId": "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832",
    "XDSSubmissionSet.uniqueId": "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8",
}
_FORMATS: Final = "1.3.6.1.4.1.19376.1.2.3"
_README: Final = (
    "This package holds a clinical document (C-CDA) for exchange between systems.\r\n"
    "IHE_XDM/SUBSET01/METADATA.XML tells what it is and whom it is about.\r\n"
)
_INDEX: Final = (
    "<!DOCTYPE html>\n<html><head><title>Clinical documents</title></head><body>"
    f"<p>One clinical document: {FOLDER}/{DOCUMENT}</p></body></html>\n"
)
"""The page is for people who open the package by hand; it names no patient."""


def xdm(document: bytes) -> bytes:
    """Return a zip file in the form of XDM with one document of ours in it."""
    files = {
        "README.TXT": _README.encode("ascii"),
        "INDEX.HTM": _INDEX.encode("ascii"),
        f"{FOLDER}/METADATA.XML": metadata(document),
        f"{FOLDER}/{DOCUMENT}": document,
    }
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as package:
        for name, content in files.items():
            package.writestr(zipfile.ZipInfo(name, _STAMP), content)
    return target.getvalue()


def metadata(document: bytes) -> bytes:
    """Return the ebRIM metadata of one document."""
    names = {"lcm": _LCM, "rim": _RIM}
    told = _Told(etree.fromstring(document, OWN_DOCUMENTS), document)
    request = etree.Element(f"{{{_LCM}}}SubmitObjectsRequest", nsmap=names)
    listed = _add(request, "RegistryObjectList")
    _entry(listed, told)
    _submission(listed, told)
    return etree.tostring(request, xml_declaration=True, encoding="UTF-8")


_KEEPER: Final = "custodian/assignedCustodian/representedCustodianOrganization/id"
_VISIT: Final = "componentOf/encompassingEncounter/effectiveTime"
_CARE: Final = "documentationOf/serviceEvent/effectiveTime"


class _Told:
    """What a document says that its metadata repeat."""

    def __init__(self, root: Node, document: bytes) -> None:
        self.root = root
        self.format = format_of(document)
        self.size = str(len(document))
        self.hash = hashlib.sha1(document, usedforsecurity=False).hexdigest()
        self.id = self._joined(_find(root, "id"))
        self.custodian = self._value(
            "custodian/assignedCustodian/representedCustodianOrganization/id", "root"
        )
        self.made = _whole(self._value("effectiveTime", "value"))
        self.patient = self._patient()

    def name(self, kind: str) -> str:
        """Return an id inside the metadata, the same for the same document."""
        return f"urn:uuid:{uuid5(NAMESPACE, f'xdm|{self.id}|{kind}')}"

    def code(self, path: str) -> tuple[str, str, str]:
        """Return code, code system and display of an element."""
        return (
            self._value(path, "code"),
            self._value(path, "codeSystem"),
            self._value(path, "displayName"),
        )

    def title(self) -> str:
        found = _find(self.root, "title")
        return "" if found is None else "".join(map(str, found.itertext()))

    def author(self) -> tuple[str, str]:
        """Return slot and name of the first author, else of the document's keeper."""
        said = dict(header_facts(self.root))
        if person := said.get("Author"):
            return "authorPerson", f"^{person}"
        return "authorInstitution", said.get("Keeper", "")

    def period(self) -> tuple[str, str]:
        """Return from when to when the documented care lasted, as far as it is told."""
        low, high = (
            self._value(f"{_CARE}/{end}", "value")
            or self._value(f"{_VISIT}/{end}", "value")
            for end in ("low", "high")
        )
        return _whole(low), _whole(high)

    def _patient(self) -> str:
        found = _find(self.root, "recordTarget/patientRole/id")
        if found is None or not found.get("extension"):
            return ""
        return f"{found.get('extension')}^^^&{found.get('root')}&ISO"

    def _value(self, path: str, name: str) -> str:
        found = _find(self.root, path)
        return "" if found is None else found.get(name, "")

    def _joined(self, found: Node | None) -> str:
        if found is None:
            return ""
        return "^".join(filter(None, (found.get("root"), found.get("extension"))))


def _whole(time: str) -> str:
    """Return a time without offset and fraction, as XDS takes it."""
    digits = time.partition("+")[0].partition("-")[0].partition(".")[0]
    return digits[:14]


def _entry(listed: Node, told: _Told) -> None:
    name = told.name("entry")
    entry = _add(
        listed,
        "ExtrinsicObject",
        id=name,
        mimeType="text/xml",
        objectType=_ENTRY,
        status=_APPROVED,
    )
    begun, ended = told.period()
    slots = {
        "creationTime": told.made,
        "hash": told.hash,
        "languageCode": told.code("languageCode")[0],
        "serviceStartTime": begun,
        "serviceStopTime": ended,
        "size": told.size,
        "sourcePatientId": told.patient,
        "URI": DOCUMENT,
    }
    for slot, value in slots.items():
        _slot(entry, slot, value)
    _named(entry, told.title())
    _author(entry, told, "author", name)
    for kind, code in (
        ("class", told.code("code")),
        ("confidentiality", told.code("confidentialityCode")),
        ("format", (told.format, _FORMATS, "")),
        ("type", told.code("code")),
    ):
        _classify(entry, told, kind, code, name)
    _identify(entry, told, "XDSDocumentEntry.patientId", told.patient, name)
    _identify(entry, told, "XDSDocumentEntry.uniqueId", told.id, name)


def _submission(listed: Node, told: _Told) -> None:
    name = told.name("submission")
    package = _add(
        listed,
        "RegistryPackage",
        id=name,
        objectType=f"{_OBJECT}RegistryPackage",
        status=_APPROVED,
    )
    _slot(package, "submissionTime", told.made)
    _named(package, told.title())
    _classify(package, told, "content", told.code("code"), name)
    _identify(package, told, "XDSSubmissionSet.patientId", told.patient, name)
    _identify(package, told, "XDSSubmissionSet.sourceId", told.custodian, name)
    number = str(uuid5(NAMESPACE, f"xdm|{told.id}").int)
    _identify(package, told, "XDSSubmissionSet.uniqueId", f"2.25.{number}", name)
    _add(
        listed,
        "Classification",
        id=told.name("is a submission"),
        objectType=f"{_OBJECT}Classification",
        classifiedObject=name,
        classificationNode=_SUBMISSION,
    )
    member = _add(
        listed,
        "Association",
        id=told.name("member"),
        objectType=f"{_OBJECT}Association",
        associationType=_MEMBER,
        sourceObject=name,
        targetObject=told.name("entry"),
    )
    _slot(member, "SubmissionSetStatus", "Original")


def _add(parent: Node, kind: str, /, **attributes: str) -> Node:
    return etree.SubElement(parent, f"{{{_RIM}}}{kind}", attributes)


def _slot(parent: Node, name: str, value: str) -> None:
    """Add a slot with one value; none where there is nothing to say."""
    if value:
        _add(_add(_add(parent, "Slot", name=name), "ValueList"), "Value").text = value


def _named(parent: Node, title: str) -> None:
    if title:
        _add(_add(parent, "Name"), "LocalizedString", value=title)


def _classify(
    parent: Node, told: _Told, kind: str, code: tuple[str, str, str], owner: str
) -> None:
    """Add a code; receivers tell the kinds apart by their schemes."""
    if not code[0]:
        return
    made = _classified(parent, told, kind, owner, code[0])
    _slot(made, "codingScheme", code[1])
    _named(made, code[2] or code[0])


def _author(parent: Node, told: _Told, kind: str, owner: str) -> None:
    slot, said = told.author()
    if said:
        _slot(_classified(parent, told, kind, owner, ""), slot, said)


def _classified(
    parent: Node, told: _Told, kind: str, owner: str, representation: str
) -> Node:
    return _add(
        parent,
        "Classification",
        id=told.name(f"{owner}|{kind}"),
        objectType=f"{_OBJECT}Classification",
        classificationScheme=_CODES[kind],
        classifiedObject=owner,
        nodeRepresentation=representation,
    )


def _identify(parent: Node, told: _Told, name: str, value: str, owner: str) -> None:
    if value:
        made = _add(
            parent,
            "ExternalIdentifier",
            id=told.name(f"{owner}|{name}"),
            objectType=f"{_OBJECT}ExternalIdentifier",
            identificationScheme=_IDS[name],
            registryObject=owner,
            value=value,
        )
        _named(made, name)


def _find(root: Node, path: str) -> Node | None:
    return root.find("/".join(f"{{{HL7}}}{name}" for name in path.split("/")))
