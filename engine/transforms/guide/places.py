"""Where the guide's targets are in a Bundle: resource type and path without numbers."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from engine.transforms.fhir.definitions import RESOURCES, elements
from engine.transforms.guide.choices import corrected

_NUMBERS: Final = re.compile(r"\[[^\]]*\]|\s|:[\w-]+|=.*$")
_TYPE: Final = re.compile(r"[A-Z]\w*")


class Place(NamedTuple):
    """A resource type and a path below it, such as ``name.family``; ``""`` is all."""

    kind: str
    path: str

    def below(self, target: str) -> "Place":
        """Return where a target of a table leads from here.

        ``participant.individual(Practitioner)`` leads to another resource,
        ``note(Annotation.text)`` to a part of the same.
        """
        place = self
        for part in _parts(target):
            head, _, rest = part.partition(".")
            if head in RESOURCES:
                place = Place(head, rest)
            elif _TYPE.fullmatch(head):
                place = Place(place.kind, _joined(place.path, rest))
            else:
                place = Place(place.kind, _joined(place.path, part))
            place = place.followed()
        return place

    def followed(self) -> "Place":
        """Return where a path leads that goes on behind a reference."""
        kind, names = self.kind, self.path.split(".")
        for number, name in enumerate(names[:-1], 1):
            known = elements(kind).get(name)
            if known is None:
                return self
            target = name[0].upper() + name[1:]
            if known.type == "Reference" and target in RESOURCES:
                return Place(target, ".".join(names[number:])).followed()
            kind = known.type
        return self

    @property
    def is_single(self) -> bool:
        """Whether a resource has this element at most once."""
        kind = self.kind
        for name in self.path.split("."):
            known = elements(kind).get(name)
            if known is None or known.repeats:
                return False
            kind = known.type
        return True

    @property
    def text(self) -> str:
        """The place as FHIRPath people write it."""
        return f"{self.kind}.{self.path}" if self.path else self.kind


def _parts(target: str) -> Iterator[str]:
    """Return the pieces of a target: each bracket opens another one."""
    plain = corrected(_NUMBERS.sub("", target).replace(")", ""))
    for part in plain.split("("):
        first = part.split("|")[0].strip(".")
        if first and not first.startswith(("$", "/")):
            yield first


def _joined(above: str, below: str) -> str:
    """Return two paths as one; a part that both name stands once."""
    if not above or not below:
        return above or below
    last, first = above.rpartition(".")[2], below.partition(".")[0]
    if last == first or below.startswith("reference"):
        return above + below[len(first) :]
    return f"{above}.{below}"
