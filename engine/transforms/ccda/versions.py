"""Which document this is: its id, its set, its number, and the one it follows.

A set is one series of versions. The same message rendered again under the same revision
gives the same id, so a repeated rendering is the same document.
"""

import hashlib
from dataclasses import dataclass
from typing import Final
from uuid import uuid5

from lxml import etree

from engine.transforms.ccda.elements import HL7, Element, element
from engine.transforms.ccda.rendering import NAMESPACE
from engine.transforms.ccda.site import CdaSite

REPLACES: Final = "RPLC"
APPENDS: Final = "APND"


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The document this one replaces or appends to, with set and number if known."""

    document_id: str
    relation: str = REPLACES
    set_id: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """Which document of which series is to be rendered.

    ``series`` names the set below the site's root: see `Planned.series`. ``message_id``
    and ``revision`` are those of the message and channel that cause the rendering.
    """

    series: str
    number: int = 1
    message_id: str = ""
    revision: str = ""
    predecessor: Predecessor | None = None


def set_id(site: CdaSite, version: Version) -> str:
    """Return the extension of ``setId`` below the site's root.

    The set of a note begins with the number its source gave it.
    """
    kind, *rest = version.series.split("|")
    number = f"{rest[1]}:" if kind == "note" and len(rest) > 1 else ""
    return number + str(uuid5(NAMESPACE, f"set|{site.root}|{version.series}"))


def document_id(site: CdaSite, version: Version) -> str:
    """Return the extension of the document ``id`` below the site's root."""
    names = ("document", site.root, version.series, str(version.number))
    name = "|".join((*names, version.message_id, version.revision))
    return str(uuid5(NAMESPACE, name))


def foreign_document_id(site: CdaSite, number: str) -> str:
    """Return an id for a document never rendered here, from its source's number."""
    return f"{number}:{uuid5(NAMESPACE, f'foreign|{site.root}|{number}')}"


def version_elements(site: CdaSite, version: Version) -> list[Element]:
    """Return ``id``, ``setId``, ``versionNumber`` and ``relatedDocument``."""
    made = [
        _below(site, "id", document_id(site, version)),
        _below(site, "setId", set_id(site, version)),
        Element("versionNumber", {"value": str(version.number)}, []),
    ]
    return [*made, *_related(site, version.predecessor)]


def _related(site: CdaSite, parent: Predecessor | None) -> list[Element]:
    if parent is None:
        return []
    in_set = []
    if parent.set_id:
        in_set = [
            _below(site, "setId", parent.set_id),
            Element("versionNumber", {"value": str(parent.number)}, []),
        ]
    document = element(
        "parentDocument", None, _below(site, "id", parent.document_id), in_set
    )
    return [element("relatedDocument", {"typeCode": parent.relation}, document)]


def _below(site: CdaSite, name: str, extension: str) -> Element:
    return Element(name, {"root": site.root, "extension": extension}, [])


OWN_DOCUMENTS: Final = etree.XMLParser(
    resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
)
"""Reads what was rendered here; nothing outside the bytes is ever opened."""

_CHANGES_ALWAYS: Final = ("id", "effectiveTime", "versionNumber", "relatedDocument")


def content_hash(document: bytes) -> bytes:
    """Return a digest of what a rendered document says.

    Left out is what differs between two renderings of the same facts: id, time, version
    number, related document, time of the authors and the end of the care period.
    """
    tree = etree.fromstring(document, OWN_DOCUMENTS)
    changing = [*_CHANGES_ALWAYS, "author/{*}time"]
    changing.append("documentationOf/{*}serviceEvent/{*}effectiveTime/{*}high")
    for path in changing:
        for found in tree.findall(f"{{{HL7}}}{path}"):
            parent = found.getparent()
            if parent is not None:
                parent.remove(found)
    return hashlib.sha256(etree.tostring(tree, method="c14n")).digest()
