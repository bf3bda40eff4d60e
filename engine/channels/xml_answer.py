"""Acknowledgments in HL7 v2.xml, for senders that wrote their message in it. Pure."""

from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape

from engine.hl7.acknowledgment import AckFault

_NAMESPACE: Final = "urn:hl7-org:v2xml"


def acknowledge_in_xml(
    echoed: bytes, code: str, faults: tuple[AckFault, ...], now: datetime, name: str
) -> bytes:
    """Return an ACK in v2.xml.

    Args:
        echoed: MSH.10 of the message as it stood there, escapes and all.
        code: MSA.1.
        faults: one ERR each.
        now: MSH.7, aware.
        name: MSH.10 of the acknowledgment itself.
    """
    time = f"<MSH.7><TS.1>{now:%Y%m%d%H%M%S%z}</TS.1></MSH.7>"
    head = (
        "<MSH><MSH.1>|</MSH.1><MSH.2>^~\\&amp;</MSH.2>"
        f"{time}<MSH.9><MSG.1>ACK</MSG.1></MSH.9><MSH.10>{escape(name)}</MSH.10>"
        "<MSH.11><PT.1>P</PT.1></MSH.11><MSH.12><VID.1>2.5.1</VID.1></MSH.12></MSH>"
    )
    msa = f"<MSA><MSA.1>{escape(code)}</MSA.1><MSA.2>".encode() + echoed
    tail = "</MSA.2></MSA>" + "".join(map(_fault, faults)) + "</ACK>"
    start = f'<?xml version="1.0" encoding="UTF-8"?><ACK xmlns="{_NAMESPACE}">{head}'
    return start.encode() + msa + tail.encode()


def _fault(fault: AckFault) -> str:
    return (
        f"<ERR><ERR.3><CWE.1>{escape(fault.code)}</CWE.1></ERR.3>"
        f"<ERR.4>{escape(fault.severity)}</ERR.4>"
        f"<ERR.8>{escape(fault.text)}</ERR.8></ERR>"
    )
