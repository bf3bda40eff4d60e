"""The guide's tables: message, segment, data type and vocabulary maps.

Spec:
    fhir.md sections 10 and 14, and T36: names differ in case and blanks between files.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

_HEADINGS: Final = 2
_COLUMNS: Final = 20
_SEGMENT_OR_TYPE: Final = re.compile(r"R4_ (\w+\[.+?\]) -")
_MESSAGE: Final = re.compile(r"R4_ (\w+) -")
_VOCABULARY: Final = re.compile(r"Map_ (.+?) - ")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a map, its cells as they are written.

    ``source`` is a field or component (``PID-5``, ``XPN.1``), ``name`` tells people
    which row it is.
    """

    name: str
    source: str
    condition: str
    target: str
    datatype: str = ""
    vocabulary: str = ""
    constant: str = ""


@dataclass(slots=True)
class Guide:
    """The maps by name; vocabularies give the FHIR codes of each v2 code."""

    messages: dict[str, list[Row]] = field(default_factory=dict)
    segments: dict[str, list[Row]] = field(default_factory=dict)
    datatypes: dict[str, list[Row]] = field(default_factory=dict)
    vocabularies: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def uses(self, structure: str, segment_id: str) -> list[Row]:
        """Return the rows that send a segment of a message structure somewhere."""
        return [
            row
            for row in self.messages.get(structure, ())
            if row.source.rpartition(".")[2] == segment_id
        ]

    def images(self, vocabulary: str, code: str) -> set[str]:
        """Return the FHIR codes a v2 code is mapped to."""
        return self.vocabularies.get(plain(vocabulary), {}).get(code, set())


def plain(name: str) -> str:
    """Return a map's name as the guide means it: without case, blanks and slashes."""
    return re.sub(r"[\s/]", "", name).casefold()


def read_guide(files: Iterable[tuple[str, str, str]]) -> Guide:
    """Return the guide of its CSV files.

    Args:
        files: folder (``messages``, ``segments``, ``datatypes``, ``codesystems``), file
            name and text of each; others are passed over.
    """
    guide = Guide()
    for folder, name, text in files:
        if folder == "codesystems" and (found := _VOCABULARY.search(name)):
            guide.vocabularies[plain(found[1])] = _codes(text)
        elif folder == "messages" and (found := _MESSAGE.search(name)):
            guide.messages[found[1]] = list(_message_rows(found[1], text))
        elif found := _SEGMENT_OR_TYPE.search(name):
            maps: Mapping[str, dict[str, list[Row]]]
            maps = {"segments": guide.segments, "datatypes": guide.datatypes}
            if folder in maps:
                maps[folder][plain(found[1])] = list(_rows(found[1], text))
    return guide


def _cells(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, cells in enumerate(csv.reader(io.StringIO(text, newline="")), 1):
        if number > _HEADINGS:
            stripped = [cell.strip() for cell in cells]
            yield number, stripped + [""] * (_COLUMNS - len(stripped))


def _rows(name: str, text: str) -> Iterator[Row]:
    for number, cells in _cells(text):
        if cells[9]:
            source = re.sub(r"^(\w+)-(\d+\.?\d*)$", r"\1-\2", cells[1])
            leads_away = cells[9].endswith(")") and "[" in cells[14]
            constant = "" if leads_away else cells[16]  # it stands a row too high
            yield Row(
                f"{name} line {number}", source, cells[6], cells[9],
                cells[14], cells[15], constant,
            )  # fmt: skip


def _message_rows(name: str, text: str) -> Iterator[Row]:
    for number, cells in _cells(text):
        if cells[9] and cells[10]:
            label = f"{name} line {number}"
            yield Row(label, cells[1], cells[6], cells[9], cells[10])


def _codes(text: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for _, cells in _cells(text):
        if cells[0] and cells[6]:
            found.setdefault(cells[0], set()).add(cells[6])
    return found
