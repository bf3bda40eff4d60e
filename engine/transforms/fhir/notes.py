"""NTE: notes on the segment they follow.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment map NTE[Observation]; fhir.md D10.
"""

from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import extension, free_text
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.parties import practitioners


def notes_of(conversion: Conversion, node: Node) -> list[Element]:
    """Return the NTE below a segment as Annotations; lines of one note are joined."""
    if not node.children:
        return []
    found: list[Element] = []
    for note in node.children:
        if note.id == "NTE":
            _add(conversion, note, found)
    return found


def _add(conversion: Conversion, note: Node, found: list[Element]) -> None:
    """Add one NTE: a line of the note before it, or a note of its own."""
    note.take(1, 2)
    text = "\n".join(free_text(source) for source in note.all(3))
    about = _about(conversion, note)
    if found and not about:
        found[-1]["text"] = f"{found[-1]['text']}\n{text}".rstrip()
    elif text.strip():
        found.append({**about, "text": text.strip("\n")})
    elif about:
        note.leave(4)
        note.leave(5)


def _about(conversion: Conversion, note: Node) -> Element:
    """Return author, time and kind of a note."""
    about: Element = {}
    if note.has(4) and (kind := conversion.concept(note, 4, "0364")):
        about["extension"] = [extension("annotationType", "CodeableConcept", kind)]
    authors = practitioners(conversion, note, 5)
    if authors:
        about["authorReference"] = authors[0].reference
    conversion.put_time(about, "time", note, 6)
    return about
