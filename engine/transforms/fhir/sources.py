"""Where each value of the resources comes from, found by asking the map again.

The map keeps no record of what it reads, so a trace costs nothing until somebody asks.
Then each part of the message is changed, one at a time, and the message is mapped
again: what is different afterwards came from that part. What no part changes is a
constant, a setting, or what the trigger event implies.

Spec:
    fhir.md section 8; architecture.md 4, a traced view is recomputed.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from engine.errors import EngineError
from engine.hl7 import Message, Path
from engine.hl7.segment import NULL
from engine.transforms.fhir.mapped import Element, Entry, Mapped
from engine.transforms.fhir.plan import PLANS

Make: TypeAlias = Callable[[Message], Mapped | None]
"""From a message to its resources; None where it makes none."""
Leaves: TypeAlias = dict[str, str]
"""The values of one resource by their place, such as ``name[0].family``."""
Spot: TypeAlias = tuple[int, str]
"""One value: the number of its entry, from 0, and its place in the resource."""

_EVENT: Final = ("MSH", 9, 2)
_YEAR: Final = 4
_DATE_DIGITS: Final = 8
_FIELD: Final = re.compile(r"[^-]+-\d+")


@dataclass(frozen=True, slots=True)
class Source:
    """One part of the message; ``value`` is patient data, ``reach`` what it decides.

    ``reach`` counts the values of all resources that change with it: a name changes
    one, a patient number the keys of everything.
    """

    path: str
    value: str
    reach: int

    @property
    def field(self) -> str:
        """The field the part is in: ``OBX[2]-5`` of ``OBX[2]-5[1].1``."""
        return _FIELD.match(self.path)[0]  # type: ignore[index]


@dataclass(frozen=True, slots=True)
class Traced:
    """The resources of a message and where their values come from."""

    mapped: Mapped
    leaves: Sequence[Leaves]
    origins: Mapping[Spot, Sequence[Source]] = field(repr=False)

    def of(self, spot: Spot) -> list[Source]:
        """Return the sources of one value: what it repeats, then the most specific."""
        value = self.leaves[spot[0]][spot[1]]
        return sorted(
            self.origins.get(spot, ()),
            key=lambda source: (source.value not in value, source.reach),
        )

    def differing(self, other: Mapped) -> set[Spot]:
        """Return the values that other resources do not have, or have otherwise."""
        found: set[Spot] = set()
        pairs = zip(
            self.leaves, _aligned(self.mapped.entries, other.entries), strict=True
        )
        for number, (leaves, like) in enumerate(pairs):
            now = leaves_of(like.resource) if like is not None else {}
            found |= {
                (number, place)
                for place, value in leaves.items()
                if now.get(place) != value
            }
        return found


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf of the message, by the position of its segment."""

    segment: int
    path: Path
    value: str

    def write(self, message: Message, value: str) -> None:
        """Put another value here."""
        path = self.path
        place = (path.repetition, path.component, path.subcomponent)
        message.segments[self.segment].put(path.field, value, *place)


def trace(
    message: Message,
    make: Make,
    wanted: "Callable[[Traced], Iterable[Spot]] | None" = None,
) -> Traced | None:
    """Return where each value of a message's resources comes from.

    Each value is first exchanged for another of its shape. What this does not explain,
    for two parts say the same, is looked for by exchanging those together, then by
    clearing parts, and at last by another trigger event.

    Args:
        message: as received, or as edited.
        make: the rest of the way; called once for each part of the message.
        wanted: the values that are asked for, all without it; the less, the sooner.

    Returns:
        None where the message makes no resources.
    """
    mapped = _attempt(make, message)
    if mapped is None:
        return None
    search = _Search(message, make, mapped)
    if wanted is not None:
        search.open = set(wanted(search.traced))
    parts = list(parts_of(message))
    for part in parts:
        search.ask([(part, another(part.value))])
    for alike in _alike(parts):
        search.ask([(part, another(part.value)) for part in alike], only_open=True)
    for part in parts:
        search.ask([(part, "")], only_open=True)
    for part in filter(_is_event, parts):
        for event in _events_beside(message):
            search.ask([(part, event)], only_open=True)
    return search.traced


class _Search:
    """What is known so far; ``open`` are the values nothing explains yet."""

    def __init__(self, message: Message, make: Make, mapped: Mapped) -> None:
        self._message = message
        self._make = make
        self._origins: dict[Spot, list[Source]] = {}
        leaves = [leaves_of(entry.resource) for entry in mapped.entries]
        self.traced = Traced(mapped, leaves, self._origins)
        self.open = {
            (number, place) for number, each in enumerate(leaves) for place in each
        }

    def ask(
        self, changes: Sequence[tuple[Part, str]], *, only_open: bool = False
    ) -> None:
        """Change parts together and note what is different."""
        if only_open and not self.open:
            return
        twin = self._message.copy()
        for part, value in changes:
            part.write(twin, value)
        made = _attempt(self._make, twin)
        if made is None:
            return
        changed = self.traced.differing(made)
        explained = changed & self.open if only_open else changed
        for part, _ in changes:
            source = Source(str(short(part.path)), part.value, len(changed))
            for spot in explained:
                self._origins.setdefault(spot, []).append(source)
        self.open -= explained


