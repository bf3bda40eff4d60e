"""Read a C-CDA document that somebody else wrote.

Spec:
    security.md S28; cda.md 15, *Reading*.
"""

from typing import Final

from engine.errors import TransformError
from engine.transforms.ccda.elements import HL7
from engine.transforms.ccda.linkage import Node
from engine.transforms.foreign_xml import root_of

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
    try:
        root = root_of(data, MAX_BYTES, MAX_TAGS)
    except TransformError as error:
        raise _refused(str(error), f"document-{error.code}") from None
    if root.tag != _ROOT:
        raise _refused("its root is no ClinicalDocument of HL7", "document-root")
    return root


def _refused(why: str, code: str) -> TransformError:
    return TransformError(f"the C-CDA document is refused: {why}", code)
