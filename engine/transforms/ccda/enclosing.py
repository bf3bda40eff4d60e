"""The HL7 v2 message that carries a C-CDA document: MDM, the document as base64 in OBX.

Both ways in and out use it. A document that comes in by itself is enclosed as it stands
before anything is read of it; `incoming` then tells from its header whose it is. So is
a zip file: once for each document in it, as a batch.

Spec:
    HL7 v2.5.1, chapter 9 (MDM^T02), chapter 2A.24 (ED).
"""

import base64
import hashlib
from datetime import datetime
from typing import Final

from engine.errors import TransformError
from engine.transforms.ccda.unpacking import Package, is_package
from engine.transforms.document_forms import HEAD_BYTES, looks_like_document

MAX_BATCH_BYTES: Final = 64 * 1024 * 1024
TOO_MANY: Final = 0
"""OBX-4 of a package that would grow too large as a message for each document."""

CONTROL_ID_DIGITS: Final = 20
"""MSH-10 holds no more in the versions most receivers know."""


def control_id_of(document: bytes) -> str:
    """Return a control id that is the same for the same document."""
    return hashlib.sha256(document).hexdigest()[:CONTROL_ID_DIGITS].upper()


def carried(data: bytes, at: datetime) -> bytes:
    """Return a document in the message that carries it; anything else as it is.

    A zip file becomes a message, or a batch of them, each with the whole file and, in
    OBX-4, which of its documents the message is about. One that cannot be read, or
    holds no document, is enclosed too: whoever opens the message is told why.
    """
    if looks_like_document(data):
        return enclosed(data, at)
    if not is_package(data):
        return data
    try:
        count = len(documents_of(Package(data)))
    except TransformError:
        count = 0
    if count < 2:  # noqa: PLR2004 - more than one
        return _packed(data, at, 1)
    if count * len(data) > MAX_BATCH_BYTES:
        return _packed(data, at, TOO_MANY)
    name = control_id_of(data)
    stamp = f"{at:%Y%m%d%H%M%S%z}"
    messages = b"".join(_packed(data, at, number) for number in range(1, count + 1))
    opening = f"BHS|^~\\&|CDA||||{stamp}||||{name}\r".encode("ascii")
    return opening + messages + f"BTS|{count}\r".encode("ascii")


def documents_of(package: Package) -> list[int]:
    """Return the places of the C-CDA documents in a package."""
    heads = package.heads(HEAD_BYTES)
    return [place for place, head in enumerate(heads) if looks_like_document(head)]


def _packed(package: bytes, at: datetime, number: int) -> bytes:
    name = control_id_of(b"%d|" % number + package)
    return _message(package, at, "CDA", name, "zip", str(number))


def enclosed(document: bytes, at: datetime, sender: str = "CDA") -> bytes:
    """Return a message with a document in it, and nothing read from the document.

    Args:
        document: the bytes, kept as they are.
        at: aware time of the message.
        sender: MSH-3.
    """
    return _message(document, at, sender, control_id_of(document), "xml")


def _message(
    content: bytes, at: datetime, sender: str, name: str, kind: str, number: str = ""
) -> bytes:
    stamp = f"{at:%Y%m%d%H%M%S%z}"
    held = base64.b64encode(content).decode("ascii")
    about = f"{stamp}||MDM^T02^MDM_T02|{name}|P|2.5.1||||||UNICODE UTF-8"
    segments = (
        f"MSH|^~\\&|{sender}||||{about}",
        "EVN",  # its time comes later: the same document sent again is the same message
        "TXA|1|",
        f"OBX|1|ED||{number}|^application^{kind}^Base64^{held}||||||F",
    )
    return ("\r".join(segments) + "\r").encode("ascii")
