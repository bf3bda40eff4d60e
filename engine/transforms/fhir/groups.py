"""Segments as a tree: what belongs to what, however disordered the message is."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, TypeAlias

from engine.hl7 import Message, Repetition, Segment
from engine.hl7.segment import NULL

Memory: TypeAlias = dict[str, list[Repetition]]
"""Fields of a feed by their encoded text, split once for all messages."""

_MOST: Final = 4096
_LONG: Final = 512
"""Characters from which on a field is a document; documents do not come again."""

_NOTHING: Final = ("", NULL)


class Node:
    """One segment in its group, read with intent.

    Whatever is read through a node is marked as taken; what is left untaken at the end
    is listed as lost. ``number`` counts the segments of one kind from 1. ``carrying``
    are the fields that may carry something, as ``taken`` has them; -1 means any.
    """

    __slots__ = ("_count", "_fields", "_memory", "carrying", "children", "id", "number",
                 "parent", "position", "segment", "taken")  # fmt: skip

    watched: ClassVar[bool] = False
    """Whether somebody wants to see each field read, not remembered."""

    def __init__(
        self, segment: Segment, position: int, number: int, memory: Memory
    ) -> None:
        self.id = segment.id
        self.segment = segment
        self.position = position
        self.number = number
        self.taken = 0
        self.carrying = -1
        self.parent: Node | None = None
        self.children: list[Node] = []
        self._fields = segment.encoded_fields()
        self._count = len(self._fields)
        self._memory = memory

    def text(self, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """Return one decoded leaf of the first repetition, and take the field."""
        self.taken |= 1 << field
        fields = self._fields
        if field >= self._count:
            return ""
        raw = fields[field]
        if raw.isalnum():
            return raw if component == subcomponent == 1 else ""
        if not raw:
            return ""
        return self.segment.text(field, component, subcomponent)

    def first(self, field: int) -> Repetition | None:
        """Return the first repetition that carries a value, and take the field."""
        found = self.all(field)
        return found[0] if found else None

    def all(self, field: int) -> list[Repetition]:
        """Return the repetitions that carry a value, and take the field."""
        self.taken |= 1 << field
        fields = self._fields
        if field >= self._count or not (raw := fields[field]):
            return []
        found = self._memory.get(raw)
        if found is None:
            found = self.segment.repetitions(field)
            if len(raw) < _LONG:
                if len(self._memory) >= _MOST:
                    self._memory.clear()
                self._memory[raw] = found
        return found

    def has(self, field: int) -> bool:
        """Whether a field carries a value; asking does not take it."""
        return field < self._count and self._fields[field] not in _NOTHING

    def reaches(self, field: int) -> bool:
        """Whether the segment was sent as far as this field."""
        return field < self._count

    def words(self, apart: tuple[int, ...]) -> str:
        """Return the text of the segment without some fields, to know it again by."""
        fields = self._fields
        if apart:
            fields = fields.copy()
            for field in apart:
                if field < self._count:
                    fields[field] = ""
        return "\r".join(fields)

    def untaken(self) -> list[int]:
        """Return the numbers of the populated fields that nobody read."""
        found: list[int] = []
        left = self.carrying & ~self.taken & (1 << self._count) - 2
        while left:
            number = (left & -left).bit_length() - 1
            if self._fields[number]:
                found.append(number)
            left &= left - 1
        return found

    def populated(self, apart: tuple[int, ...]) -> int:
        """Return the fields that carry something, and some that may, as bits."""
        bits = sum(1 << number for number, raw in enumerate(self._fields) if raw)
        for field in apart:
            bits |= 1 << field
        return bits

    def take(self, *fields: int) -> None:
        """Mark fields as used whose content the structure itself carries."""
        for field in fields:
            self.taken |= 1 << field

    def leave(self, field: int) -> None:
        """Take a field back: it was looked at, but nothing came of it."""
        self.taken &= ~(1 << field)

    def path(self, field: int = 0, component: int = 0) -> str:
        """Return the path of a field, such as ``OBX[2]-5.1``."""
        head = self.id if self.number == 1 else f"{self.id}[{self.number}]"
        tail = f".{component}" if component else ""
        return f"{head}-{field}{tail}" if field else head

    def child(self, segment_id: str) -> "Node | None":
        """Return the first segment of one kind below this one."""
        for child in self.children:
            if child.id == segment_id:
                return child
        return None

    def all_below(self, segment_id: str) -> list["Node"]:
        """Return the segments of one kind directly below this one."""
        return [child for child in self.children if child.id == segment_id]

    def above(self, segment_id: str) -> "Node | None":
        """Return the nearest segment of one kind that this one belongs to."""
        node = self.parent
        while node is not None and node.id != segment_id:
            node = node.parent
        return node


class Tree:
    """All segments of a message, in order and in groups."""

    __slots__ = ("_kinds", "nodes", "roots")

    def __init__(
        self, nodes: list[Node], roots: list[Node], kinds: Mapping[str, list[Node]]
    ) -> None:
        self.nodes = nodes
        self.roots = roots
        self._kinds = kinds

    def first(self, segment_id: str) -> Node | None:
        """Return the first segment of one kind, wherever it stands."""
        found = self._kinds.get(segment_id)
        return found[0] if found else None

    def each(self, segment_id: str) -> Sequence[Node]:
        """Return every segment of one kind in message order."""
        return self._kinds.get(segment_id, ())


def grow(
    message: Message,
    parents: Mapping[str, tuple[str, ...]],
    memory: Memory,
    make: type[Node] = Node,
) -> Tree:
    """Return the segments of a message, each below the segment it belongs to.

    A segment goes to the nearest open one among the parents its kind may have. A kind
    without parents starts anew at the top; one whose parents are not open stands at the
    top too, so nothing is dropped for being in the wrong place.

    Args:
        message: any message.
        parents: for each segment id the ids it may stand below; ``("*",)`` means
            whatever came before it.
        memory: what the feed remembers of fields with the same text.
        make: the class of the nodes; another one watches who reads them.
    """
    nodes: list[Node] = []
    roots: list[Node] = []
    kinds: dict[str, list[Node]] = {}
    last: Node | None = None
    for position, segment in enumerate(message.segments):
        segment_id = segment.id
        same = kinds.setdefault(segment_id, [])
        node = make(segment, position, len(same) + 1, memory)
        same.append(node)
        nodes.append(node)
        wanted = parents.get(segment_id, ())
        owner = _owner(last, wanted, segment_id) if last else None
        if owner is None:
            roots.append(node)
        else:
            node.parent = owner
            owner.children.append(node)
        if not wanted or wanted[0] != "*":
            last = node
    return Tree(nodes, roots, kinds)


def _owner(last: Node, wanted: tuple[str, ...], segment_id: str) -> Node | None:
    """Return the open segment nearest to the last one that may hold another kind."""
    if wanted == ("*",):
        return last
    node: Node | None = last
    while node is not None:
        if node.id in wanted and not (
            segment_id in ONCE and node.child(segment_id) is not None
        ):
            return node
        node = node.parent
    return None


ONCE: Final = frozenset({"OBR", "RXO", "RXE", "PV2", "PD1"})
"""Kinds that stand once below their parent; a second one begins a group of its own."""
