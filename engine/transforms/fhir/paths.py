"""Write paths into resources: ``Patient.name[0].family``, checked against R4.

Spec:
    channel-format.md 6, FHIR path (write form).
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from engine.transforms.fhir.bindings import REQUIRED
from engine.transforms.fhir.definitions import elements
from engine.transforms.fhir.mapped import Element as Json

APPEND: Final = -1
"""The position written ``[+]``."""

_STEP: Final = re.compile(
    r"\.(?P<name>[A-Za-z]+)"
    r"(?:\[(?:(?P<index>\d{1,3})|(?P<append>\+)|\"(?P<url>[^\"\]]+)\""
    r"|(?P<child>[A-Za-z]+)=\"(?P<value>[^\"\]]*)\")\])?"
)
_TYPE: Final = re.compile(r"[A-Z][A-Za-z]+")


@dataclass(frozen=True, slots=True)
class PathStep:
    """One element on the way; of a repeating one, which.

    ``position`` counts from 0 and may be `APPEND`. With ``child`` the item is found, or
    made, by that child's value.
    """

    name: str
    repeats: bool
    position: int = 0
    child: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class FhirPath:
    """A place in a resource; ``leaf`` is the R4 type of what stands there.

    ``codes`` are the only ones a required binding allows there, none for any text.
    """

    type: str
    steps: tuple[PathStep, ...]
    leaf: str
    codes: frozenset[str] = frozenset()

    @property
    def names(self) -> str:
        """The path without what tells items apart, as ``Patient.name.family``."""
        return ".".join((self.type, *(step.name for step in self.steps)))


@dataclass(frozen=True, slots=True)
class PathFault:
    """What is wrong with a path, where in its text, and what to write."""

    offset: int
    sentence: str
    hint: str = ""


def parse_fhir_path(text: str) -> FhirPath | PathFault:
    """Return the path that ``text`` writes, or what is wrong with it.

    Examples:
        >>> parse_fhir_path("Patient.brithDate").hint
        'did you mean birthDate?'
    """
    found = _TYPE.match(text)
    if found is None or not elements(found[0]):
        name = text.split(".", 1)[0]
        return PathFault(0, f"{name!r} is not an R4 resource known to the map")
    kind, end = found[0], found.end()
    codes: frozenset[str] = frozenset()
    steps: list[PathStep] = []
    while end < len(text):
        part = _STEP.match(text, end)
        if part is None:
            return PathFault(
                end, f"{text[end:]!r} is not an element", "write .element or [n]"
            )
        known = elements(kind).get(part["name"])
        if known is None:
            return _unknown(text[: part.start()], kind, part["name"], part.start() + 1)
        codes = REQUIRED.get(f"{kind}.{part['name']}", frozenset())
        repeats, kind = known
        if not repeats and part["name"] + "[" in part[0]:
            sentence = f"{part['name']} does not repeat"
            return PathFault(part.start() + 1, sentence, f"write .{part['name']}")
        steps.append(_step(part, repeats=repeats))
        end = part.end()
    return FhirPath(found[0], tuple(steps), kind, codes)


def _unknown(above: str, kind: str, name: str, offset: int) -> PathFault:
    near = get_close_matches(name, elements(kind), 1)
    hint = f"did you mean {near[0]}?" if near else ""
    if above == name:
        hint = f"begin below {name}: the row names the resource already"
    return PathFault(offset, f"{above}.{name} is not an R4 element", hint)


def _step(part: re.Match[str], *, repeats: bool) -> PathStep:
    if part["append"]:
        return PathStep(part["name"], repeats, APPEND)
    if part["url"]:
        return PathStep(part["name"], repeats, 0, "url", part["url"])
    if part["child"]:
        return PathStep(part["name"], repeats, 0, part["child"], part["value"])
    return PathStep(part["name"], repeats, int(part["index"] or 0))


def write(resource: Json, path: FhirPath, value: object, *, append: bool) -> None:
    """Put a JSON value at a path, making what is missing on the way."""
    node = resource
    for step in path.steps[:-1]:
        node = _enter(node, step)
    last = path.steps[-1]
    if not last.repeats:
        node[last.name] = value
        return
    items = _items(node, last.name)
    if append or last.position == APPEND:
        items.append(value)
    elif last.position < len(items):
        items[last.position] = value
    else:
        items.append(value)


def remove(resource: Json, path: FhirPath) -> None:
    """Take out what stands at a path; empty containers above it go too."""
    _remove(resource, path.steps)


def _enter(node: Json, step: PathStep) -> Json:
    if not step.repeats:
        found = node.setdefault(step.name, {})
        assert isinstance(found, dict)
        return found
    items = _items(node, step.name)
    if step.child:
        for item in items:
            if isinstance(item, dict) and item.get(step.child) == step.value:
                return item
        made: Json = {step.child: step.value}
        items.append(made)
        return made
    if step.position == APPEND or step.position >= len(items):
        made = {}
        items.append(made)
        return made
    chosen = items[step.position]
    assert isinstance(chosen, dict)
    return chosen


def _items(node: Json, name: str) -> list[object]:
    found = node.setdefault(name, [])
    assert isinstance(found, list)
    return found


def _remove(node: Json, steps: tuple[PathStep, ...]) -> None:
    step, rest = steps[0], steps[1:]
    found = node.get(step.name)
    if found is None:
        return
    if not step.repeats or (not rest and not step.child and not step.position):
        _remove_single(node, step, rest)
        return
    assert isinstance(found, list)
    for item in [each for each in found if _is_meant(each, step, found)]:
        if rest:
            _remove(item, rest)
        if not rest or not item:
            found.remove(item)
    if not found:
        del node[step.name]


def _remove_single(node: Json, step: PathStep, rest: tuple[PathStep, ...]) -> None:
    found = node[step.name]
    if rest and isinstance(found, dict):
        _remove(found, rest)
        if found:
            return
    del node[step.name]


def _is_meant(item: object, step: PathStep, items: list[object]) -> bool:
    if step.child:
        return isinstance(item, dict) and item.get(step.child) == step.value
    return step.position < len(items) and items[step.position] is item


def read(resource: Json, path: FhirPath) -> object:
    """Return what stands at a path, None when there is nothing."""
    node: object = resource
    for step in path.steps:
        if not isinstance(node, dict) or step.name not in node:
            return None
        node = node[step.name]
        if step.repeats and isinstance(node, list):
            meant = [item for item in node if _is_meant(item, step, node)]
            node = meant[0] if meant else None
    return node


def locate(resource: Json, path: FhirPath) -> str | None:
    """Return the place a path means, numbered, such as ``name[0].family``.

    None when the resource has nothing there.
    """
    node: object = resource
    place = ""
    for step in path.steps:
        if not isinstance(node, dict) or step.name not in node:
            return None
        node = node[step.name]
        place += f".{step.name}"
        if step.repeats and isinstance(node, list):
            meant = [at for at, each in enumerate(node) if _is_meant(each, step, node)]
            if not meant:
                return None
            node = node[meant[0]]
            place += f"[{meant[0]}]"
    return place[1:]
