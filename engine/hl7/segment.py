"""One segment and the repetitions of its fields, split and decoded when asked."""

from engine.errors import TransformError
from engine.hl7.delimiters import Delimiters
from engine.hl7.escapes import decode

NULL = '""'
"""What HL7 v2 writes for "remove the value"."""

HEADERS = frozenset({"MSH", "FHS", "BHS"})
"""Segments whose first field is the separator itself."""


class Repetition:
    """One repetition of one field; components count from 1."""

    __slots__ = ("_codec", "_components", "_delimiters", "raw")

    def __init__(self, raw: str, delimiters: Delimiters, codec: str) -> None:
        self.raw = raw
        self._delimiters = delimiters
        self._codec = codec
        mark = delimiters.component
        self._components = raw.split(mark) if mark else [raw]

    @property
    def component_count(self) -> int:
        """How many components were sent, trailing empty ones included."""
        return len(self._components)

    def text(self, component: int = 1, subcomponent: int = 1) -> str:
        """Return the decoded leaf; ``""`` when it is missing or HL7 null."""
        components = self._components
        if component > len(components):
            return ""
        leaf = components[component - 1]
        if subcomponent == 1 and leaf.isalnum():  # no delimiter is alphanumeric
            return leaf
        if not leaf:
            return ""
        mark = self._delimiters.subcomponent
        if mark and mark in leaf:
            leaves = leaf.split(mark)
            leaf = leaves[subcomponent - 1] if subcomponent <= len(leaves) else ""
        elif subcomponent > 1:
            return ""
        return self._decoded(leaf)

    def texts(self, count: int) -> list[str]:
        """Return the first leaf of components 1 to ``count``; absent ones ``""``."""
        mark, escape = self._delimiters.subcomponent, self._delimiters.escape
        found = self._components[:count]
        for index, leaf in enumerate(found):
            if leaf == NULL or (mark and mark in leaf) or (escape and escape in leaf):
                found[index] = self.text(index + 1)
        return found + [""] * (count - len(found))

    def strings(self, count: int) -> list[str]:
        """Return components 1 to ``count`` as text; absent ones ``""``.

        They have no subcomponents: an ``&`` sent bare is part of what they say.
        """
        escape = self._delimiters.escape
        found = self._components[:count]
        for index, leaf in enumerate(found):
            if leaf == NULL or (escape and escape in leaf):
                found[index] = self._decoded(leaf)
        return found + [""] * (count - len(found))

    def sub(self, component: int) -> list[str]:
        """Return the decoded subcomponents of one component; ``[]`` when absent."""
        if component > len(self._components):
            return []
        leaf = self._components[component - 1]
        if not leaf or leaf == NULL:
            return []
        mark, escape = self._delimiters.subcomponent, self._delimiters.escape
        leaves = leaf.split(mark) if mark and mark in leaf else [leaf]
        if (escape and escape in leaf) or NULL in leaf:
            return [self._decoded(part) for part in leaves]
        return leaves

    def is_null(self, component: int = 0) -> bool:
        """Whether the repetition, or one component of it, is HL7 null."""
        if component == 0:
            return self.raw == NULL
        return self._components[component - 1 : component] == [NULL]

    def _decoded(self, leaf: str) -> str:
        if leaf == NULL:
            return ""
        escape = self._delimiters.escape
        if escape and escape in leaf:
            return decode(leaf, self._delimiters, self._codec)
        return leaf


