"""Reads facts of an HL7 v2 message with python-hl7, and looks for them in a document.

It knows nothing of the resources between: which field holds a fact is written here from
the standard, and the document is read with XPath alone.
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import hl7
from lxml import etree

NS = {"h": "urn:hl7-org:v3"}


class Fact(NamedTuple):
    """One value of a message: its place, and the forms in which it may be told."""

    segment: str
    number: int
    field: int
    forms: tuple[str, ...]
    position: int = 0

    @property
    def place(self):
        return f"{self.segment}-{self.field}"


class Part:
    """One repetition of a field, by components and subcomponents."""

    def __init__(self, text, separators):
        self.text, (self.component, self.sub) = text, separators

    def __getitem__(self, number):
        """The first subcomponent of a component."""
        pieces = self.text.split(self.component)
        whole = pieces[number - 1] if len(pieces) >= number else ""
        return unescaped(whole.split(self.sub)[0]).strip()

    def said(self, *numbers):
        """Components without subcomponents, any of which tells the fact."""
        pieces = dict(enumerate(self.text.split(self.component), 1))
        said = (unescaped(pieces.get(number, "")).strip() for number in numbers)
        return tuple(filter(None, said))

    def first(self, *numbers):
        """Any of these components tells the fact."""
        return tuple(filter(None, (self[number] for number in numbers)))


ESCAPES = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\", "P": "#"}
BLANK = ("H", "N", "C", "M")
"""Begin of escapes for highlighting and character sets."""


def unescaped(text, *, layout=True):
    """A text as it reads; escapes nobody knows stay, those of layout if it has none."""
    return re.sub(r"\\([^\\]*)\\", lambda found: _meant(found, layout), text)


def _meant(found, layout):
    said = found[1]
    if re.fullmatch("X([0-9A-F]{2})+", said):
        return bytes.fromhex(said[1:]).decode("latin-1")
    if said.startswith(BLANK) or (layout and said.startswith(".")):
        return " "
    return ESCAPES.get(said, found[0])


def whole(part):
    texts = (unescaped(part.text, layout=layout).strip() for layout in (True, False))
    yield tuple(dict.fromkeys(texts))


def one(part):
    yield part.first(1)


def coded(part):
    yield part.said(1, 2, 4, 5)


def worded(part):
    """A code that the map turns into another word; its text may stand instead."""
    said = part.said(1, 2)
    more = {word: CODES.get(word, ()) for word in said}
    yield tuple(form for word in said for form in (word, *more[word]))


def sex(part):
    first = part[1][:1].upper()
    yield (part[1], {"F": "F", "M": "M"}.get(first, "UN" if first in "AO" else "UNK"))


CODES = {
    "A": ("UN", "AMB"),
    "N": ("UNK", "2186-5"),
    "O": ("UN",),
    "U": ("UNK",),
    "H": ("2135-2",),
    "Y": ("true",),
    "CP": ("completed",),
    "NA": ("completed",),
    "PA": ("completed",),
    "RE": ("true",),
}


def name(part):
    for number in range(1, 6):
        yield part.first(number)


def address(part):
    for number in range(1, 7):
        yield part.first(number)


def phone(part):
    digits = re.sub(r"\D", "", part[1]) or "".join(part.first(6, 7))
    yield (digits[-7:], part[1], part[12])


def time(part):
    yield (re.split(r"[.+-]", part[1])[0],)


def place(part):
    for number in range(1, 4):
        yield part.first(number)


READERS = {
    ("PID", 3): one,
    ("PID", 5): name,
    ("PID", 7): time,
    ("PID", 8): sex,
    ("PID", 10): worded,
    ("PID", 11): address,
    ("PID", 13): phone,
    ("PID", 15): coded,
    ("PID", 16): coded,
    ("PID", 22): worded,
    ("PID", 29): time,
    ("PV1", 3): place,
    ("PV1", 19): one,
    ("PV1", 36): coded,
    ("PV1", 44): time,
    ("PV1", 45): time,
    ("AL1", 3): coded,
    ("AL1", 5): coded,
    ("AL1", 6): time,
    ("DG1", 3): coded,
    ("DG1", 5): time,
    ("PR1", 3): coded,
    ("PR1", 5): time,
    ("PRB", 3): coded,
    ("PRB", 7): time,
    ("PRB", 16): time,
    ("OBR", 3): one,
    ("OBR", 4): coded,
    ("OBR", 7): time,
    ("OBX", 3): coded,
    ("OBX", 5): coded,
    ("OBX", 6): coded,
    ("OBX", 7): whole,
    ("OBX", 8): one,
    ("OBX", 14): time,
    ("RXA", 3): time,
    ("RXA", 5): coded,
    ("RXA", 6): one,
    ("RXA", 15): one,
    ("RXA", 17): coded,
    ("RXA", 20): worded,
    ("NK1", 2): name,
    ("NK1", 3): coded,
    ("TXA", 2): coded,
    ("TXA", 9): name,
    ("TXA", 12): one,
}
TEXTS = ("ST", "TX", "FT")
"""Types of OBX-5 that are one text, whatever separators stand in it."""
ABOUT_NOTES = ("TXA",)


def facts(message: bytes) -> Iterator[Fact]:
    """Every fact of a message that cda.md G4 lists and a reader can look for."""
    first = message.partition(b"\r")[0]
    charset = "latin-1" if b"8859/1" in first else "utf-8"
    parsed = hl7.parse(message.decode(charset, "replace").replace("\n", "\r"))
    separators = parsed.separators[3], parsed.separators[4]
    numbers: dict[str, int] = {}
    for position, segment in enumerate(parsed):
        kind = str(segment[0])
        numbers[kind] = numbers.get(kind, 0) + 1
        if numbers.get("PID", 0) > 1:
            return  # what is said of a second patient must not be told of the first
        for field, reader in READERS.items():
            if field[0] == kind and len(segment) > field[1]:
                repetitions = str(segment[field[1]]).split(parsed.separators[2])
                is_text = field == ("OBX", 5) and str(segment[2]) in TEXTS
                reads = whole if is_text else reader
                for said in _forms(repetitions, reads, separators):
                    yield Fact(kind, numbers[kind], field[1], said, position)


def _forms(repetitions, reader, separators):
    for text in repetitions:
        if text not in ("", '""'):
            for forms in reader(Part(text, separators)):
                if said := tuple(form for form in forms if form not in ("", '""')):
                    yield said


class Reader:
    """What a document says, text and attributes, for looking things up."""

    def __init__(self, document):
        root = etree.fromstring(document)
        texts = [" ".join(str(text).split()) for text in root.itertext()]
        values = [str(value) for node in root.iter() for value in node.values()]
        self.words = {
            word.casefold()
            for text in (*texts, *values)
            for marks in (r"\s", r"[\s,;:()\[\]-]+")
            for word in (text, *re.split(marks, text))
        }
        self.flat = squeezed(" ".join((*texts, *values)))
        self.numbers = set(map(number, self.words)) - {None}

    def tells(self, fact):
        return any(self._has(" ".join(form.split())) for form in fact.forms)

    def _has(self, form):
        if form.casefold() in self.words or number(form) in self.numbers:
            return True
        flat = squeezed(form)
        return len(flat) > 2 and flat in self.flat


class Enclosed:
    """What the content of an unstructured document says: its text, or its base64."""

    def __init__(self, document):
        root = etree.fromstring(document)
        self.packed = root.findtext(".//h:nonXMLBody/h:text", "", NS)
        self.flat = squeezed(b64decode(self.packed).decode("utf-8", "replace"))

    def tells(self, fact):
        return any(
            form in self.packed or squeezed(form) in self.flat for form in fact.forms
        )


def number(text):
    """What a text tells as a number, however it is written: 07 is 7, .2 is 0.2."""
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", text):
        return None
    return Decimal(text).normalize()


def squeezed(text):
    return re.sub(r"[^\w]+", "", text).casefold()
