"""What kind of note a document is, as a LOINC document type."""

from typing import Final

from engine.transforms.ccda.codes import LOINC, V2_TABLES, Code, code_of, is_loinc
from engine.transforms.ccda.facts import Resource, child, children, text
from engine.transforms.ccda.rendering import Rendering

NOTE: Final = Code("34109-9", LOINC, "Note")
NOTE_TYPES: Final = {
    "CN": Code("11488-4", LOINC, "Consult note"),
    "DI": Code("18748-4", LOINC, "Diagnostic imaging study"),
    "DS": Code("18842-5", LOINC, "Discharge summary"),
    "ED": Code("34111-5", LOINC, "Emergency department Note"),
    "HP": Code("34117-2", LOINC, "History and physical note"),
    "OP": Code("11504-8", LOINC, "Surgical operation note"),
    "PN": Code("28570-0", LOINC, "Procedure note"),
    "PR": Code("11506-3", LOINC, "Progress note"),
    "SP": Code("11526-1", LOINC, "Pathology study"),
    "TS": Code("18761-7", LOINC, "Transfer summary note"),
}
"""HL7 table 0270 to LOINC; a site's table adds its own words."""

DOCUMENT_TYPES: Final = ("v2-0270", ":codes:TXA-2")
"""Ends the systems of table 0270: named as such, or sent in TXA-2 without a name."""
PROGRESS: Final = "11506-3"
DISCHARGE: Final = "18842-5"
TITLES: Final = {code.code: code.display for code in (*NOTE_TYPES.values(), NOTE)}


def note_type(holder: Resource, rendering: Rendering) -> tuple[Code, Code | None, str]:
    """Return the LOINC of a note, the source's code as translation, and the title.

    Args:
        holder: the DocumentReference, DiagnosticReport or Observation of the note.
        rendering: the site's table of note types, and findings.
    """
    concept = child(holder, "type") or child(holder, "code")
    codings = children(concept, "coding")
    source = _translation(codings, rendering)
    for coding in codings:
        if found := _loinc(coding, rendering):
            title = text(coding, "display") or text(concept, "text") or found.display
            return found, source, title or NOTE.display
    title = text(concept, "text") or (source.display if source else "")
    return NOTE, source, title or NOTE.display


def _loinc(coding: Resource, rendering: Rendering) -> Code | None:
    code, system = text(coding, "code"), text(coding, "system")
    if system == "http://loinc.org":
        display = text(coding, "display") or TITLES.get(code, "")
        return Code(code, LOINC, display) if is_loinc(code) else None
    if own := rendering.site.note_types.get(code):
        return Code(own, LOINC, TITLES.get(own, ""))
    return NOTE_TYPES.get(code) if system.endswith(DOCUMENT_TYPES) else None


def _translation(codings: list[Resource], rendering: Rendering) -> Code | None:
    for coding in codings:
        if text(coding, "system").endswith(DOCUMENT_TYPES):
            code, display = text(coding, "code"), text(coding, "display")
            return Code(code, f"{V2_TABLES}270", display) if code.isalnum() else None
        made = code_of(coding, rendering, "DocumentReference.type")
        if isinstance(made, Code) and made.system != LOINC:
            return made
    return None
