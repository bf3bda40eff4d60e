"""The output gate's own checks of a Bundle: what no general validator looks for.

R4 exactly: every resource and element is one of 4.0.1, a list where R4 has a list.
Codes of required bindings are members; references resolve; systems are absolute URIs;
nothing is empty.

Spec:
    fhir.md section 9, number 4.
"""

from dataclasses import dataclass, field
from typing import Final

from engine.hl7.conformance import Finding
from engine.hl7.segment import NULL
from engine.transforms.fhir.bindings import REQUIRED
from engine.transforms.fhir.definitions import RESOURCES, elements
from engine.transforms.fhir.definitions import Element as Known
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.systems import is_absolute

_EMPTY: Final[tuple[object, ...]] = ("", NULL, [], {})
_PRIMITIVE_EXTRAS: Final = frozenset(("id", "extension"))


def check(bundle: Element) -> list[Finding]:
    """Return what is wrong with a Bundle of ours; an empty list is the gate's yes.

    Paths have no numbers, so that like findings count as one; no finding has a value.

    Args:
        bundle: as `transaction`, `message_bundle` or `collection` made it.
    """
    entries = bundle.get("entry")
    rows = entries if isinstance(entries, list) else []
    urls = [str(row["fullUrl"]) for row in rows]
    gate = _Gate(frozenset(urls))
    if len(set(urls)) != len(urls):
        gate.find("full_url_twice", "", "two entries share a fullUrl")
    gate.fields("Bundle", bundle, "")
    return gate.found


def check_resource(resource: Element) -> list[Finding]:
    """Return what in one resource is not R4; references may lead anywhere."""
    gate = _Gate(None)
    gate.resource(resource)
    return gate.found


@dataclass(slots=True)
class _Gate:
    """What was found so far; ``urls`` are those of the Bundle, None for no Bundle."""

    urls: frozenset[str] | None
    found: list[Finding] = field(default_factory=list)

    def find(self, code: str, path: str, text: str) -> None:
        self.found.append(Finding(code, path, text))

    def resource(self, resource: Element) -> None:
        """Check one resource, whose own path begins at its type."""
        kind = str(resource.get("resourceType"))
        if kind not in RESOURCES:
            self.find("not_r4", kind, "R4 has no such resource")
            return
        self.fields(kind, resource, kind)

    def fields(self, kind: str, element: Element, path: str) -> None:
        """Check everything in one element of a type."""
        known = elements(kind)
        for name, value in element.items():
            if name == "resourceType":
                continue
            here = f"{path}.{name}" if path else name
            if name.startswith("_"):
                self._extras(known.get(name[1:]), value, here)
            elif name in known:
                self._values(known[name], value, here, f"{kind}.{name}")
            else:
                self.find("not_r4", here, "R4 has no such element")
        self._meaning(kind, element, path)

    def _values(self, known: Known, value: object, path: str, place: str) -> None:
        if value is not False and value in _EMPTY:
            self.find("empty_value", path, "an element without content")
        elif known.repeats != isinstance(value, list):
            wanted = "a list" if known.repeats else "one value"
            self.find("not_r4", path, f"R4 has {wanted} here")
        elif isinstance(value, list):
            for item in value:
                self._value(known.type, item, path, place)
        else:
            self._value(known.type, value, path, place)

    def _value(self, kind: str, value: object, path: str, place: str) -> None:
        if value is not False and value in _EMPTY:
            self.find("empty_value", path, "an element without content")
        elif kind == "Resource" and isinstance(value, dict):
            self.resource(value)
        elif kind[0].isupper() != isinstance(value, dict) or isinstance(value, list):
            self.find("not_r4", path, f"R4 has {kind} here")
        elif isinstance(value, dict):
            self.fields(kind, value, path)
        elif place in REQUIRED and value not in REQUIRED[place]:
            self.find("code_not_in_binding", path, "a code FHIR does not have")

    def _extras(self, known: Known | None, value: object, path: str) -> None:
        """Check the extensions of a primitive, ``_status`` beside ``status``."""
        if known is None or known.type[0].isupper():
            self.find("not_r4", path, "R4 has no such element")
            return
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and item.keys() <= _PRIMITIVE_EXTRAS:
                self.fields("Element", item, path)
            elif item is not None:
                self.find("not_r4", path, "only id and extension may stand here")

    def _meaning(self, kind: str, element: Element, path: str) -> None:
        """Check what an element of some types has to say."""
        target = element.get("reference") if kind == "Reference" else None
        if isinstance(target, str) and not self._resolves(target):
            self.find("reference_dangles", path, "a reference leads nowhere")
        names_system = kind == "Identifier" or (kind == "Coding" and "code" in element)
        if names_system and not is_absolute(str(element.get("system", ""))):
            self.find("system_not_absolute", path, "no system, or one that is no URI")

    def _resolves(self, target: str) -> bool:
        if self.urls is None or target in self.urls:
            return True
        return "?" in target or target.startswith("#")
