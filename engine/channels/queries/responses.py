"""Answers to queries in HL7 v2: MSH, MSA, ERR, QAK, QPD, and who was found.

An answer is written in HL7's own delimiters and in UTF-8, whatever the asker uses.

Spec:
    identity.md 11; HL7 v2.5.1 chapter 5, 5.5.2 (QAK), 5.5.5 (QRI); chapter 2, 2.15.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from engine.hl7 import Message
from engine.hl7.acknowledgment import CONDITIONS, AckFault
from engine.hl7.delimiters import STANDARD, Delimiters
from engine.hl7.dictionary import DEFAULT_VERSION
from engine.hl7.escapes import decode, encode

ANSWERS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "Q23": ("K23", "RSP_K23"),
        "Q22": ("K22", "RSP_K21"),
        "ZV1": ("ZV2", "RSP_ZV2"),
    }
)
"""Trigger event of a query to event and structure of its answer."""


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered: the status (QAK-2), and the segments of those found.

    ``counts`` are QAK-4 to 6: hits in all, in this answer, still to come.
    """

    status: str
    segments: Sequence[str] = ()
    fault: AckFault | None = None
    counts: tuple[int, ...] = ()
    pointer: str = ""
    persons: tuple[str, ...] = field(default=())

    @property
    def code(self) -> str:
        """MSA-1: nothing found is an answer, too."""
        return self.status if self.status in {"AE", "AR"} else "AA"


def write(
    asked: Message, response: Response, *, now: datetime, control_id: str
) -> bytes:
    """Return a whole answer to a query."""
    event, structure = ANSWERS[asked.trigger_event]
    qpd = asked.first("QPD")
    echo = "" if qpd is None else recoded(qpd.encoded[4:], asked.delimiters)
    name, _, rest = echo.partition("|")
    tag = rest.partition("|")[0]
    qak = ["QAK", tag, response.status, name, *map(str, response.counts)]
    lines = [
        _msh(asked, f"RSP^{event}^{structure}", now, control_id),
        _msa(asked, response.code),
        *([] if response.fault is None else [_err(response.fault)]),
        "|".join(qak),
        *([f"QPD|{echo}"] if echo else []),
        *response.segments,
        *([f"DSC|{response.pointer}|I"] if response.pointer else []),
    ]
    return "".join(f"{line}\r" for line in lines).encode("utf-8", "replace")


def acknowledge_cancel(asked: Message, *, now: datetime, control_id: str) -> bytes:
    """Return the answer to QCN^J01."""
    lines = [_msh(asked, "ACK^J01^ACK", now, control_id), _msa(asked, "AA")]
    return "".join(f"{line}\r" for line in lines).encode()


def _msh(asked: Message, kind: str, now: datetime, control_id: str) -> str:
    msh = asked.segments[0]
    fields = [""] * 18
    fields[0:2] = "MSH", "^~\\&"
    for ours, theirs in ((2, 5), (3, 6), (4, 3), (5, 4), (10, 11), (11, 12)):
        fields[ours] = recoded(msh.raw(theirs), asked.delimiters)
    fields[6] = f"{now:%Y%m%d%H%M%S%z}"
    fields[8:10] = kind, control_id
    fields[10] = fields[10] or "P"
    fields[11] = fields[11] or DEFAULT_VERSION
    fields[17] = "UNICODE UTF-8"
    return "|".join(fields)


def _msa(asked: Message, code: str) -> str:
    return f"MSA|{code}|{recoded(asked.segments[0].raw(10), asked.delimiters)}"


def _err(fault: AckFault) -> str:
    condition = f"{fault.code}^{CONDITIONS[fault.code]}^HL70357"
    text = encode(fault.text, STANDARD)
    return f"ERR||{fault.location}|{condition}|E||||{text}"


def recoded(raw: str, marks: Delimiters) -> str:
    """Return encoded text of a message in HL7's own delimiters."""
    if marks == STANDARD:
        return raw
    pairs = [
        (marks.field, "|"),
        (marks.repetition, "~"),
        (marks.component, "^"),
        (marks.subcomponent, "&"),
    ]
    return _split(raw, pairs, marks)


def _split(raw: str, pairs: list[tuple[str, str]], marks: Delimiters) -> str:
    if not pairs:
        return encode(decode(raw, marks), STANDARD)
    (theirs, ours), *finer = pairs
    parts = raw.split(theirs) if theirs else [raw]
    return ours.join(_split(part, finer, marks) for part in parts)
