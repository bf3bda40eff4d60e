"""Faults of configuration files: where, what is wrong, what to write instead."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

Level = Literal["error", "warning", "hint"]

CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CH001": "the file is not YAML",
        "CH002": "a key stands twice",
        "CH003": "anchors, aliases, merge keys and tags are not part of the format",
        "CH004": "the file holds no document, or several",
        "CH005": "the file is too large, or nested too deep",
        "CH006": "the file is not UTF-8",
        "CH007": "a file is missing or cannot be read",
        "CH100": "unknown key",
        "CH101": "a key is missing",
        "CH102": "a mapping, a list or a text is wanted here",
        "CH103": "exactly one of several keys is wanted",
        "CH110": "the value is not of its kind",
        "CH111": "the word is not one of those allowed",
        "CH120": "a placeholder has no value",
        "CH121": "a placeholder cannot stand here",
        "CH130": "a secret stands in a channel file",
        "CH140": "a shared part cannot be used",
        "CH150": "a Python step cannot be used",
        "CH200": "the expression cannot be compiled",
        "CH201": "the expression passes a limit",
        "CH210": "the HL7 path cannot be read, or not written to",
        "CH220": "a code table is missing or wrong",
        "CH300": "a name is wrong or used twice",
        "CH310": "a port is used twice, or needs a right",
        "CH320": "a name of interop.toml is unknown",
        "CH330": "something is exposed",
        "CH340": "a file or folder is not allowed",
        "CH350": "a rule or step has no effect",
        "CH351": "update: partial where nothing can be merged",
        "CH360": "a test of the channel is wrong or missing",
        "CH370": "a FHIR path is wrong",
        "CH380": "what a test's message becomes is not R4",
        "CH400": "a setting of the node is wrong",
        "CH420": "the matching models are wrong",
    }
)
"""What each stable code stands for."""


class Place(NamedTuple):
    """A place in a file below the config folder; line and column count from 1.

    ``via`` names the file and line that pulled a shared part in, or is empty.
    """

    file: str
    line: int = 1
    column: int = 1
    via: str = ""

    @property
    def short(self) -> str:
        """File and line, as traces show them."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, its stable code and how much it matters."""

    place: Place
    sentence: str
    hint: str = ""
    code: str = "CH110"
    level: Level = "error"
    source: str = ""

    def text(self) -> str:
        """Return the fault as it is printed: place, line with caret, hint."""
        place = self.place
        lines = [
            f"{place.file}:{place.line}:{place.column}: {self.level}: {self.sentence}"
        ]
        if self.source:
            indent = "".join(
                "\t" if letter == "\t" else " "
                for letter in self.source[: place.column - 1]
            )
            lines.append(f"{place.line:>6} | {self.source}".rstrip())
            lines.append(f"       | {indent}^")
        if place.via:
            lines.append(f"       from: {place.via}")
        if self.hint:
            lines.append(f"       hint: {self.hint}")
        return "\n".join(lines)


def fault_of(text: str) -> Fault:
    """Return a fault of the node's settings from the text that tells of it."""
    head, _, hint = text.partition("\n       hint: ")
    origin, _, sentence = head.partition(": error: ")
    return Fault(Place(origin), sentence or head, hint, "CH400")


def in_order(
    faults: Iterable[Fault], sources: Mapping[str, Sequence[str]]
) -> list[Fault]:
    """Return faults by place, one for each place, with the source line they stand in.

    A channel file with errors gets no warnings yet.
    """
    found: dict[Place, Fault] = {}
    for fault in faults:
        lines = sources.get(fault.place.file, ())
        number = fault.place.line
        line = lines[number - 1] if 0 < number <= len(lines) else ""
        if fault.place not in found or found[fault.place].level != "error":
            found[fault.place] = replace(fault, source=_shown(line))
    wrong = {fault.place.file for fault in found.values() if fault.level == "error"}
    return sorted(
        (
            fault
            for fault in found.values()
            if fault.level == "error" or fault.place.file not in wrong
        ),
        key=lambda fault: fault.place,
    )


def _shown(line: str) -> str:
    """Return a source line fit for a terminal: no control characters but tabs."""
    longest = 200
    cut = line[:longest]
    return "".join(each if each.isprintable() or each == "\t" else "?" for each in cut)


def report(faults: Sequence[Fault], files: int) -> str:
    """Return everything ``interop check`` prints as text."""
    errors = sum(1 for fault in faults if fault.level == "error")
    warnings = sum(1 for fault in faults if fault.level == "warning")
    totals = (
        f"{_count(errors, 'error')}, {_count(warnings, 'warning')} in "
        f"{_count(files, 'file')}."
    )
    return "\n".join(
        [*(fault.text() for fault in faults), *([""] if faults else []), totals]
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def as_json(faults: Sequence[Fault]) -> str:
    """Return the faults as a JSON array."""
    return json.dumps([_flat(fault) for fault in faults], indent=2, ensure_ascii=False)


def _flat(fault: Fault) -> dict[str, object]:
    return {
        "code": fault.code,
        "level": fault.level,
        "file": fault.place.file,
        "line": fault.place.line,
        "column": fault.place.column,
        "sentence": fault.sentence,
        "hint": fault.hint,
        "via": fault.place.via,
    }


def as_github(faults: Sequence[Fault], root: str) -> str:
    """Return the faults as annotations of a pull request; ``root`` is the folder."""
    words = {"error": "error", "warning": "warning", "hint": "notice"}
    return "\n".join(
        f"::{words[fault.level]} file={root}/{fault.place.file},"
        f"line={fault.place.line},col={fault.place.column},title={fault.code}::"
        f"{_escaped(fault)}"
        for fault in faults
    )


def _escaped(fault: Fault) -> str:
    text = f"{fault.sentence}; {fault.hint}" if fault.hint else fault.sentence
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def as_sarif(faults: Sequence[Fault], root: str) -> str:
    """Return the faults as SARIF 2.1.0."""
    levels = {"error": "error", "warning": "warning", "hint": "note"}
    results = [
        {
            "ruleId": fault.code,
            "level": levels[fault.level],
            "message": {"text": f"{fault.sentence}. {fault.hint}".strip()},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": f"{root}/{fault.place.file}"},
                        "region": {
                            "startLine": fault.place.line,
                            "startColumn": fault.place.column,
                        },
                    }
                }
            ],
        }
        for fault in faults
    ]
    rules = [
        {"id": code, "shortDescription": {"text": text}} for code, text in CODES.items()
    ]
    driver = {"name": "interop check", "rules": rules}
    run = {"tool": {"driver": driver}, "results": results}
    return json.dumps({"version": "2.1.0", "runs": [run]}, indent=2)
