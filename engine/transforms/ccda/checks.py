"""Checks of a finished document that need no files: what schema and rules let pass.

They read the written document and share nothing with the code that wrote it but two
small grammars, so that a defect there shows here. Each finding is named after a row of
the table in cda.md 13 and tells the place by element names, never by values.
"""

import base64
import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from typing import Final

from lxml import etree

from engine.hl7.conformance import Finding
from engine.transforms.ccda.attachments import MEDIA_TYPES
from engine.transforms.ccda.codes import LOINC, is_loinc
from engine.transforms.ccda.completeness import missing
from engine.transforms.ccda.demographics import ETHNICITIES, RACES
from engine.transforms.ccda.elements import HL7, NAMESPACES
from engine.transforms.ccda.header import MARITAL_CODES
from engine.transforms.ccda.linkage import DAY, Node, Problem, section
from engine.transforms.ccda.parties import RELATION_CLASSES
from engine.transforms.ccda.site import is_oid, is_uuid
from engine.transforms.ccda.templates import (
    KNOWN,
    PROBLEM,
    VITAL_SIGNS_ORGANIZER,
    Template,
)
from engine.transforms.ccda.units import is_ucum

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
    rows = [name for node in root.iter(f"{_Q}text") for name in _named(node)]
    if len(set(rows)) != len(rows):
        problems.append(("V11", root, "an ID stands twice in the text"))
    problems += [("V10", root, sentence) for sentence in missing(root)]
    for node, ids in asserted.items():
        if wrong := _templates_wrong(tuple(ids), companion_guide=companion_guide):
            problems.append(("V08", node, wrong))
    problems += _authors(root)
    return [Finding(code, _place(node), text) for code, node, text in problems]


def _named(node: Node) -> list[str]:
    """Return the IDs in the text of a section."""
    return [name for one in node.iter() if (name := one.get("ID"))]


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
    """V13 and V14: what a problem is by its code, and that none ends before it can."""
    status, value = node.find(f"{_Q}statusCode"), node.find(f"{_Q}value")
    state = "" if status is None else status.get("code")
    if state == "cancelled" and value is not None and not value.get("nullFlavor"):
        yield "V14", node, "a cancelled result has a value"
    if _asserts(node, PROBLEM) and not _translated(node, _PROBLEM_KINDS):
        yield "V13", node, "a problem has no LOINC code of its kind"
    if state == "completed" and _is_to_come(node):
        yield "V14", node, "what is completed ends after the document was made"


_PROBLEM_KINDS: Final = frozenset({"75326-9", "29308-4"})


def _asserts(node: Node, template: Template) -> bool:
    return any(one.get("root") == template.root for one in node.findall(_TEMPLATE))


def _translated(node: Node, codes: frozenset[str]) -> bool:
    found = node.findall(f"{_Q}code/{_Q}translation")
    return any(one.get("code") in codes for one in found)


def _is_to_come(node: Node) -> bool:
    """Whether the end of a statement lies on a day after that of the document."""
    high = node.find(f"{_Q}effectiveTime/{_Q}high")
    made = node.getroottree().getroot().find(f"{_Q}effectiveTime")
    if high is None or made is None:
        return False
    end, now = high.get("value", "")[:DAY], made.get("value", "")[:DAY]
    return bool(end and now) and end > now[: len(end)]


def _organizer(node: Node) -> Iterator[Problem]:
    """V13: vital signs are coded in SNOMED CT and in LOINC."""
    vital = _asserts(node, VITAL_SIGNS_ORGANIZER)
    if vital and not _translated(node, frozenset({"74728-7"})):
        yield "V13", node, "vital signs have no LOINC code"


def _act(node: Node) -> Iterator[Problem]:
    """V14: an active concern has no end."""
    status, high = (
        node.find(f"{_Q}statusCode"),
        node.find(f"{_Q}effectiveTime/{_Q}high"),
    )
    if status is not None and status.get("code") == "active" and high is not None:
        yield "V14", node, "an active concern has an end"


_TEMPLATE: Final = f"{_Q}templateId"
_BY_NAME: Final[dict[str, Callable[[Node], Iterator[Problem]]]] = {
    "effectiveTime": _interval,
    "patient": _patient,
    "raceCode": _race,
    "name": _name,
    "section": section,
    "nonXMLBody": _body,
    "participant": _participant,
    "observation": _observation,
    "organizer": _organizer,
    "act": _act,
}
