"""Codes: a FHIR CodeableConcept as one value with two faces, CDA and words."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from engine.transforms.ccda.elements import XSI_TYPE, Element, null
from engine.transforms.ccda.facts import NOTHING, Resource, children, text
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.site import is_example, is_oid

HL7: Final = "2.16.840.1.113883"
LOINC: Final = f"{HL7}.6.1"
SNOMED: Final = f"{HL7}.6.96"
RXNORM: Final = f"{HL7}.6.88"
NDC: Final = f"{HL7}.6.69"
ICD10PCS: Final = f"{HL7}.6.4"
CPT: Final = f"{HL7}.6.12"
CVX: Final = f"{HL7}.12.292"
UNII: Final = f"{HL7}.4.9"
RACE: Final = f"{HL7}.6.238"
NUBC: Final = f"{HL7}.6.301.5"
GENDER: Final = f"{HL7}.5.1"
MARITAL: Final = f"{HL7}.5.2"
ACT_CODE: Final = f"{HL7}.5.4"
ACT_CLASS: Final = f"{HL7}.5.6"
ACT_REASON: Final = f"{HL7}.5.8"
CONFIDENTIALITY: Final = f"{HL7}.5.25"
INTERPRETATION: Final = f"{HL7}.5.83"
ROLE_CODE: Final = f"{HL7}.5.111"
OBSERVATION_VALUE: Final = f"{HL7}.5.1063"
RELIGION: Final = f"{HL7}.5.1076"

V2_TABLES: Final = f"{HL7}.12."
_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem/"
_SID: Final = "http://hl7.org/fhir/sid/"
CODE_SYSTEMS: Final[Mapping[str, str]] = {
    "http://loinc.org": LOINC,
    "http://snomed.info/sct": SNOMED,
    "http://www.nlm.nih.gov/research/umls/rxnorm": RXNORM,
    "http://www.ama-assn.org/go/cpt": CPT,
    "http://unitsofmeasure.org": f"{HL7}.6.8",
    "http://fdasis.nlm.nih.gov": UNII,
    "http://nucc.org/provider-taxonomy": f"{HL7}.6.101",
    "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets": f"{HL7}.6.285",
    "http://www.cms.gov/Medicare/Coding/ICD10": ICD10PCS,
    "https://www.nubc.org/CodeSystem/PatDischargeStatus": NUBC,
    f"{_SID}ndc": NDC,
    f"{_SID}cvx": CVX,
    f"{_SID}mvx": f"{HL7}.12.227",
    f"{_SID}icd-10": f"{HL7}.6.3",
    f"{_SID}icd-10-cm": f"{HL7}.6.90",
    f"{_SID}icd-9-cm": f"{HL7}.6.103",
    f"{_TERMINOLOGY}icd10-pcs": ICD10PCS,
    f"{_TERMINOLOGY}v3-ActClass": ACT_CLASS,
    f"{_TERMINOLOGY}v3-ActCode": ACT_CODE,
    f"{_TERMINOLOGY}v3-ActReason": ACT_REASON,
    f"{_TERMINOLOGY}v3-AdministrativeGender": GENDER,
    f"{_TERMINOLOGY}v3-Confidentiality": CONFIDENTIALITY,
    f"{_TERMINOLOGY}v3-Ethnicity": RACE,
    f"{_TERMINOLOGY}v3-MaritalStatus": MARITAL,
    f"{_TERMINOLOGY}v3-ObservationInterpretation": INTERPRETATION,
    f"{_TERMINOLOGY}v3-Race": RACE,
    f"{_TERMINOLOGY}v3-ReligiousAffiliation": RELIGION,
    f"{_TERMINOLOGY}v3-RoleClass": f"{HL7}.5.110",
    f"{_TERMINOLOGY}v3-RoleCode": ROLE_CODE,
    f"{_TERMINOLOGY}v3-RouteOfAdministration": f"{HL7}.5.112",
}
"""FHIR code system URIs to OIDs; v2 tables are computed, the site adds its own."""

SYSTEM_NAMES: Final[Mapping[str, str]] = {
    LOINC: "LOINC",
    SNOMED: "SNOMED CT",
    RXNORM: "RxNorm",
    NDC: "NDC",
    CPT: "CPT",
    CVX: "CVX",
    ICD10PCS: "ICD-10-PCS",
    f"{HL7}.6.90": "ICD-10-CM",
    f"{HL7}.6.103": "ICD-9-CM",
    NUBC: "NUBC",
    ACT_CODE: "HL7 ActCode",
    ACT_REASON: "HL7 ActReason",
    INTERPRETATION: "HL7 ObservationInterpretation",
}
_V2_TABLE: Final = re.compile(re.escape(_TERMINOLOGY) + r"v2-0*([1-9]\d*)")
_LOINC_CODE: Final = re.compile(r"([1-9]\d*)-(\d)")
_LOINC_PART: Final = re.compile(r"L[AGLP]\d+-\d")
_TOKEN: Final = re.compile(r"[^\s\x00-\x20\x7f-\x9f]+")


def system_oid(system: str, rendering: Rendering) -> str:
    """Return the OID of a code system URI, or ``""``; the site's table comes first."""
    if known := rendering.site.oids.get(system) or CODE_SYSTEMS.get(system):
        return known
    if table := _V2_TABLE.fullmatch(system):
        return V2_TABLES + table[1]
    oid = system.removeprefix("urn:oid:")
    return oid if oid != system and is_oid(oid) and not is_example(oid) else ""


