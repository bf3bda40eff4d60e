"""ED and RP: encapsulated data and pointers to Attachment.

Spec:
    fhir.md T09.
"""

import re
from base64 import b64encode
from binascii import Error, a2b_base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from engine.hl7 import Repetition
from engine.transforms.fhir.datatypes import formatted, plain, put
from engine.transforms.fhir.mapped import Element

_MEDIA_TYPE: Final = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+", re.IGNORECASE | re.ASCII)
_LINE_ENDS: Final = re.compile(r"\s+|\\\.br\\|\\X0[DAda]\\")
_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "AP": "application", "APPLICATION": "application", "AU": "audio",
        "AUDIO": "audio", "IM": "image", "IMAGE": "image", "TX": "text",
        "TEXT": "text", "FT": "text", "SI": "image", "NS": "image",
        "MULTIPART": "multipart", "VIDEO": "video",
    }
)  # fmt: skip
_SUBTYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "PDF": "application/pdf", "RTF": "text/rtf", "HTML": "text/html",
        "XML": "text/xml", "JPEG": "image/jpeg", "JPG": "image/jpeg",
        "TIFF": "image/tiff", "TIF": "image/tiff", "GIF": "image/gif",
        "PNG": "image/png", "PLAIN": "text/plain", "TXT": "text/plain",
        "TEXT": "text/plain", "DICOM": "application/dicom", "BASIC": "audio/basic",
    }
)  # fmt: skip


def content_type(kind: str, subtype: str) -> str:
    """Return the media type that ED.2 and ED.3 (or RP.3 and RP.4) name."""
    kind, subtype = kind.strip(), subtype.strip()
    for text in (subtype, kind):
        if _MEDIA_TYPE.fullmatch(text):
            return text.lower()
    if known := _SUBTYPES.get(subtype.upper()):
        return known
    major = _TYPES.get(kind.upper())
    if major and subtype and _MEDIA_TYPE.fullmatch(f"{major}/{subtype}"):
        return f"{major}/{subtype.lower()}"
    if known := _SUBTYPES.get(kind.upper()):
        return known
    return "text/plain" if major == "text" else "application/octet-stream"


def encapsulated(source: Repetition) -> Element:
    """Return one ED as Attachment; ``{}`` where its data cannot be read."""
    _, kind, subtype, encoding, data = source.strings(5)
    found: Element = {"contentType": content_type(kind, subtype)}
    encoded = _as_base64(encoding.strip().upper(), data)
    if not encoded:
        return {}
    found["data"] = encoded
    return found


def _as_base64(encoding: str, data: str) -> str:
    if encoding == "BASE64":
        packed = _LINE_ENDS.sub("", data)
        try:
            a2b_base64(packed, strict_mode=True)
        except (Error, ValueError):
            return ""
        return packed
    if encoding == "HEX":
        try:
            return b64encode(bytes.fromhex(_LINE_ENDS.sub("", data))).decode("ascii")
        except ValueError:
            return ""
    return text_data(formatted(data))


def text_data(text: str) -> str:
    """Return text as base64 of its UTF-8 bytes."""
    return b64encode(text.encode()).decode("ascii")


def pointer(source: Repetition) -> Element:
    """Return one RP as Attachment with a URL; ``{}`` without a pointer."""
    address, _, kind, subtype = source.strings(4)
    url = "".join(plain(address).split())
    if not url:
        return {}
    found: Element = {"url": url}
    if kind or subtype:
        put(found, "contentType", content_type(kind, subtype))
    return found
