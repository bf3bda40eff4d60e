"""URIs of code systems and identifier systems, in one place."""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

HL7: Final = "http://terminology.hl7.org/CodeSystem/"
EXTENSION: Final = "http://hl7.org/fhir/StructureDefinition/"
UCUM: Final = "http://unitsofmeasure.org"
LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
SSN: Final = "http://hl7.org/fhir/sid/us-ssn"
NPI: Final = "http://hl7.org/fhir/sid/us-npi"
RFC3986: Final = "urn:ietf:rfc:3986"
IDENTIFIER_TYPE: Final = HL7 + "v2-0203"

CODE_SYSTEMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "LN": LOINC,
        **dict.fromkeys(("SCT", "SNM", "SNM3", "SNOMED", "SCT2"), SNOMED),
        "UCUM": UCUM,
        "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
        "NDC": "http://hl7.org/fhir/sid/ndc",
        "CVX": "http://hl7.org/fhir/sid/cvx",
        "MVX": "http://hl7.org/fhir/sid/mvx",
        **dict.fromkeys(
            ("I9", "I9C", "I9CDX", "I9CP"), "http://hl7.org/fhir/sid/icd-9-cm"
        ),
        "I10": "http://hl7.org/fhir/sid/icd-10",
        **dict.fromkeys(
            ("I10C", "ICD10CM", "I10CM"), "http://hl7.org/fhir/sid/icd-10-cm"
        ),
        **dict.fromkeys(("C4", "CPT", "CPT4"), "http://www.ama-assn.org/go/cpt"),
        "CDCREC": "urn:oid:2.16.840.1.113883.6.238",
        "CLIA": "urn:oid:2.16.840.1.113883.4.7",
        "ISO": "urn:iso:std:iso:3166",
        "ISO+": UCUM,
    }
)
"""Mnemonics of HL7 table 0396 whose FHIR system is settled."""

_HL7_TABLE: Final = re.compile(r"HL7(?:0(?=\d{4}))?(\d{1,4})")
_ISO: Final = re.compile(r"ISO(\d{3,5})")
OID: Final = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+", re.ASCII)
_UUID: Final = re.compile(
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII
)
_URI: Final = re.compile(r"(?:https?://|urn:[a-z0-9][a-z0-9-]+:)\S+", re.ASCII)
_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9._~-]")


@lru_cache(maxsize=8192)
def escaped(text: str) -> str:
    """Return text fit for one part of a URI: all but unreserved characters as %XX."""
    return _UNSAFE.sub(lambda m: b"%%%02X" % m[0][0], text.encode()).decode("ascii")


def is_absolute(uri: str) -> bool:
    """Whether a text is an absolute URI that names a system."""
    return _URI.fullmatch(uri) is not None


@lru_cache(maxsize=4096)
def universal_uri(universal_id: str, kind: str) -> str:
    """Return the URI of a universal id (HD.2, HD.3); ``""`` where there is none."""
    value = universal_id.strip()
    if not value:
        return ""
    if is_absolute(value):
        return value
    if OID.fullmatch(value):
        return "urn:oid:" + value
    if _UUID.fullmatch(value):
        return "urn:uuid:" + value.lower()
    if kind in ("DNS", "URI", "URL"):
        return f"urn:id:{escaped(kind.lower())}:{escaped(value)}"
    return ""


@lru_cache(maxsize=4096)
def standard_system(mnemonic: str) -> str:
    """Return the settled URI of a code-system mnemonic; ``""`` for a local one."""
    name = mnemonic.strip().upper()
    if found := CODE_SYSTEMS.get(name):
        return found
    if table := _HL7_TABLE.fullmatch(name):
        return f"{HL7}v2-{int(table[1]):04}"
    if iso := _ISO.fullmatch(name):
        return f"urn:iso:std:iso:{iso[1]}"
    if is_absolute(mnemonic.strip()):
        return mnemonic.strip()
    return ""


@lru_cache(maxsize=8192)
def local_system(site: str, sender: str, *names: str) -> str:
    """Return the URI of a system that only this sender knows."""
    return ":".join(("urn:id", *(escaped(name) for name in (site, sender, *names))))


WELL_KNOWN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "SS": SSN,
        "NPI": NPI,
        "DEA": "http://terminology.hl7.org/NamingSystem/USDEANumber",
        "MVX": "http://hl7.org/fhir/sid/mvx",
    }
)
"""Identifier types (table 0203) and namespaces with one system of their own."""

_STATES: Final = (
    "AL AK . AZ AR CA . CO CT DE DC FL GA . HI ID IL IN IA KS KY LA ME MD MA MI MN MS"
    " MO MT NE NV NH NJ NM NY NC ND OH OK OR PA . RI SC SD TN TX UT VT VA . WA WV WI WY"
)
LICENCE: Final[Mapping[str, int]] = MappingProxyType(
    {state: number for number, state in enumerate(_STATES.split(), 1) if state != "."}
)
"""State to the last arc of its driver's licence OID, 2.16.840.1.113883.4.3.x."""


def licence_system(state: str) -> str:
    """Return the system of a driver's licence number; ``""`` for an unknown state."""
    number = LICENCE.get(state.strip().upper())
    return f"urn:oid:2.16.840.1.113883.4.3.{number}" if number else ""
