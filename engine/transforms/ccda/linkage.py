"""Checks of one section: text, entries, and that both say the same (V09, V11, V15)."""

from collections.abc import Iterator, Mapping
from typing import Final

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


def section(node: Node) -> Iterator[Problem]:
    """V09 and V11: text, entries and the references between them."""
    text = node.find(f"{_Q}text")
    if text is None or not "".join(map(str, text.itertext())).strip():
        yield "V11", node, "a section has no text"
        return
    entries = node.findall(f"{_Q}entry")
    if entries if node.get("nullFlavor") else not entries and _has_entries(node):
        yield "V09", node, "a section has entries if and only if it has information"
    rows = {one.get("ID"): one for one in text.iter() if one.get("ID")}
    for entry in entries:
        links = [one.get("value", "") for one in entry.iter(f"{_Q}reference")]
        if not links:
            yield "V11", entry, "an entry does not refer to the text"
        if any(link[:1] != "#" or link[1:] not in rows for link in links):
            yield "V11", entry, "a reference points outside the text of its section"
        yield from _agreement(entry, rows)


def _agreement(entry: Node, rows: Mapping[str | None, Node]) -> Iterator[Problem]:
    """V15: value, unit and display of an observation stand in the text it refers to."""
    for node in entry.iter(f"{_Q}observation"):
        link, value = node.find(_TEXT_LINK), node.find(f"{_Q}value")
        if link is None or value is None or value.get(_TYPE) in _PRINTED_OTHERWISE:
            continue
        row = rows.get(link.get("value", "")[1:])
        told = (
            "".join("".join(map(str, row.itertext())).split())
            if row is not None
            else ""
        )
        for key in ("value", "unit", "displayName"):
            if "".join(value.get(key, "").split()) not in told:
                yield "V15", value, "an entry says what its row does not"
        if not _tells_days(node, told):
            yield "V15", node, "an entry has a date that its row has not"


def _tells_days(node: Node, told: str) -> bool:
    """Whether the row has every day of the statement's own time."""
    digits = told.replace("-", "")
    time = node.find(f"{_Q}effectiveTime")
    ends = () if time is None else (time, *time)
    return all(one.get("value", "")[:DAY] in digits for one in ends)


_TEXT_LINK: Final = f"{_Q}text/{_Q}reference"
_PRINTED_OTHERWISE: Final = frozenset({"TS", "IVL_TS"})


def _has_entries(node: Node) -> bool:
    """Whether entries belong to the section: not to those of text alone."""
    template = node.find(f"{_Q}templateId")
    return template is None or template.get("root") not in _TEXT_ALONE


_TEXT_ALONE: Final = {
    template.root
    for template in (ASSESSMENT, ASSESSMENT_AND_PLAN, HOSPITAL_COURSE, PLAN)
}
