"""Show a C-CDA document to a person: safe HTML, or lines of text.

The tree is walked, every text is escaped, and only the narrative elements of CDA have a
meaning here; anything else is its text. Nothing in a document can become a script, a
link, a style or a request: links are printed, pictures and embedded files are named.

Spec:
    cda.md 15, *Showing*; security.md S26. CDA R2 narrative block (NarrativeBlock.xsd).
"""

import base64
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Final

from engine.transforms.ccda.elements import HL7, NAMESPACES
from engine.transforms.ccda.linkage import Node

_H: Final = {"h": HL7, "s": NAMESPACES["xmlns:sdtc"]}
_CUT: Final = len(f"{{{HL7}}}")
POLICY: Final = "default-src 'none'"
"""Content security policy of the page: not even a style is loaded or run."""

ELEMENTS: Final[Mapping[str, str]] = {
    "paragraph": "p",
    "table": "table",
    "caption": "caption",
    "thead": "thead",
    "tbody": "tbody",
    "tfoot": "tfoot",
    "tr": "tr",
    "th": "th",
    "td": "td",
    "item": "li",
    "sub": "sub",
    "sup": "sup",
    "footnote": "small",
}
"""Narrative elements to HTML; lists, content, breaks and links are told apart below."""

LINES: Final = ' border="1" cellspacing="0" cellpadding="4"'
"""What keeps the cells of a table apart; the policy lets no style do it."""

STYLES: Final[Mapping[str, str]] = {
    "bold": "strong",
    "italics": "em",
    "emphasis": "em",
    "underline": "u",
}
_SPANS: Final = ("colspan", "rowspan")
_SPAN: Final = re.compile(r"[1-9]\d{0,2}")
_TIMES: Final = frozenset({"birthTime", "effectiveTime", "low", "high"})
_TIME: Final = re.compile(
    r"(\d{4}(?:\d\d){0,2})(?:(?<=\d{8})(\d{2}(?:\d\d){0,2}(?:\.\d+)?))?([+-]\d{4})?"
)
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]"
)
"""Controls of terminals, lines and writing direction: they could hide what is said."""
_BREAKING: Final = frozenset({"paragraph", "tr", "item", "br", "caption", "list"})

PEOPLE: Final = "h:recordTarget/h:patientRole"
FACTS: Final = (
    ("Patient", f"{PEOPLE}/h:patient/h:name"),
    ("Born", f"{PEOPLE}/h:patient/h:birthTime"),
    ("Sex", f"{PEOPLE}/h:patient/h:administrativeGenderCode"),
    ("Patient id", f"{PEOPLE}/h:id"),
    ("Document", "h:id"),
    ("Version", "h:versionNumber"),
    ("Made", "h:effectiveTime"),
    ("Author", "h:author/h:assignedAuthor/h:assignedPerson/h:name"),
    (
        "Keeper",
        "h:custodian/h:assignedCustodian/h:representedCustodianOrganization/h:name",
    ),
    ("Signed by", "h:legalAuthenticator/h:assignedEntity/h:assignedPerson/h:name"),
    ("Visit", "h:componentOf/h:encompassingEncounter/h:effectiveTime/*"),
)


def to_html(root: Node) -> str:
    """Return a whole page about a document, without scripts, styles or links.

    Args:
        root: as `reading.read_document` gives it.
    """
    title = escape(_title(root))
    facts = "".join(
        f"<tr><th>{escape(label)}</th><td>{escape(value)}</td></tr>"
        for label, value in header_facts(root)
    )
    return (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{title}</title></head><body><h1>{title}</h1>"
        f"<table{LINES}><tbody>{facts}</tbody></table>{''.join(_bodies(root))}</body></html>\n"
    )


def header_facts(root: Node) -> Iterator[tuple[str, str]]:
    """Yield what the header says, each with its label."""
    for label, path in FACTS:
        for node in _all(root, path):
            if said := _words(node):
                yield label, said


def to_lines(root: Node) -> Iterator[tuple[str, str]]:
    """Yield what a document says as (section, line), for a terminal."""
    for label, value in header_facts(root):
        yield label, _seen(value)
    for section in root.iter(f"{{{HL7}}}section"):
        title = _seen(_title(section))
        for text in section.findall(f"{{{HL7}}}text"):
            for line in "".join(_plain(text)).split("\n"):
                if said := " ".join(line.split()).strip("| "):
                    yield title, _seen(said)
    for node in _all(root, "h:component/h:nonXMLBody/h:text"):
        for line in _embedded(node).split("\n"):
            yield "Content", _seen(line)


# ---- sections


