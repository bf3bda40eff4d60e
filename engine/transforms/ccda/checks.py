"""Checks of a finished document that need no files: what schema and rules let pass.

They read the written document and share nothing with the code that wrote it but two
small grammars, so that a defect there shows here. Each finding is named after a row of
the table in cda.md 13 and tells the place by element names, never by values.

Most are data: `VALUES` says which attributes hold what, `WRONG` which elements must not
be. A document is searched by each path once; where nothing is found, nothing is done.
"""

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

from lxml import etree

from engine.hl7.conformance import Finding
from engine.transforms.ccda.attachments import MEDIA_TYPES
from engine.transforms.ccda.codes import LOINC, is_loinc
from engine.transforms.ccda.completeness import missing
from engine.transforms.ccda.demographics import ETHNICITIES, RACES
from engine.transforms.ccda.elements import HL7
from engine.transforms.ccda.header import MARITAL_CODES
from engine.transforms.ccda.linkage import (
    DAY,
    Node,
    Problem,
    nodes,
    rows_of,
    section,
    strings,
)
from engine.transforms.ccda.parties import RELATION_CLASSES
from engine.transforms.ccda.site import is_oid, is_uuid
from engine.transforms.ccda.templates import KNOWN, PROBLEM, VITAL_SIGNS_ORGANIZER
from engine.transforms.ccda.units import is_ucum

_Q: Final = f"{{{HL7}}}"
_TIME: Final = re.compile(r"(\d{4}(?:\d\d){0,5})(?:(?<=\d{14})\.\d+)?([+-]\d{4})?")
_ZONE: Final = re.compile(r"[+-](?:0\d|1[0-4])[0-5]\d")


CHECK_CODES: Final = frozenset(f"V{number:02}" for number in range(1, 17))
"""The rows of the table; a finding with such a code means a wrong document."""


def check(root: Node, *, companion_guide: bool) -> list[Finding]:
    """Return what is wrong with a document, as findings without patient data.

    Args:
        root: the document as it was read back.
        companion_guide: whether the ids of the Companion Guide must be there.
    """
    problems = [
        *(problem for rule in VALUES for problem in rule.broken(root)),
        *((code, one, text) for code, path, text in WRONG for one in path(root)),
        *_templates(root, companion_guide=companion_guide),
        *_intervals(root),
        *_ends(root),
        *_authors(root),
        *(problem for one in _SECTIONS(root) for problem in section(one)),
        *(problem for one in _BODIES(root) for problem in _body(one)),
        *(("V10", root, sentence) for sentence in missing(root)),
    ]
    rows = [name for one in _SECTIONS(root) for name, _ in rows_of(one)]
    if len(set(rows)) != len(rows):
        problems.append(("V11", root, "an ID stands twice in the text"))
    return [Finding(code, _place(node), text) for code, node, text in problems]


def _place(node: Node) -> str:
    names = [node, *node.iterancestors()]
    return "/".join(etree.QName(one).localname for one in reversed(names[:-1]))


class Rule(NamedTuple):
    """What the attributes at some paths hold: row, test, sentence, paths."""

    code: str
    right: Callable[[str], bool]
    text: str
    paths: Sequence[str]

    def broken(self, root: Node) -> Iterator[Problem]:
        """Yield the elements whose attribute fails; each value is tested once."""
        for path in self.paths:
            wrong = {one for one in set(strings(path)(root)) if not self.right(one)}
            if wrong:
                name = path.rpartition("@")[2]
                for node in nodes(f"{path}/..")(root):
                    if node.get(name) in wrong:
                        yield self.code, node, self.text


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


@lru_cache(maxsize=1024)  # the same few roots stand all over a document
def _is_root(value: str) -> bool:
    return is_oid(value) or is_uuid(value)


def _one_of(*codes: str) -> Callable[[str], bool]:
    return frozenset({"", *codes}).__contains__


