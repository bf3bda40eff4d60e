"""What the guide expects of one message: each mapped component and where it goes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from engine.hl7 import Message, Repetition
from engine.hl7.path import Path
from engine.transforms.fhir.definitions import elements
from engine.transforms.fhir.groups import Node, grow
from engine.transforms.fhir.plan import PARENTS
from engine.transforms.fhir.sources import short
from engine.transforms.guide.conditions import holds
from engine.transforms.guide.places import Place
from engine.transforms.guide.tables import Guide, Row, plain

_FIELD: Final = re.compile(r"[A-Z][A-Z0-9]{2}-(\d+)(?:\.(\d+))?")
_OWN: Final = re.compile(r"[A-Z]{2,3}\.(\d+)")
_NAMED: Final = re.compile(r"\w+\[\d+\]|sender(?=\()")
"""What several fields tell of: a numbered element, and who sent the message."""
_VERSIONED: Final = {7: 1, 8: 4, 13: 10}
"""Components of a CWE that name the version of a code, with the code."""

_PART: Final = re.compile(r"[A-Z]+\d?[.-](\d+)(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Expectation:
    """One component and one place where the guide wants it.

    ``unit`` names the thing it belongs to: values of one unit belong in one resource.
    It is a segment, with those that tell more of the same, as the OBR below its ORC; or
    what the segment refers to.
    ``value`` is patient data. ``sure`` is false where the row's condition could not be
    read: then the place is allowed, not wanted.
    """

    path: str
    value: str
    place: Place
    row: str
    unit: tuple[int, str, str]
    codes: frozenset[str] = frozenset()
    sure: bool = True


def expectations(guide: Guide, message: Message, structure: str) -> list[Expectation]:
    """Return every mapped component of a message with its places.

    Args:
        guide: the tables.
        message: as received.
        structure: message structure whose segment maps count, such as ``ADT_A01``.
    """
    found: list[Expectation] = []
    for node in grow(message, PARENTS, {}).nodes:
        here = _Here(guide, message, structure, node)
        for use in guide.uses(structure, node.id):
            found += here.through(use)
    return list(dict.fromkeys(found))


def places_of(guide: Guide, structure: str) -> set[str]:
    """Return the ids of the segments that a structure sends anywhere."""
    rows = guide.messages.get(structure, ())
    return {row.source.rpartition(".")[2] for row in rows}


@dataclass(frozen=True, slots=True)
class _Here:
    """One segment of the message."""

    guide: Guide
    message: Message
    structure: str
    node: Node

    def through(self, use: Row) -> Iterator[Expectation]:
        """Return what one segment map expects of this segment."""
        said = holds(use.condition, self._read)
        if said is False:
            return
        root = Place("", "").below(use.target)
        for row in self.guide.segments.get(plain(use.datatype), ()):
            found = _FIELD.fullmatch(row.source)
            sure = holds(row.condition, partial(self._read, row=row))
            if found is None or sure is False or row.constant.startswith('"'):
                continue
            certain = said is True and sure is True and not row.constant
            field, component = int(found[1]), int(found[2] or 0)
            target = self._begin(root.kind), root.below(row.target)
            yield from self._field(row, target, (field, component), certain=certain)

    def _begin(self, kind: str) -> "_Thing":
        """Return what the segment tells of: of the same as the one it stands below."""
        node = self.node
        while (above := node.parent) is not None:
            alone = len(above.all_below(node.id)) == 1
            uses = self.guide.uses(self.structure, above.id)
            kinds = {Place("", "").below(use.target).kind for use in uses}
            if not alone or kind not in kinds:
                break
            node = above
        return _Thing(kind, node.position)

    def _field(
        self,
        row: Row,
        target: tuple["_Thing", Place],
        part: tuple[int, int],
        *,
        certain: bool,
    ) -> Iterator[Expectation]:
        (root, place), (field, component) = target, part
        below = self.guide.datatypes.get(plain(row.datatype), [])
        for number, repetition in enumerate(self.node.segment.positions(field), 1):
            head = Path(self.node.id, self.node.number, field, number)
            if row.datatype.startswith("ED[") and not repetition.text(5):
                continue  # there is no document to describe (T09)
            sure = certain and (number == 1 or _repeats(place))
            at = _At(self, row, head, repetition, sure, root)
            if component or not below:
                yield from at.leaf(place, component or 1, row.vocabulary, row.name)
            else:
                yield from at.parts(below, place)

    def _read(self, path: str, row: Row | None = None) -> list[str]:
        """Return what stands at a field, in this segment or the first of its kind.

        ``CWE.3`` is a component of the field that a row is about.
        """
        if row is not None and (own := _OWN.fullmatch(path)):
            path = f"{row.source.partition('.')[0]}.{own[1]}"
        segment_id, _, rest = path.partition("-")
        segment = self.node.segment
        if segment_id != segment.id:
            other = self.message.first(segment_id)
            if other is None:
                return []
            segment = other
        if not rest:
            return [segment.id]
        field, _, component = rest.partition(".")
        return [
            each.text(int(component or 1)) for each in segment.repetitions(int(field))
        ]


@dataclass(frozen=True, slots=True)
class _Thing:
    """What a segment becomes itself: its type, and the segment that begins it."""

    kind: str
    position: int


def _repeats(place: Place) -> bool:
    """Whether an element takes more than one repetition of a field."""
    known = elements(place.kind).get(place.path.partition(".")[0])
    return known is None or known.repeats


def _code_of(place: Place, component: int) -> int:
    """Return the component of the code that a name or version is said of; 0: of none.

    A coding that has no code tells nothing by its version.
    """
    if place.path.endswith("coding.display"):
        return component - 1
    if place.path.endswith("coding.version"):
        return _VERSIONED.get(component, 0)
    return 0


@dataclass(frozen=True, slots=True)
class _At:
    """One repetition of a field, on its way through data type maps.

    ``root`` is what the segment itself becomes.
    """

    here: _Here
    row: Row
    head: Path
    repetition: Repetition
    certain: bool
    root: _Thing

    def parts(self, rows: list[Row], place: Place) -> Iterator[Expectation]:
        """Return what a data type map expects of the components."""
        for row in rows:
            found = _PART.fullmatch(row.source)
            if found is None or row.constant.startswith(('"', "/")):
                continue
            sure = holds(row.condition, self._read)
            if sure is False:
                continue
            component = int(found[1])
            inner = self.here.guide.datatypes.get(plain(row.datatype))
            at = place.below(row.target)
            name = f"{self.row.name}, {row.name}"
            words = row.vocabulary or self.row.vocabulary
            certain = self.certain and sure is True and not row.constant
            this = replace(self, certain=certain)
            if inner:
                yield from this.subparts(inner, at, component, (words, name))
            else:
                yield from this.leaf(at, component, words, name)

    def subparts(
        self, rows: list[Row], place: Place, component: int, outer: tuple[str, str]
    ) -> Iterator[Expectation]:
        """Return what a data type map inside another expects of the subcomponents."""
        values = self.repetition.sub(component)

        def read(path: str) -> list[str]:
            part = int(path.rpartition(".")[2].rpartition("-")[2])
            return values[part - 1 : part]

        for row in rows:
            found = _PART.fullmatch(row.source)
            sure = holds(row.condition, read)
            if found is None or sure is False or row.constant.startswith(('"', "/")):
                continue
            part = int(found[1])
            if part <= len(values) and values[part - 1]:
                certain = self.certain and sure is True and not row.constant
                this = replace(self, certain=certain)
                label = row.vocabulary or outer[0], f"{outer[1]}, {row.name}"
                place_ = place.below(row.target)
                yield this.expect(values[part - 1], place_, (component, part), label)

    def leaf(
        self, place: Place, component: int, vocabulary: str, name: str
    ) -> Iterator[Expectation]:
        """Return what is expected of one component."""
        value = self.repetition.text(component)
        code = _code_of(place, component)
        this = self
        if code and not self.repetition.text(code):
            this = replace(self, certain=False)
        if value:
            yield this.expect(value, place, (component, 0), (vocabulary, name))

    def expect(
        self, value: str, place: Place, at: tuple[int, int], row: tuple[str, str]
    ) -> Expectation:
        """Return one expectation; ``row`` is its vocabulary map and its name."""
        head = self.head
        path = Path(head.segment, head.occurrence, head.field, head.repetition, *at)
        codes = self.here.guide.images(row[0], value)
        return Expectation(
            str(short(path)),
            value,
            place,
            row[1],
            self._unit(place.kind),
            frozenset(codes),
            self.certain,
        )

    def _unit(self, kind: str) -> tuple[int, str, str]:
        """Name what a value belongs to; ``location[1]`` is one thing for all fields."""
        if kind == self.root.kind:
            return self.root.position, kind, ""
        named = _NAMED.match(self.row.target)
        name = named[0] if named else str(self.head.field)
        return self.here.node.position, kind, f"{name} {self.head.repetition}"

    def _read(self, path: str) -> list[str]:
        """Return a component of this repetition, ``XTN.3`` or ``HD-3``."""
        numbers = re.findall(r"\d+", path)
        return (
            [self.repetition.text(int(numbers[0]))]
            if numbers
            else [self.repetition.raw]
        )