@lru_cache(maxsize=1024)
def is_loinc(code: str) -> bool:
    """Whether a code has the form of LOINC and, if an observation, its check digit.

    Examples:
        >>> is_loinc("718-7"), is_loinc("718-8"), is_loinc("LA6576-8")
        (True, False, True)
    """
    if match := _LOINC_CODE.fullmatch(code):
        doubled = "".join(
            str(int(digit) * 2 if place % 2 == 0 else digit)
            for place, digit in enumerate(reversed(match[1]))
        )
        return (10 - sum(map(int, doubled)) % 10) % 10 == int(match[2])
    return _LOINC_PART.fullmatch(code) is not None


@dataclass(frozen=True, slots=True)
class Code:
    """One coding CDA can carry; ``system`` is an OID, ``display`` may be ``""``."""

    code: str
    system: str
    display: str = ""

    @property
    def words(self) -> str:
        """The display, else the code and the name of its system."""
        name = SYSTEM_NAMES.get(self.system, self.system)
        if self.system.startswith(V2_TABLES):
            name = f"HL7 table {self.system.removeprefix(V2_TABLES):>04}"
        return self.display or f"{self.code} ({name})"

    def attributes(self) -> dict[str, str]:
        """Return the attributes of a coded element."""
        coded = {"code": self.code, "codeSystem": self.system}
        if self.display:
            coded["displayName"] = self.display
        return coded

    def element(self, name: str, xsi_type: str = "") -> Element:
        """Return the code alone as an element, as fixed codes are written."""
        typed = {XSI_TYPE: xsi_type} if xsi_type else {}
        return Element(name, {**typed, **self.attributes()}, [])


@dataclass(frozen=True, slots=True)
class Concept:
    """One CodeableConcept: ``main`` in a wanted system or None, all others as they are.

    ``loose`` are the words of codings CDA cannot carry as codes.
    """

    main: Code | None
    others: tuple[Code, ...] = ()
    text: str = ""
    loose: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.main or self.others or self.text or self.loose)

    @property
    def words(self) -> str:
        """What the row says: text, then each different display in brackets."""
        coded = (self.main, *self.others) if self.main else self.others
        said = [self.text, *(code.display for code in coded), *self.loose]
        said = list(dict.fromkeys(filter(None, said))) or [c.words for c in coded[:1]]
        first, *more = said or [""]
        return f"{first} ({'; '.join(more)})" if more else first

    def element(self, name: str, row: str = "", xsi_type: str = "") -> Element:
        """Return the coded element; ``row`` is the ID of the narrative it stands in.

        Without a code in a wanted system it is ``OTH`` with the original text, without
        anything ``UNK``.
        """
        if not self:
            return null(name, "UNK", xsi_type)
        attributes = {XSI_TYPE: xsi_type} if xsi_type else {}
        attributes.update(
            self.main.attributes() if self.main else {"nullFlavor": "OTH"}
        )
        inside = [self._original(row)] if row or not self.main else []
        inside += [code.element("translation") for code in self.others]
        return Element(name, attributes, inside)

    def _original(self, row: str) -> Element:
        if row:
            reference = Element("reference", {"value": f"#{row}"}, [])
            return Element("originalText", {}, [reference])
        return Element("originalText", {}, [], self.words)


EMPTY: Final = Concept(None)


def concept(source: Resource, rendering: Rendering, path: str, *wanted: str) -> Concept:
    """Return a CodeableConcept with its main code in the first wanted system it has.

    Args:
        source: the CodeableConcept, may be empty.
        rendering: gets a finding for each coding that cannot be carried as a code.
        path: element named in findings.
        wanted: OIDs in order of preference; none means that any system will do.
    """
    carried: list[Code] = []
    loose: list[str] = []
    for coding in children(source, "coding"):
        made = code_of(coding, rendering, path)
        if isinstance(made, Code):
            carried.append(made)
        elif made:
            loose.append(made.removeprefix(f"{text(source, 'text')} "))
    main = _preferred(carried, wanted)
    others = tuple(dict.fromkeys(code for code in carried if code != main))
    return Concept(main, others, text(source, "text"), tuple(loose))


def _preferred(carried: list[Code], wanted: Iterable[str]) -> Code | None:
    for oid in wanted:
        for code in carried:
            if code.system == oid:
                return code
    return carried[0] if carried and not wanted else None


def code_of(coding: Resource, rendering: Rendering, path: str) -> Code | str:
    """Return a Coding as a code, or its words when CDA cannot carry it as one."""
    system, code = text(coding, "system"), text(coding, "code")
    display = text(coding, "display")
    if not code:
        return display
    oid = system_oid(system, rendering)
    if not oid:
        rendering.find("no-oid", path, f"codes of {system or 'no system'} have no OID")
    elif not _TOKEN.fullmatch(code):
        rendering.find("bad-code", path, "a code holds blanks; it became original text")
    elif oid == LOINC and not is_loinc(code):
        rendering.find("bad-loinc", path, "a LOINC code fails form or check digit")
    else:
        return Code(code, oid, display)
    return f"{display} {code}".strip()


def coding_concept(coding: Resource, rendering: Rendering, path: str) -> Concept:
    """Return a single Coding as a concept, any system wanted."""
    whole = {"coding": [coding]} if coding else NOTHING
    return concept(whole, rendering, path)
