"""Resources in FHIR's XML form: what others send, and our own plain answers.

Spec:
    FHIR R4 (4.0.1), xml.html and json.html.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from lxml import etree

from engine.errors import TransformError
from engine.transforms.fhir.definitions import RESOURCES, elements
from engine.transforms.fhir.definitions import Element as Known
from engine.transforms.fhir.digits import Digits
from engine.transforms.fhir.mapped import Element
from engine.transforms.foreign_xml import Node, root_of

MOST_TAGS: Final = 100_000
_FHIR: Final = "{http://hl7.org/fhir}"
_DIV: Final = "{http://www.w3.org/1999/xhtml}div"
_SCHEMA: Final = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
_ID: Final = frozenset({"id"})
_WHOLE: Final = re.compile(r"[-+]?\d{1,10}")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_TRUTH: Final[Mapping[str, bool]] = MappingProxyType({"true": True, "false": False})
_WHOLE_TYPES: Final = frozenset({"integer", "positiveInt", "unsignedInt"})
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def from_xml(content: bytes, most_bytes: int) -> Element:
    """Return a resource that somebody wrote in XML as its JSON form has it.

    What R4 does not have is an object without content, so that `checks` names it; what
    stands there more often than R4 has it is a list.

    Raises:
        TransformError: its code is ``size``, ``type`` or ``xml``: it cannot be read, or
            says something in a way FHIR's XML does not have. No value is repeated.
    """
    return _resource(root_of(content, most_bytes, MOST_TAGS))


def to_xml(resource: Element) -> bytes:
    """Return a resource of ours in XML; its elements stand in the order of R4."""
    kind = str(resource["resourceType"])
    spaces: dict[str | None, str] = {None: _FHIR[1:-1]}
    root = etree.Element(_FHIR + kind, nsmap=spaces)  # type: ignore[arg-type]
    _write(root, {name: resource[name] for name in resource if name != "resourceType"})
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


# -- reading ---------------------------------------------------------------------------


def _resource(node: Node) -> Element:
    kind = _name(node)
    if kind not in RESOURCES:
        return {"resourceType": kind}
    _expect(node, frozenset({_SCHEMA}), kind)
    return {"resourceType": kind, **_children(node, kind, kind)}


def _children(node: Node, kind: str, path: str) -> Element:
    """Return the child elements of something of a type, primitives beside extras."""
    known = elements(kind)
    values: dict[str, list[object]] = {}
    extras: dict[str, list[object]] = {}
    for child in node:
        name = _name(child)
        value, extra = _read(child, known.get(name), f"{path}.{name}")
        values.setdefault(name, []).append(value)
        extras.setdefault(f"_{name}", []).append(extra)
    lists = {name for name in values if name in known and known[name].repeats}
    found: Element = {}
    for name, rows in (values | extras).items():
        if any(row is not None for row in rows):
            single = len(rows) == 1 and name.removeprefix("_") not in lists
            found[name] = rows[0] if single else rows
    return found


def _read(node: Node, known: Known | None, path: str) -> tuple[object, object]:
    """Return the value of an element, and what stands beside that of a primitive."""
    if known is None:
        return {}, None
    if known.type == "xhtml":
        return etree.tostring(node, encoding="unicode", with_tail=False), None
    if known.type == "Resource":
        if len(node) != 1:
            raise _refused(path, "one resource stands here")
        return _resource(node[0]), None
    if known.type[0].islower():
        return _primitive(node, known.type, path)
    allowed = _ID | {"url"} if known.type == "Extension" else _ID
    _expect(node, allowed, path)
    attributes = {str(name): str(value) for name, value in node.attrib.items()}
    return {**attributes, **_children(node, known.type, path)}, None


def _primitive(node: Node, kind: str, path: str) -> tuple[object, object]:
    _expect(node, _ID | {"value"}, path)
    beside = _children(node, "Element", path)
    if node.get("id"):
        beside["id"] = node.get("id")
    text = node.get("value")
    return None if text is None else _typed(text, kind, path), beside or None


def _typed(text: str, kind: str, path: str) -> object:
    """Return a value as JSON has it."""
    if kind == "boolean" and text in _TRUTH:
        return _TRUTH[text]
    if kind in _WHOLE_TYPES and _WHOLE.fullmatch(text):
        return int(text)
    if kind == "decimal" and _NUMBER.fullmatch(text):
        return Digits(text)
    if kind in {"boolean", "decimal", *_WHOLE_TYPES}:
        raise _refused(path, f"R4 has {kind} here")
    return text


def _name(node: Node) -> str:
    tag = str(node.tag)
    if tag != _DIV and not tag.startswith(_FHIR):
        raise TransformError("an element is outside of FHIR's namespace", "xml")
    return tag.partition("}")[2]


def _expect(node: Node, attributes: frozenset[str], path: str) -> None:
    """Refuse what FHIR's XML has no place for, so that nothing is lost in silence."""
    texts = (node.text, *(child.tail for child in node))
    if any(text and text.strip() for text in texts):
        raise _refused(path, "the value stands in an attribute, not in a text")
    if not attributes.issuperset(map(str, node.attrib)):
        raise _refused(path, "FHIR has no such attribute")


def _refused(path: str, why: str) -> TransformError:
    return TransformError(f"{path}: {why}", "xml")


# -- writing ---------------------------------------------------------------------------


def _write(node: Node, element: Element) -> None:
    for name, value in element.items():
        for one in value if isinstance(value, list) else [value]:
            child = etree.SubElement(node, _FHIR + name)
            if isinstance(one, dict):
                _write(child, one)
            else:
                text = str(one).lower() if isinstance(one, bool) else str(one)
                child.set("value", _UNWRITABLE.sub("\ufffd", text))