def _alike(parts: Sequence[Part]) -> list[list[Part]]:
    """Return the parts that may stand for each other: of a repetition, of one value."""
    found: dict[object, list[Part]] = {}
    for part in parts:
        place = part.segment, part.path.field, part.path.repetition
        found.setdefault(place, []).append(part)
        found.setdefault(part.value, []).append(part)
    return [alike for alike in found.values() if len(alike) > 1]


def leaves_of(resource: Element) -> Leaves:
    """Return the values of a resource by place, without what names its type."""
    found: Leaves = {}
    _gather(resource, "", found)
    found.pop("resourceType", None)
    return found


def _gather(value: object, place: str, found: Leaves) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _gather(inner, f"{place}.{name}" if place else name, found)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _gather(inner, f"{place}[{index}]", found)
    else:
        found[place] = str(value).lower() if isinstance(value, bool) else str(value)


def _aligned(
    entries: Sequence[Entry], others: Sequence[Entry]
) -> Iterator[Entry | None]:
    """Return for each entry its like among others: by URL, else by type and segment."""
    urls = {each.full_url for each in entries}
    by_url = {each.full_url: each for each in others}
    spare: dict[tuple[str, int], list[Entry]] = {}
    for each in others:
        if each.full_url not in urls:
            spare.setdefault((each.kind, each.segment), []).append(each)
    for entry in entries:
        found = by_url.get(entry.full_url)
        if found is None and (like := spare.get((entry.kind, entry.segment))):
            found = like.pop(0)
        yield found


def parts_of(message: Message) -> Iterator[Part]:
    """Return every leaf of a message that carries a value."""
    numbers: dict[str, int] = {}
    for position, segment in enumerate(message.segments):
        number = numbers[segment.id] = numbers.get(segment.id, 0) + 1
        marks = message.delimiters
        for field_number in segment.populated():
            if segment.id == "MSH" and field_number <= 2:  # noqa: PLR2004 - delimiters
                continue
            for place, raw in _split(
                segment.raw(field_number),
                (marks.repetition, marks.component, marks.subcomponent),
            ):
                if raw != NULL:
                    path = Path(segment.id, number, field_number, *place)
                    yield Part(position, path, raw)


def _split(raw: str, marks: tuple[str, ...]) -> Iterator[tuple[tuple[int, ...], str]]:
    """Return the leaves below encoded text with their numbers on each level."""
    if not marks:
        if raw:
            yield (), raw
        return
    pieces = raw.split(marks[0]) if marks[0] else [raw]
    for number, piece in enumerate(pieces, 1):
        for below, leaf in _split(piece, marks[1:]):
            yield (number, *below), leaf


def short(path: Path) -> Path:
    """Return a path as people write it, without numbers that go without saying."""
    sub = path.subcomponent if path.subcomponent > 1 else 0
    return Path(
        path.segment,
        path.occurrence if path.occurrence > 1 else 0,
        path.field,
        path.repetition if path.repetition > 1 else 0,
        path.component,
        sub,
    )


def field_path(path: Path) -> str:
    """Return the path of the field something is in, as the losses write it."""
    return str(short(Path(path.segment, path.occurrence, path.field)))


def another(value: str) -> str:
    """Return another value of the same shape: a date stays a date.

    Examples:
        >>> another("20240229"), another("Doe^7")
        ('20280229', 'Epf^8')
    """
    digits = value[:_DATE_DIGITS]
    if len(digits) >= _YEAR and digits.isdecimal() and value[:2] in ("19", "20"):
        step = 4 if value[4:8] == "0229" else 1
        return value[:3] + str((int(value[3]) + step) % 10) + value[4:]
    return "".join(map(_next, value))


def _next(letter: str) -> str:
    if letter.isdigit():
        return str((int(letter) + 1) % 10) if letter.isascii() else "0"
    if letter.isascii() and letter.isalpha():
        first = "A" if letter.isupper() else "a"
        return chr((ord(letter) - ord(first) + 1) % 26 + ord(first))
    return letter if letter.isascii() else "x"


def _is_event(part: Part) -> bool:
    path = part.path
    return (path.segment, path.field, path.component) == _EVENT


def _events_beside(message: Message) -> list[str]:
    """Return the other events of the message's type."""
    kind, _, own = f"{message.message_type}^{message.trigger_event}".partition("^")
    names = (name.partition("^") for name in PLANS)
    return [event for type_, _, event in names if type_ == kind and event != own]


def _attempt(make: Make, message: Message) -> Mapped | None:
    """Map a message that may have become impossible; that explains nothing."""
    try:
        return make(message)
    except EngineError:
        return None