_TIMES: Final = (
    *("//h:effectiveTime", "//h:time", "//h:birthTime"),
    *(
        f"{holder}/h:{end}"
        for holder in ("//h:effectiveTime", "//h:time", "//@x:type[.='IVL_TS']/..")
        for end in ("low", "high")
    ),
)
VALUES: Final = (
    Rule(
        "V01",
        is_time,
        "a time is not in the calendar",
        [f"{path}/@value" for path in _TIMES],
    ),
    Rule(
        "V03",
        is_loinc,
        "a LOINC code fails form or check digit",
        [f"//@codeSystem[.='{LOINC}']/../@code"],
    ),
    Rule("V04", is_ucum, "a unit is not UCUM", ["//@unit"]),
    Rule(
        "V05",
        _one_of("F", "M", "UN"),
        "administrativeGenderCode is not in its set",
        ["//h:administrativeGenderCode/@code"],
    ),
    Rule(
        "V05",
        _one_of(*MARITAL_CODES),
        "maritalStatusCode is not in its set",
        ["//h:maritalStatusCode/@code"],
    ),
    Rule(
        "V05",
        _one_of(*ETHNICITIES),
        "ethnicGroupCode is not in its set",
        ["//h:ethnicGroupCode/@code"],
    ),
    Rule("V05", _one_of(*RACES), "raceCode is not a category", ["//h:raceCode/@code"]),
    Rule(
        "V07",
        _is_root,
        "an identifier root is neither OID nor UUID",
        ["//@root", "//@codeSystem"],
    ),
    Rule(
        "V13",
        _one_of("PRS", "NOK", *RELATION_CLASSES.values()),
        "a participant has a class outside its set",
        ["//h:participant/h:associatedEntity/@classCode"],
    ),
)
_UNKNOWN: Final = "not(@nullFlavor)"
_SAID: Final = "@code!='' or (@value!='' and not(self::h:translation))"
_VITAL: Final = f"h:templateId/@root='{VITAL_SIGNS_ORGANIZER.root}'"
_PROBLEM: Final = f"h:templateId/@root='{PROBLEM.root}'"
_KINDS: Final = "h:code/h:translation[@code='75326-9' or @code='29308-4']"
WRONG: Final = tuple(
    (code, nodes(path), text)
    for code, path, text in (
        *(
            (
                "V06",
                f"//h:patient/h:name[{_UNKNOWN}][not(h:{part})]",
                f"the patient's name has no {part}",
            )
            for part in ("given", "family")
        ),
        *(
            (
                "V06",
                f"{path}[{_UNKNOWN}][not(normalize-space())]",
                "a name or a part of it is empty",
            )
            for path in ("//h:name", "//h:name/h:*")
        ),
        (
            "V09",
            f"//@nullFlavor/parent::*[{_SAID}]",
            "a nullFlavor stands beside a value",
        ),
        (
            "V13",
            f"//h:observation[{_PROBLEM}][not({_KINDS})]",
            "a problem has no LOINC code of its kind",
        ),
        (
            "V13",
            f"//h:organizer[{_VITAL}][not(h:code/h:translation/@code='74728-7')]",
            "vital signs have no LOINC code",
        ),
        (
            "V14",
            f"//h:observation[h:statusCode/@code='cancelled'][h:value[{_UNKNOWN}]]",
            "a cancelled result has a value",
        ),
        (
            "V14",
            "//h:act[h:statusCode/@code='active'][h:effectiveTime/h:high]",
            "an active concern has an end",
        ),
    )
)
_SECTIONS: Final = nodes("//h:section")
_BODIES: Final = nodes("//h:nonXMLBody")
_TEMPLATES: Final = nodes("//h:templateId")
_INTERVALS: Final = nodes("//h:effectiveTime[h:low/@value and h:high/@value]")
_LOW_HIGH: Final = nodes("h:low[1] | h:high[1]")
_ENDS: Final = nodes(
    "//h:observation[h:statusCode/@code='completed']/h:effectiveTime/h:high[@value]"
)
_AUTHORS: Final = nodes("//h:assignedAuthor/h:id")
_HEADER_AUTHORS: Final = nodes("h:author/h:assignedAuthor/h:id")


def _intervals(root: Node) -> Iterator[Problem]:
    """V02: an interval does not end before it begins."""
    for node in _INTERVALS(root):
        first, last = (one.get("value", "") for one in _LOW_HIGH(node))
        shared = min(len(first), len(last), DAY)
        if first[:shared] > last[:shared]:
            yield "V02", node, "an interval ends before it begins"


def _ends(root: Node) -> Iterator[Problem]:
    """V14: what is completed does not end after the day of the document."""
    made = root.find(f"{_Q}effectiveTime")
    now = "" if made is None else made.get("value", "")[:DAY]
    for high in _ENDS(root):
        end = high.get("value", "")[:DAY]
        if now and end > now[: len(end)]:
            yield "V14", high, "what is completed ends after the document was made"


def _authors(root: Node) -> Iterator[Problem]:
    """V13: who authored an entry is one of the authors of the document."""
    known = {(one.get("root"), one.get("extension")) for one in _HEADER_AUTHORS(root)}
    for one in _AUTHORS(root):
        if (one.get("root"), one.get("extension")) not in known:
            yield "V13", one, "the author of an entry is no author of the document"


def _templates(root: Node, *, companion_guide: bool) -> Iterator[Problem]:
    """V08: each template with an extension that exists, and with all its ids."""
    asserted: dict[Node, list[tuple[str, str]]] = {}
    for one in _TEMPLATES(root):
        holder = one.getparent()
        if holder is not None:
            ids = asserted.setdefault(holder, [])
            ids.append((one.get("root", ""), one.get("extension", "")))
    for node, ids in asserted.items():
        if wrong := _templates_wrong(tuple(ids), companion_guide=companion_guide):
            yield "V08", node, wrong


@lru_cache(maxsize=1024)  # every entry of a kind asserts the same
def _templates_wrong(ids: tuple[tuple[str, str], ...], *, companion_guide: bool) -> str:
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
