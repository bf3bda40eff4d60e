"""Checks of a finished document that need no files: what schema and rules let pass.

They read the written document and share nothing with the code that wrote it but two
small grammars, so that a defect there shows here. Each finding is named after a row of
the table in cda.md 13 and tells the place by element names, never by values.
"""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import Final

from lxml import etree

from engine.hl7.conformance import Finding
from engine.transforms.ccda.attachments import MEDIA_TYPES
from engine.transforms.ccda.codes import LOINC, is_loinc
from engine.transforms.ccda.demographics import ETHNICITIES, RACES
from engine.transforms.ccda.elements import HL7, NAMESPACES
from engine.transforms.ccda.header import MARITAL_CODES
from engine.transforms.ccda.parties import RELATION_CLASSES
from engine.transforms.ccda.site import is_oid, is_uuid
from engine.transforms.ccda.templates import ASSESSMENT_AND_PLAN, HOSPITAL_COURSE, KNOWN
from engine.transforms.ccda.units import is_ucum

Node = etree._Element  # noqa: SLF001 - lxml has no public name for its elements
Problem = tuple[str, Node, str]

_Q: Final = f"{{{HL7}}}"
_CUT: Final = len(_Q)
_TYPE: Final = f"{{{NAMESPACES['xmlns:xsi']}}}type"
_TIME: Final = re.compile(r"(\d{4}(?:\d\d){0,5})(?:(?<=\d{14})\.\d+)?([+-]\d{4})?")
_ZONE: Final = re.compile(r"[+-](?:0\d|1[0-4])[0-5]\d")
_TIMES: Final = frozenset({"effectiveTime", "time", "birthTime", "low", "high"})


CHECK_CODES: Final = frozenset(f"V{number:02}" for number in range(1, 17))
"""The rows of the table; a finding with such a code means a wrong document."""


def check(root: Node, *, companion_guide: bool) -> list[Finding]:
    """Return what is wrong with a document, as findings without patient data.

    Args:
        root: the document as it was read back.
        companion_guide: whether the ids of the Companion Guide must be there.
    """
    problems: list[Problem] = []
    asserted: dict[Node, list[tuple[str, str]]] = {}
    for node in root.iter(f"{_Q}*"):
        name = node.tag[_CUT:]
        if name == "templateId":
            ids = asserted.setdefault(_parent(node), [])
            ids.append((node.get("root", ""), node.get("extension", "")))
            continue
        problems += _attributes(name, node)
        special = _BY_NAME.get(name)
        if special is not None:
            problems += special(node)
    for node, ids in asserted.items():
        if wrong := _templates_wrong(tuple(ids), companion_guide=companion_guide):
            problems.append(("V08", node, wrong))
    problems += _authors(root)
    return [Finding(code, _place(node), text) for code, node, text in problems]


def _parent(node: Node) -> Node:
    parent = node.getparent()
    return node if parent is None else parent


def _place(node: Node) -> str:
    names = [node, *node.iterancestors()]
    return "/".join(etree.QName(one).localname for one in reversed(names[:-1]))


Fault = tuple[str, str]


def _attributes(name: str, node: Node) -> list[Problem]:
    """V01, V03, V04, V07, V09: what one element says about itself."""
    problems: list[Problem] = []
    for key, value in node.items():
        test = _BY_ATTRIBUTE.get(str(key))
        if test is not None and (problem := test(name, node, str(value))):
            problems.append((problem[0], node, problem[1]))
    return problems


def _value(name: str, node: Node, value: str) -> Fault | None:
    if not _is_time(name, node) or is_time(value):
        return None
    return "V01", "a time is not in the calendar"


def _code(_name: str, node: Node, value: str) -> Fault | None:
    if node.get("codeSystem") != LOINC or is_loinc(value):
        return None
    return "V03", "a LOINC code fails form or check digit"


def _unit(_name: str, _node: Node, value: str) -> Fault | None:
    return None if is_ucum(value) else ("V04", "a unit is not UCUM")


def _root(_name: str, _node: Node, value: str) -> Fault | None:
    if _is_root(value):
        return None
    return "V07", "an identifier root is neither OID nor UUID"


@lru_cache(maxsize=1024)  # the same few roots stand all over a document
def _is_root(value: str) -> bool:
    return is_oid(value) or is_uuid(value)


def _null(name: str, node: Node, _value: str) -> Fault | None:
    beside = node.get("code") or (node.get("value") and name != "translation")
    return ("V09", "a nullFlavor stands beside a value") if beside else None


_BY_ATTRIBUTE: Final[dict[str, Callable[[str, Node, str], Fault | None]]] = {
    "value": _value,
    "code": _code,
    "unit": _unit,
    "root": _root,
    "codeSystem": _root,
    "nullFlavor": _null,
}


def _is_time(name: str, node: Node) -> bool:
    if name not in _TIMES:
        return False
    if name in ("low", "high"):
        parent = node.getparent()
        return parent is not None and (
            parent.tag[_CUT:] in _TIMES or parent.get(_TYPE) == "IVL_TS"
        )
    return True


@lru_cache(maxsize=1024)
def is_time(value: str) -> bool:
    """Whether a text is an HL7 time that exists."""
    match = _TIME.fullmatch(value)
    if match is None:
        return False
    digits, offset = match.groups()
    padded = digits + "00000101000000"[len(digits) :]
    try:
        date(int(padded[:4]), int(padded[4:6]), int(padded[6:8]))
    except ValueError:
        return False
    clock = padded[8:10] <= "23" and max(padded[10:12], padded[12:14]) <= "59"
    return clock and (not offset or _ZONE.fullmatch(offset) is not None)


