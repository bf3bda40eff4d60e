"""Read a C-CDA document that somebody else wrote, without trusting a byte of it.

Nothing outside the bytes is opened, no entity is expanded, and what is too large, too
deep or declares a document type is refused before anything is done with it.

Spec:
    security.md S28; cda.md 15, *Reading*.
"""

from typing import Final

from lxml import etree

from engine.errors import TransformError
from engine.transforms.ccda.elements import HL7
from engine.transforms.ccda.linkage import Node

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_TAGS: Final = 500_000
"""Tags of one document; a record of many years has some ten thousand."""

_ROOT: Final = f"{{{HL7}}}ClinicalDocument"


def read_document(data: bytes) -> Node:
    """Return the root element of a C-CDA document.

    Raises:
        TransformError: it is too large, declares a document type, is not well-formed
            or is no clinical document. The sentence holds nothing of its content.
    """
    if len(data) > MAX_BYTES:
        raise _refused(f"it is larger than {MAX_BYTES} bytes", "document-size")
    if data.count(b"<") > MAX_TAGS:
        raise _refused(f"it has more than {MAX_TAGS} tags", "document-size")
    if b"<!DOCTYPE" in data or b"<!\0D\0O\0C" in data or b"<\0!\0D\0O\0C" in data:
        raise _refused("it declares a document type", "document-type")
    try:
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, ValueError):
        raise _refused("it is not well-formed XML", "document-xml") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _refused("it declares a document type", "document-type")
    if root.tag != _ROOT:
        raise _refused("its root is no ClinicalDocument of HL7", "document-root")
    return root


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _refused(why: str, code: str) -> TransformError:
    return TransformError(f"the C-CDA document is refused: {why}", code)
