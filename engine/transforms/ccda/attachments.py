"""Attachments: where the resources hold them, and how one becomes a document's body."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.errors import TransformError
from engine.transforms.ccda.elements import Element, element
from engine.transforms.ccda.facts import (
    Facts,
    Focus,
    Resource,
    child,
    children,
    text,
)
from engine.transforms.ccda.site import CdaSite

MEDIA_TYPES: Final = frozenset(
    (
        *("application/pdf", "application/msword"),
        *("text/plain", "text/rtf", "text/html"),
        *("image/gif", "image/jpeg", "image/png", "image/tiff"),
    )
)
"""What an Unstructured Document may hold; the rules state it and do not test it.

Spec:
    C-CDA R2.1, Unstructured Document, CONF 1198-7623, 1198-7624.
"""
SAME_AS: Final = {
    "application/rtf": "text/rtf",
    "image/jpg": "image/jpeg",
    "image/tif": "image/tiff",
}
SOURCE_MESSAGE: Final = "x-application/hl7-v2+er7"
LINK_SCHEMES: Final = frozenset({"", "http", "https", "ftp", "urn"})
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attachment and the resource that holds it."""

    focus: Focus
    holder: Resource
    content: Resource

    @property
    def media_type(self) -> str:
        """The media type in lower case, without parameters."""
        plain = text(self.content, "contentType").partition(";")[0].strip().lower()
        return SAME_AS.get(plain, plain)

    @property
    def is_note(self) -> bool:
        """Whether it is what a note says, and stands."""
        is_document = self.holder.get("resourceType") == "DocumentReference"
        return is_document and text(self.holder, "status") == "current"


def attachments(facts: Facts) -> list[Attachment]:
    """Return every attachment with content or a link, in the order of the facts."""
    return [
        Attachment(Focus(url, index), holder, content)
        for url, holder in facts.of(
            "DocumentReference", "DiagnosticReport", "Observation"
        )
        for index, content in enumerate(_contents(holder, facts))
        if (text(content, "data") or text(content, "url"))
        and not is_source_message(holder)
    ]


def is_source_message(holder: Resource) -> bool:
    """Whether a resource holds the message itself, kept for its provenance."""
    return any(
        text(item, "attachment", "contentType") == SOURCE_MESSAGE
        for item in children(holder, "content")
    )


def _contents(holder: Resource, facts: Facts) -> Iterator[Resource]:
    """Yield the attachments of one resource, with the content of a Binary put in."""
    kind = holder.get("resourceType")
    if kind == "DocumentReference":
        found = [child(item, "attachment") for item in children(holder, "content")]
    elif kind == "DiagnosticReport":
        found = children(holder, "presentedForm") or _report_text(holder, facts)
    else:
        found = [
            child(item, "valueAttachment") for item in children(holder, "extension")
        ]
    for attachment in found:
        binary = facts.resources.get(text(attachment, "url"), {})
        if binary.get("resourceType") == "Binary":
            yield {**attachment, "data": binary.get("data")}
        else:
            yield attachment


def _report_text(report: Resource, facts: Facts) -> list[Resource]:
    """Return a report sent as lines of text, as one attachment.

    Only a report whose every result is text, one of them of several lines, is one.
    """
    urls = [
        facts.url_of(text(item, "reference")) for item in children(report, "result")
    ]
    results = [facts.resources.get(url, {}) for url in urls]
    said = [text(result, "valueString") for result in results]
    if not all(said) or not any("\n" in part for part in said):
        return []
    data = base64.b64encode("\n".join(said).encode("utf-8", "replace")).decode()
    return [{"contentType": "text/plain", "data": data}]


def body(attachment: Attachment, site: CdaSite) -> Element:
    """Return the body of an Unstructured Document.

    Raises:
        TransformError: type, size or encoding cannot be sent; never a shortened text.
    """
    if not text(attachment.content, "data"):
        return _reference(attachment)
    media_type = attachment.media_type
    if media_type not in MEDIA_TYPES:
        raise TransformError(
            f"an attachment of type {media_type or 'unknown'} cannot be sent as C-CDA",
            "media-type",
        )
    data = "".join(text(attachment.content, "data").split())
    _check(data, media_type, site)
    attributes = {"mediaType": media_type, "representation": "B64"}
    return element("nonXMLBody", None, Element("text", attributes, [], data))


def _check(data: str, media_type: str, site: CdaSite) -> None:
    try:
        content = base64.b64decode(data, validate=True)
    except ValueError as error:
        raise TransformError(
            "an attachment is not valid base64", "attachment-encoding"
        ) from error
    if media_type == "application/pdf" and b"%PDF-" not in content[:1024]:
        raise TransformError("an attachment says PDF and is none", "attachment-type")
    if len(content) > site.max_attachment:
        raise TransformError(
            f"an attachment of {len(content)} bytes is over the limit of "
            f"{site.max_attachment} bytes",
            "attachment-size",
        )


def _reference(attachment: Attachment) -> Element:
    """Return a body that only points elsewhere; nothing is fetched."""
    url = text(attachment.content, "url")
    scheme = _SCHEME.match(url)
    if (scheme[1].lower() if scheme else "") not in LINK_SCHEMES:
        raise TransformError(
            "an attachment has a link of a kind we do not send", "link"
        )
    media_type = {"mediaType": attachment.media_type} if attachment.media_type else {}
    link = Element("reference", {"value": re.sub(r"\s", "%20", url)}, [])
    return element("nonXMLBody", None, element("text", media_type, link))


def plain_text(attachment: Attachment) -> str:
    """Return the content of a text attachment, or ``""`` for any other."""
    if attachment.media_type != "text/plain":
        return ""
    data = text(attachment.content, "data")
    try:
        return base64.b64decode(data, validate=True).decode("utf-8", "replace")
    except ValueError:
        return ""
