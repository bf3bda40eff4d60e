"""Checks of one section: text, entries, and that both say the same (V09, V11, V15)."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Final, cast

from lxml import etree

from engine.transforms.ccda.elements import HL7, NAMESPACES
from engine.transforms.ccda.templates import (
    ASSESSMENT,
    ASSESSMENT_AND_PLAN,
    HOSPITAL_COURSE,
    PLAN,
)

Node = etree._Element  # noqa: SLF001 - lxml has no public name for its elements
Problem = tuple[str, Node, str]
"""Row of the table in cda.md 13, place, sentence."""

DAY: Final = len("YYYYMMDD")
_Q: Final = f"{{{HL7}}}"
_TYPE: Final = f"{{{NAMESPACES['xmlns:xsi']}}}type"
_PREFIXES: Final = {"h": HL7, "x": NAMESPACES["xmlns:xsi"]}


@cache
def nodes(path: str) -> Callable[[Node], list[Node]]:
    """Return what finds the elements at an XPath; ``h`` is HL7, ``x`` is xsi."""
    return cast("Callable[[Node], list[Node]]", _compiled(path))


@cache
def strings(path: str) -> Callable[[Node], list[str]]:
    """Return what finds the attributes or texts at an XPath."""
    return cast("Callable[[Node], list[str]]", _compiled(path))


def _compiled(path: str) -> etree.XPath:
    return etree.XPath(path, namespaces=_PREFIXES, smart_strings=False)


_WORDS: Final = cast("Callable[[Node], str]", _compiled("string()"))
_NAMED: Final = nodes("h:text/descendant-or-self::*[@ID]")
_UNLINKED: Final = nodes("h:entry[not(.//h:reference)]")
_LINKS: Final = strings("h:entry//h:reference/@value")
_REFERENCES: Final = nodes("h:entry//h:reference")
_OBSERVATIONS: Final = nodes("h:entry//h:observation[h:text/h:reference][h:value]")


def words(node: Node) -> str:
    """Return all the text in an element, without blanks."""
    return "".join(_WORDS(node).split())


def rows_of(node: Node) -> list[tuple[str, Node]]:
    """Return what has an ID in the text of a section, each with that ID."""
    return [(one.get("ID", ""), one) for one in _NAMED(node)]


def section(node: Node) -> Iterator[Problem]:
    """V09, V11 and V15: text, entries and the references between them."""
    text = node.find(f"{_Q}text")
    if text is None or not words(text):
        yield "V11", node, "a section has no text"
        return
    told = node.find(f"{_Q}entry") is not None
    if told if node.get("nullFlavor") else not told and _has_entries(node):
        yield "V09", node, "a section has entries if and only if it has information"
    rows = dict(rows_of(node))
    for entry in _UNLINKED(node):
        yield "V11", entry, "an entry does not refer to the text"
    names = {f"#{name}" for name in rows}
    if not names.issuperset(_LINKS(node)):
        for one in _REFERENCES(node):
            if one.get("value") not in names:
                yield "V11", one, "a reference points outside the text of its section"
    for observation in _OBSERVATIONS(node):
        yield from _disagreements(observation, rows)


def _disagreements(node: Node, rows: Mapping[str, Node]) -> Iterator[Problem]:
    """V15: value, unit, display and day of an observation stand in its row."""
    parts = {one.tag: one for one in node.iterchildren(*_COMPARED)}
    value = parts[_VALUE]
    if value.get(_TYPE) in _PRINTED_OTHERWISE:
        return
    row = rows.get(parts[_TEXT][0].get("value", "")[1:])
    told = words(row) if row is not None else ""
    for key in ("value", "unit", "displayName"):
        if "".join(value.get(key, "").split()) not in told:
            yield "V15", value, "an entry says what its row does not"
    time = parts.get(_SPAN)
    if time is not None and not _tells_days(time, told):
        yield "V15", node, "an entry has a date that its row has not"


def _tells_days(time: Node, told: str) -> bool:
    """Whether the row has every day of the statement's own time."""
    digits = told.replace("-", "")
    return all(one.get("value", "")[:DAY] in digits for one in (time, *time))


_TEXT: Final = f"{_Q}text"
_SPAN: Final = f"{_Q}effectiveTime"
_VALUE: Final = f"{_Q}value"
_COMPARED: Final = (_TEXT, _SPAN, _VALUE)
_PRINTED_OTHERWISE: Final = frozenset({"TS", "IVL_TS"})


def _has_entries(node: Node) -> bool:
    """Whether entries belong to the section: not to those of text alone."""
    template = node.find(f"{_Q}templateId")
    return template is None or template.get("root") not in _TEXT_ALONE


_TEXT_ALONE: Final = {
    template.root
    for template in (ASSESSMENT, ASSESSMENT_AND_PLAN, HOSPITAL_COURSE, PLAN)
}
