"""The HL7 v2 message that carries a C-CDA document: MDM, the document as base64 in OBX.

Both ways in and out use it. A document that comes in by itself is enclosed as it stands
before anything is read of it; `incoming` then tells from its header whose it is.

Spec:
    HL7 v2.5.1, chapter 9 (MDM^T02), chapter 2A.24 (ED).
"""

import base64
import hashlib
import re
from datetime import datetime
from typing import Final

START_BYTES: Final = 16
HEAD_BYTES: Final = 65_536
_OPENING: Final = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?ClinicalDocument[\s>/]")
CONTROL_ID_DIGITS: Final = 20
"""MSH-10 holds no more in the versions most receivers know."""


def looks_like_document(data: bytes) -> bool:
    """Whether bytes may be a C-CDA document: a bounded scan, no parser."""
    if b"<" not in data[:START_BYTES]:
        return False
    head = data[:HEAD_BYTES].replace(b"\0", b"")  # UTF-16 has one in every second place
    return _OPENING.search(head) is not None


def control_id_of(document: bytes) -> str:
    """Return a control id that is the same for the same document."""
    return hashlib.sha256(document).hexdigest()[:CONTROL_ID_DIGITS].upper()


def carried(data: bytes, at: datetime) -> bytes:
    """Return a document in the message that carries it; anything else as it is."""
    return enclosed(data, at) if looks_like_document(data) else data


def enclosed(document: bytes, at: datetime, sender: str = "CDA") -> bytes:
    """Return a message with a document in it, and nothing read from the document.

    Args:
        document: the bytes, kept as they are.
        at: aware time of the message.
        sender: MSH-3.
    """
    stamp = f"{at:%Y%m%d%H%M%S%z}"
    control_id = control_id_of(document)
    content = base64.b64encode(document).decode("ascii")
    about = f"{stamp}||MDM^T02^MDM_T02|{control_id}|P|2.5.1||||||UNICODE UTF-8"
    segments = (
        f"MSH|^~\\&|{sender}||||{about}",
        f"EVN||{stamp}",
        "TXA|1|",
        f"OBX|1|ED|||^application^xml^Base64^{content}||||||F",
    )
    return ("\r".join(segments) + "\r").encode("ascii")
