"""The resources a C-CDA document speaks of, where the extra for it is installed.

The engine itself reads no more of a foreign document than its header. What the entries
say is mapped by the package ``ccda-to-fhir``, which comes with the extra
``interop-engine[documents]``; it gets a document that has passed our limits.
"""

import logging
import re
from typing import Final
from uuid import uuid5

import orjson
from lxml import etree

from engine.errors import TransformError
from engine.transforms.ccda.linkage import Node
from engine.transforms.ccda.rendering import NAMESPACE

_NAME: Final = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)
"""Names the package invents; others are derived and stay."""


def resources_in(root: Node) -> dict[str, object]:
    """Return a Bundle of what a document says, the same for the same document.

    Args:
        root: as `reading.read_document` gives it.

    Raises:
        TransformError: the extra is not installed, or the package gives up.
    """
    try:
        from ccda_to_fhir import convert_document
    except ImportError as error:
        raise TransformError(
            "reading the entries of a document needs interop-engine[documents]",
            "documents-extra",
        ) from error
    document = etree.tostring(root, encoding="unicode")
    logging.disable()  # the package logs what it reads
    try:
        made = convert_document(document)["bundle"]
    except Exception as error:
        raise TransformError(
            "ccda-to-fhir cannot read the entries of the document", "document-entries"
        ) from error
    finally:
        logging.disable(logging.NOTSET)
    return _steady(made, document)


def _steady(bundle: object, document: str) -> dict[str, object]:
    """Give the resources names that are the same each time."""
    names: dict[bytes, bytes] = {}

    def name(found: re.Match[bytes]) -> bytes:
        at = f"inside|{document}|{len(names)}"
        return names.setdefault(found[0], str(uuid5(NAMESPACE, at)).encode())

    known = set(_NAME.findall(document.encode()))
    content = orjson.dumps(bundle)
    renamed = _NAME.sub(lambda m: m[0] if m[0] in known else name(m), content)
    loaded: dict[str, object] = orjson.loads(renamed)
    return loaded
