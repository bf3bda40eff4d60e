"""Python steps of this site: what the edit steps cannot say."""

from engine.hl7 import Message
from engine.transforms import StepContext

CONTINUES = "+"


def merge_continuation_lines(message: Message, context: StepContext) -> None:
    """Join NTE segments that continue the one above: their text begins with ``+``."""
    joined = 0
    above = None
    for segment in list(message.segments):
        text = segment.raw(3) if segment.id == "NTE" else ""
        if above is not None and text.startswith(CONTINUES):
            above.put(3, f"{above.raw(3)} {text.removeprefix(CONTINUES).strip()}")
            message.remove(segment)
            joined += 1
        else:
            above = segment if segment.id == "NTE" else None
    if joined:
        context.flag(f"{joined} note lines joined")
