"""Why a message is refused at the door, as the ERR segments that say so."""

from typing import Final

from engine.hl7.acknowledgment import AckFault

NOT_PROCESSED: Final = "the message was stored and could not be processed"
NOT_STORED: Final = AckFault("207", severity="F", text="the message was not stored")
REUSED: Final = AckFault(
    "207",
    location="MSH^1^10",
    text="this control id came before with other content",
    application_code="102",
)
OUT_OF_SEQUENCE: Final = AckFault(
    "199", location="MSH^1^13", text="this is not the sequence number expected"
)
NO_QUERY: Final = AckFault(
    "200", location="MSH^1^9", text="this listener answers queries alone"
)
NOTHING_CONTINUED: Final = AckFault(
    "100", location="MSH^1^14", text="no message awaits this fragment"
)
