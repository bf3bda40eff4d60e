"""XML that somebody else wrote, read without trusting a byte of it.

Nothing outside the bytes is opened, no entity is expanded, and what is too large, too
deep or declares a document type is refused before anything is done with it.

Spec:
    security.md S28.
"""

from lxml import etree

from engine.errors import TransformError

Node = etree._Element  # noqa: SLF001 - lxml has no public name for its elements


def root_of(data: bytes, most_bytes: int, most_tags: int) -> Node:
    """Return the root element, without comments and processing instructions.

    Raises:
        TransformError: with code ``size``, ``type`` (it declares a document type) or
            ``xml`` (it is not well-formed). The sentence holds nothing of its content.
    """
    if len(data) > most_bytes:
        raise TransformError(f"it is larger than {most_bytes} bytes", "size")
    if data.count(b"<") > most_tags:
        raise TransformError(f"it has more than {most_tags} tags", "size")
    if b"<!DOCTYPE" in data or b"<!\0D\0O\0C" in data or b"<\0!\0D\0O\0C" in data:
        raise _typed()
    try:
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, ValueError):
        raise TransformError("it is not well-formed XML", "xml") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _typed()
    return root


def _typed() -> TransformError:
    return TransformError("it declares a document type", "type")


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