def _bodies(root: Node) -> Iterator[str]:
    for component in _all(root, "h:component/h:structuredBody/h:component/h:section"):
        yield from _section(component, 2)
    for node in _all(root, "h:component/h:nonXMLBody/h:text"):
        yield f"<pre>{escape(_embedded(node))}</pre>"


def _section(section: Node, level: int) -> Iterator[str]:
    heading = f"h{min(level, 6)}"
    yield f"<{heading}>{escape(_title(section))}</{heading}>"
    for text in section.findall(f"{{{HL7}}}text"):
        yield f"<div>{''.join(_inside(text))}</div>"
    for inner in _all(section, "h:component/h:section"):
        yield from _section(inner, level + 1)


def _inside(node: Node) -> Iterator[str]:
    """Yield the content of a narrative element as HTML."""
    yield escape(node.text or "")
    for child in node:
        yield from _element(child)
        yield escape(child.tail or "")


def _element(node: Node) -> Iterator[str]:
    name = _name(node)
    if name == "br":
        yield "<br>"
    elif name == "linkHtml":
        yield from _inside(node)
        yield escape(f" [{node.get('href', '')}]")
    elif name == "renderMultiMedia":
        yield "[picture]"
    elif tag := _tag(name, node):
        yield f"<{tag}{LINES if tag == 'table' else ''}{_spans(node)}>"
        yield from _inside(node)
        yield f"</{tag}>"
    else:
        yield from _inside(node)


def _tag(name: str, node: Node) -> str:
    if name == "list":
        return "ol" if node.get("listType") == "ordered" else "ul"
    if name == "content":
        styles = node.get("styleCode", "").casefold().split()
        return next((STYLES[each] for each in styles if each in STYLES), "span")
    return ELEMENTS.get(name, "")


def _spans(node: Node) -> str:
    said = ((name, node.get(name, "")) for name in _SPANS)
    return "".join(f' {name}="{n}"' for name, n in said if _SPAN.fullmatch(n))


def _plain(node: Node) -> Iterator[str]:
    """Yield the content of a narrative element as text, a line for each row."""
    yield node.text or ""
    for child in node:
        name = _name(child)
        if name in _BREAKING:
            yield "\n"
        yield from _plain(child)
        if name in ("td", "th"):
            yield " | "
        elif name == "linkHtml":
            yield f" [{child.get('href', '')}]"
        elif name == "renderMultiMedia":
            yield "[picture]"
        yield child.tail or ""


def _embedded(node: Node) -> str:
    """Return the text of an embedded plain text; anything else is only named."""
    media_type = node.get("mediaType", "text/plain")
    if node.get("representation") != "B64":
        return "".join(map(str, node.itertext())) or f"[{media_type} elsewhere]"
    try:
        content = base64.b64decode(node.text or "", validate=False)
    except ValueError:
        return "[content that is not base64]"
    if media_type == "text/plain":
        return content.decode("utf-8", "replace")
    return f"[{media_type}, {len(content)} bytes]"


# ---- words


def _title(node: Node) -> str:
    found = node.find(f"{{{HL7}}}title")
    if found is None:
        return "Untitled"
    return " ".join("".join(map(str, found.itertext())).split()) or "Untitled"


def _words(node: Node) -> str:
    """Return an element of the header for a reader."""
    said = " ".join(" ".join(map(str, node.itertext())).split())
    kind = _name(node)
    if kind == "id":
        number, root = node.get("extension", ""), node.get("root", "")
        issuer = (number and node.get("assigningAuthorityName", "")) or root
        return " of ".join(filter(None, (number, issuer)))
    label = {"low": "from ", "high": "until "}.get(kind, "")
    told = node.get("displayName") or node.get("code") or _readable(node)
    return said or (label + told if told else "")


def _readable(node: Node) -> str:
    """Return a value; the parts of a time stand apart, as they do in a section."""
    told = node.get("value", "")
    time = _TIME.fullmatch(told) if _name(node) in _TIMES else None
    if time is None:
        return told
    day, clock, zone = time.groups("")
    days = "-".join(filter(None, (day[:4], day[4:6], day[6:])))
    hours = ":".join(filter(None, (clock[:2], clock[2:4], clock[4:])))
    return " ".join(filter(None, (days, hours, zone and f"{zone[:3]}:{zone[3:]}")))


def _seen(text: str) -> str:
    return _UNSEEN.sub("\ufffd", text)


def _name(node: Node) -> str:
    """Return the local name of a CDA element, ``""`` for one of another kind."""
    tag = str(node.tag)
    return tag[_CUT:] if tag.startswith(f"{{{HL7}}}") else ""


def _all(node: Node, path: str) -> list[Node]:
    found = node.xpath(path, namespaces=_H)
    return list(found) if isinstance(found, list) else []  # type: ignore[arg-type]