def _interval(node: Node) -> Iterator[Problem]:
    """V02: an interval does not end before it begins."""
    low, high = node.find(f"{_Q}low"), node.find(f"{_Q}high")
    if low is None or high is None:
        return
    first, last = low.get("value", ""), high.get("value", "")
    shared = min(len(first), len(last), len("YYYYMMDD"))
    if first[:shared] > last[:shared]:
        yield "V02", node, "an interval ends before it begins"


def _patient(node: Node) -> Iterator[Problem]:
    """V05 and V06: coded demographics in their sets, a name with both parts."""
    for child in node:
        name = etree.QName(child).localname
        allowed = _SETS.get(name)
        if allowed and child.get("code", "") not in allowed | {""}:
            yield "V05", child, f"{name} is not in its set"
        if name == "name" and not child.get("nullFlavor"):
            for part in ("given", "family"):
                if child.find(f"{_Q}{part}") is None:
                    yield "V06", child, f"the patient's name has no {part}"


_SETS: Final = {
    "administrativeGenderCode": frozenset({"F", "M", "UN"}),
    "maritalStatusCode": MARITAL_CODES,
    "ethnicGroupCode": frozenset(ETHNICITIES),
}


def _race(node: Node) -> Iterator[Problem]:
    if etree.QName(node).namespace == HL7 and node.get("code", "") not in {"", *RACES}:
        yield "V05", node, "raceCode is not a category"


def _name(node: Node) -> Iterator[Problem]:
    """V06: no name and no part of one is empty."""
    for part in (node, *node):
        if (
            not part.get("nullFlavor")
            and not "".join(map(str, part.itertext())).strip()
        ):
            yield "V06", part, "a name or a part of it is empty"


@lru_cache(maxsize=1024)  # every entry of a kind asserts the same
def _templates_wrong(ids: tuple[tuple[str, str], ...], *, companion_guide: bool) -> str:
    """V08: each template with an extension that exists, and with all its ids."""
    for root in {root for root, _ in ids}:
        template = KNOWN.get(root)
        if template is None:
            return "a template is not one of ours"
        said = {pair for pair in ids if pair[0] == root}
        if said != set(template.pairs(companion_guide=companion_guide)):
            return "a template is not asserted with all its ids"
    return ""


def _section(node: Node) -> Iterator[Problem]:
    """V09 and V11: text, entries and the references between them."""
    text = node.find(f"{_Q}text")
    if text is None or not "".join(map(str, text.itertext())).strip():
        yield "V11", node, "a section has no text"
        return
    entries = node.findall(f"{_Q}entry")
    if bool(node.get("nullFlavor")) == bool(entries) and _has_entries(node):
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


_TEXT_LINK: Final = f"{_Q}text/{_Q}reference"
_PRINTED_OTHERWISE: Final = frozenset({"TS", "IVL_TS"})


def _has_entries(node: Node) -> bool:
    """Whether entries belong to the section: not to those of text alone."""
    template = node.find(f"{_Q}templateId")
    return template is None or template.get("root") not in _TEXT_ALONE


_TEXT_ALONE: Final = (HOSPITAL_COURSE.root, ASSESSMENT_AND_PLAN.root)


def _body(node: Node) -> Iterator[Problem]:
    """V12: embedded content has a listed type, is marked, decodes and is not empty."""
    text = node.find(f"{_Q}text")
    if text is None or text.find(f"{_Q}reference") is not None:
        return
    media_type = text.get("mediaType", "")
    if media_type not in MEDIA_TYPES or text.get("representation") != "B64":
        yield "V12", text, "embedded content has no listed type or is not marked B64"
        return
    try:
        content = base64.b64decode(text.text or "", validate=True)
    except ValueError:
        yield "V12", text, "embedded content is not base64"
        return
    if not content:
        yield "V12", text, "embedded content is empty"
    elif media_type == "application/pdf" and b"%PDF-" not in content[:1024]:
        yield "V12", text, "embedded content says PDF and is none"


def _participant(node: Node) -> Iterator[Problem]:
    """V13: the class of a person beside the patient."""
    entity = node.find(f"{_Q}associatedEntity")
    classes = {"PRS", "NOK", *RELATION_CLASSES.values()}
    if entity is not None and entity.get("classCode") not in classes:
        yield "V13", entity, "a participant has a class outside its set"


def _authors(root: Node) -> Iterator[Problem]:
    """V13: who authored an entry is one of the authors of the document."""
    path = f"{_Q}author/{_Q}assignedAuthor/{_Q}id"
    known = {(one.get("root"), one.get("extension")) for one in root.findall(path)}
    for author in root.iter(f"{_Q}assignedAuthor"):
        for one in author.findall(f"{_Q}id"):
            if (one.get("root"), one.get("extension")) not in known:
                yield "V13", one, "the author of an entry is no author of the document"


def _observation(node: Node) -> Iterator[Problem]:
    """V14: a cancelled result has no value."""
    status, value = node.find(f"{_Q}statusCode"), node.find(f"{_Q}value")
    if status is None or value is None or status.get("code") != "cancelled":
        return
    if not value.get("nullFlavor"):
        yield "V14", node, "a cancelled result has a value"


def _act(node: Node) -> Iterator[Problem]:
    """V14: an active concern has no end."""
    status, high = (
        node.find(f"{_Q}statusCode"),
        node.find(f"{_Q}effectiveTime/{_Q}high"),
    )
    if status is not None and status.get("code") == "active" and high is not None:
        yield "V14", node, "an active concern has an end"


_BY_NAME: Final[dict[str, Callable[[Node], Iterator[Problem]]]] = {
    "effectiveTime": _interval,
    "patient": _patient,
    "raceCode": _race,
    "name": _name,
    "section": _section,
    "nonXMLBody": _body,
    "participant": _participant,
    "observation": _observation,
    "act": _act,
}