class Segment:
    """One segment; fields count from 1 as in the standard, MSH-1 included."""

    __slots__ = ("_codec", "_fields", "_split", "_text", "delimiters", "id", "touched")

    def __init__(self, text: str, delimiters: Delimiters, codec: str) -> None:
        mark = delimiters.field
        self.id = text[:3] if text[3:4] == mark else text.split(mark, 1)[0]
        self.delimiters = delimiters
        self.touched = False
        self._codec = codec
        self._text = text
        self._fields: list[str] | None = None
        self._split: dict[int, list[Repetition]] | None = None

    @property
    def encoded(self) -> str:
        """The segment as it is written, without its terminator."""
        if not self.touched:
            return self._text
        fields, mark = self._all(), self.delimiters.field
        if self.id in HEADERS:
            return self.id + mark + mark.join(fields[2:])
        return mark.join(fields)

    @property
    def codec(self) -> str:
        """Python's name of the charset that bytes written as escapes are read in."""
        return self._codec

    @property
    def field_count(self) -> int:
        """Number of the last field sent."""
        return len(self._all()) - 1

    def populated(self) -> list[int]:
        """Return the numbers of the fields that carry anything, null included."""
        return [number for number, raw in enumerate(self._all()) if number and raw]

    def encoded_fields(self) -> list[str]:
        """Return the encoded text of every field, the segment id at 0; read only."""
        return self._fields or self._all()

    def raw(self, field: int) -> str:
        """Return the encoded text of a field, ``""`` when it was not sent."""
        fields = self._fields or self._all()
        return fields[field] if field < len(fields) else ""

    def repetitions(self, field: int) -> list[Repetition]:
        """Return the repetitions that carry a value: neither empty nor HL7 null."""
        if not self.raw(field):
            return []
        return [
            found for found in self.positions(field) if found.raw and found.raw != NULL
        ]

    def first(self, field: int) -> Repetition | None:
        """Return the first repetition that carries a value."""
        return next(iter(self.repetitions(field)), None)

    def text(
        self, field: int, component: int = 1, subcomponent: int = 1, repetition: int = 1
    ) -> str:
        """Return one decoded leaf; ``""`` when it is missing or HL7 null."""
        fields = self._fields or self._all()
        if field >= len(fields) or not (leaf := fields[field]):
            return ""
        if leaf.isalnum() or (field <= 2 and self.id in HEADERS):  # noqa: PLR2004 - MSH-1 and MSH-2
            return leaf if component == subcomponent == repetition == 1 else ""
        marks = self.delimiters
        if repetition > 1 or marks.repetition in leaf:
            leaf = _part(leaf, marks.repetition, repetition)
        if component > 1 or marks.component in leaf:
            leaf = _part(leaf, marks.component, component)
        if subcomponent > 1 or marks.subcomponent in leaf:
            leaf = _part(leaf, marks.subcomponent, subcomponent)
        if leaf == NULL:
            return ""
        if marks.escape and marks.escape in leaf:
            return decode(leaf, marks, self._codec)
        return leaf

    def is_null(self, field: int, component: int = 0) -> bool:
        """Whether a field, or a component of its first repetition, is HL7 null."""
        raw = self.raw(field)
        if not raw or component == 0:
            return raw == NULL
        return self.positions(field)[0].is_null(component)

    def positions(self, field: int) -> list[Repetition]:
        """Return every repetition as sent, empty and null ones in their places."""
        if self._split is None:
            self._split = {}
        known = self._split.get(field)
        if known is None:
            raw, mark = self.raw(field), self.delimiters.repetition
            if field <= 2 and self.id in HEADERS:  # noqa: PLR2004 - MSH-1 and MSH-2
                plain = Delimiters(self.delimiters.field)
                known = [Repetition(raw, plain, self._codec)]
            else:
                parts = raw.split(mark) if mark and mark in raw else [raw]
                known = [
                    Repetition(part, self.delimiters, self._codec) for part in parts
                ]
            self._split[field] = known
        return known

    def put(self, field: int, raw: str, *place: int) -> None:
        """Write encoded text at ``field`` and below it, replacing what is there.

        Args:
            field: number of the field; missing ones before it become empty.
            raw: encoded text; the caller escapes it.
            place: repetition, component and subcomponent; those left out mean the whole
                of the level above.

        Raises:
            TransformError: the field is the id or names the delimiters, or the message
                defines no delimiter for the place.
        """
        if field < (3 if self.id in HEADERS else 1):
            raise TransformError(
                f"{self.id}-{field} cannot be written", code="unrepresentable"
            )
        fields = self._all()
        fields.extend([""] * (field + 1 - len(fields)))
        marks = (
            self.delimiters.repetition,
            self.delimiters.component,
            self.delimiters.subcomponent,
        )
        fields[field] = _replaced(fields[field], raw, place, marks)
        self._split = None
        self.touched = True

    def rewrite(self, encoded: str) -> None:
        """Replace the whole segment by another encoding of the same kind."""
        self._text = encoded
        self._fields = self._split = None
        self.touched = True

    def copy(self) -> "Segment":
        """Return an independent segment with the same content."""
        twin = Segment(self.encoded, self.delimiters, self._codec)
        twin.touched = False
        return twin

    def _all(self) -> list[str]:
        if self._fields is None:
            mark = self.delimiters.field
            self._fields = self._text.split(mark)
            if self.id in HEADERS:
                self._fields.insert(1, mark)
        return self._fields


def _part(text: str, mark: str, number: int) -> str:
    if mark and mark in text:
        parts = text.split(mark, number)
        return parts[number - 1] if number <= len(parts) else ""
    return text if number == 1 else ""


def _replaced(
    old: str, new: str, place: tuple[int, ...], marks: tuple[str, ...]
) -> str:
    """Return ``old`` with the part at ``place`` exchanged for ``new``."""
    if not place:
        return new
    mark, number = marks[0], place[0]
    if not mark and number > 1:
        raise TransformError(
            "MSH-2 defines no delimiter for a part that has to be written",
            code="unrepresentable",
        )
    parts = old.split(mark) if mark else [old]
    parts.extend([""] * (number - len(parts)))
    parts[number - 1] = _replaced(parts[number - 1], new, place[1:], marks[1:])
    return mark.join(parts)
