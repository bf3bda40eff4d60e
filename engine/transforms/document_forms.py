"""What kind of clinical document some bytes are: bounded scans, no parser.

Whoever needs to know more parses the document; here nothing is refused.

Spec:
    HL7 Document Format Codes, http://terminology.hl7.org/CodeSystem/v3-HL7DocumentFormatCodes.
"""

import re
from typing import Final

FORMATS: Final = "http://terminology.hl7.org/CodeSystem/v3-HL7DocumentFormatCodes"
STRUCTURED: Final = "urn:hl7-org:sdwg:ccda-structuredBody"
UNSTRUCTURED: Final = "urn:hl7-org:sdwg:ccda-nonXMLBody"
HEAD_BYTES: Final = 65_536

_START_BYTES: Final = 16
_OPENING: Final = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?ClinicalDocument[\s>/]")
_TEMPLATE: Final = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?templateId\s[^<>]*>")
_REALM: Final = re.compile(
    rb"""\sroot\s*=\s*["']2\.16\.840\.1\.113883\.10\.20\.22\.1\.1["']"""
)
_RELEASE: Final = re.compile(rb"""\sextension\s*=\s*["']([^"'<>]*)["']""")
_BODY: Final = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?(nonXML|structured)Body[\s>/]")
_R2_1: Final = frozenset((b"2015-08-01", b"2023-05-01"))
"""Extensions of the US Realm Header in C-CDA R2.1 and its Companion Guide 4.1."""


def looks_like_document(data: bytes) -> bool:
    """Whether bytes may be a CDA document."""
    if b"<" not in data[:_START_BYTES]:
        return False
    head = data[:HEAD_BYTES].replace(b"\0", b"")  # UTF-16 has one in every second place
    return _OPENING.search(head) is not None


def format_of(document: bytes) -> str:
    """Return the HL7 format code of a C-CDA document, ``""`` for anything else.

    A document is C-CDA when it asserts the US Realm Header: with an extension of R2.1
    it is of that release, with no extension at all of R1.1.

    Examples:
        >>> header = '<templateId root="2.16.840.1.113883.10.20.22.1.1"/>'
        >>> format_of(f"<ClinicalDocument>{header}<nonXMLBody/>".encode())
        'urn:hl7-org:sdwg:ccda-nonXMLBody:1.1'
    """
    if not looks_like_document(document):
        return ""
    plain = document.replace(b"\0", b"")
    body = _BODY.search(plain)
    realms = [
        tag for tag in _TEMPLATE.findall(plain, 0, HEAD_BYTES) if _REALM.search(tag)
    ]
    if body is None or not realms:
        return ""
    kind = STRUCTURED if body[1] == b"structured" else UNSTRUCTURED
    releases = {found[1] for tag in realms if (found := _RELEASE.search(tag))}
    if releases & _R2_1:
        return f"{kind}:2.1"
    return "" if releases else f"{kind}:1.1"
