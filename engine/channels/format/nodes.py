"""YAML as a tree of texts with places: no type is ever guessed.

Every scalar is text. What makes YAML surprising is refused: anchors, aliases, merge
keys, tags, several documents, duplicate keys.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from engine.channels.format.faults import Fault, Place

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 20
_QUOTES: Final = ("'", '"')
_LITERAL: Final = "|"
_SYNTAX_HINT: Final = "check indentation and quotes around this line"


@dataclass(slots=True)
class Scalar:
    """One text and where it begins; ``at`` knows the place of each character."""

    text: str
    place: Place
    line: str = ""
    style: str = ""

    def at(self, offset: int) -> Place:
        """Return the place of a character; the beginning where that is not sure."""
        place = self.place
        quoted = self.style in _QUOTES
        start = place.column - 1 + quoted
        if self.style == _LITERAL:
            before = self.text[:offset]
            indent = place.column - 1
            rest = len(before) - (before.rfind("\n") + 1)
            line = place.line + before.count("\n")
            return place._replace(line=line, column=indent + rest + 1)
        if self.line[start : start + len(self.text)] == self.text:
            return place._replace(column=start + offset + 1)
        return place


@dataclass(slots=True)
class Entries:
    """A YAML mapping, in the order it is written."""

    place: Place
    items: dict[str, tuple[Scalar, "Node"]] = field(default_factory=dict)


@dataclass(slots=True)
class Items:
    """A YAML sequence."""

    place: Place
    items: list["Node"] = field(default_factory=list)


Node = Scalar | Entries | Items


@dataclass(slots=True)
class _Builder:
    """Makes the tree from the events of the YAML parser."""

    file: str
    lines: list[str]
    report: Callable[[Fault], None]
    via: str = ""
    root: Node | None = None
    stack: list[tuple[Entries | Items, Scalar | None]] = field(default_factory=list)
    documents: int = 0

    def take(self, event: Event) -> bool:
        """Take one event; false when reading must stop."""
        if isinstance(event, DocumentStartEvent):
            return self._begin_document(event)
        if isinstance(event, AliasEvent):
            self._refuse(event, "aliases are not part of the format")
            self._add(Scalar("", self._place(event)))
        elif isinstance(event, ScalarEvent):
            self._add(self._scalar(event))
        elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
            return self._open(event)
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self.stack.pop()
        return True

    def _begin_document(self, event: Event) -> bool:
        self.documents += 1
        if self.documents > 1:
            self._fault(
                event, "this is a second document", "CH004", "write one file each"
            )
        return self.documents == 1

    def _open(self, event: Event) -> bool:
        self._refuse_marks(event)
        place = self._place(event)
        made: Entries | Items = (
            Entries(place) if isinstance(event, MappingStartEvent) else Items(place)
        )
        self._add(made)
        self.stack.append((made, None))
        if len(self.stack) > MAX_DEPTH:
            self._fault(
                event, f"this is nested deeper than {MAX_DEPTH} levels", "CH005"
            )
            return False
        return True

    def _scalar(self, event: ScalarEvent) -> Scalar:
        self._refuse_marks(event)
        mark = event.start_mark
        line = self.lines[mark.line] if mark.line < len(self.lines) else ""
        style = event.style or ""
        place = self._place(event)
        if style == _LITERAL and mark.line + 1 < len(self.lines):
            below = self.lines[mark.line + 1]
            indent = len(below) - len(below.lstrip(" "))
            place = place._replace(line=mark.line + 2, column=indent + 1)
        return Scalar(str(event.value), place, line, style)

    def _add(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        parent, key = self.stack[-1]
        if isinstance(parent, Items):
            parent.items.append(node)
        elif key is None:
            self.stack[-1] = (parent, self._key(node, parent))
        else:
            self.stack[-1] = (parent, None)
            if key.text not in parent.items:
                parent.items[key.text] = (key, node)

    def _key(self, node: Node, parent: Entries) -> Scalar:
        if not isinstance(node, Scalar):
            sentence = "a key must be a text"
            self.report(Fault(node.place, sentence, _SYNTAX_HINT, "CH001"))
            return Scalar("", node.place)
        if node.text == "<<":
            self.report(
                Fault(
                    node.place,
                    "merge keys are not part of the format",
                    "write defaults: or include: with a shared file",
                    "CH003",
                )
            )
        elif node.text in parent.items:
            first = parent.items[node.text][0].place.line
            self.report(
                Fault(
                    node.place,
                    f"the key {node.text!r} stands twice",
                    f"it stands in line {first} already",
                    "CH002",
                )
            )
        return node

    def _refuse_marks(self, event: Event) -> None:
        if getattr(event, "anchor", None):
            self._refuse(event, "anchors are not part of the format")
        if getattr(event, "tag", None):
            self._refuse(event, "tags are not part of the format")

    def _refuse(self, event: Event, sentence: str) -> None:
        hint = "write the value out, or share it with defaults: or include:"
        self._fault(event, sentence, "CH003", hint)

    def _fault(self, event: Event, sentence: str, code: str, hint: str = "") -> None:
        self.report(Fault(self._place(event), sentence, hint, code))

    def _place(self, event: Event) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1, self.via)


def read_yaml(
    data: bytes, file: str, report: Callable[[Fault], None], via: str = ""
) -> tuple[Node | None, list[str]]:
    """Return the tree of one file and its lines; faults go to ``report``.

    The tree is None when the file cannot be read as YAML at all.
    """
    start = Place(file, via=via)
    if len(data) > MAX_BYTES:
        report(Fault(start, "the file is larger than 1 MB", "", "CH005"))
        return None, []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        report(
            Fault(
                start._replace(line=line),
                "this is not UTF-8",
                "save it as UTF-8",
                "CH006",
            )
        )
        return None, []
    lines = text.split("\n")
    builder = _Builder(file, [line.rstrip("\r") for line in lines], report, via)
    whole = _run(builder, text)
    if builder.root is None and whole:
        report(Fault(start, "the file is empty", "write channel: NAME first", "CH004"))
    return (builder.root if whole else None), builder.lines


def _run(builder: _Builder, text: str) -> bool:
    """Feed the events to the builder; false after a fault that ends reading."""
    try:
        return all(builder.take(event) for event in _events(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem or error.context or "this is not YAML")
        builder.report(_syntax_fault(builder, mark, problem))
    except (YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        # the parser meets some hopeless input with errors of its own making
        builder.report(_syntax_fault(builder, None, type(error).__name__))
    return False


def _events(text: str) -> Iterator[Event]:
    yaml = YAML(typ="safe", pure=True)
    yield from yaml.parse(text)


def _syntax_fault(builder: _Builder, mark: StringMark | None, problem: str) -> Fault:
    place = Place(builder.file, via=builder.via)
    if mark is not None:
        place = place._replace(
            line=min(mark.line, max(len(builder.lines) - 1, 0)) + 1,
            column=mark.column + 1,
        )
    hint = _SYNTAX_HINT
    line = builder.lines[place.line - 1] if builder.lines else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        problem, hint = "a tab cannot stand in the indentation", "use spaces"
    elif "${" in line:
        problem, hint = (
            "this is not YAML",
            'inside { } and [ ] write "${NAME}" in quotes',
        )
    elif "expected" not in problem and "could not" not in problem:
        problem = "this is not YAML"
    else:
        problem = f"this is not YAML: {problem}"
    return Fault(place, problem, hint, "CH001")
