"""An HL7 v2 message on its way out: the bytes in the charset the receiver wants.

Spec:
    protocol.md E55: what a set cannot hold is never replaced by something else.
"""

import re

from engine.hl7 import Message
from engine.hl7.charsets import codec_for, encode
from engine.hl7.escapes import spell, unspell

_CHARSET, _SWITCHING = 18, 20


def encoded(
    message: Message, charset: str = "", unrepresentable: str = "error"
) -> bytes:
    """Return the message as bytes, byte for byte as received when nothing changed.

    Args:
        message: edited or not; with another charset its MSH-18 is written.
        charset: table 0211 name, checked when the channel was loaded; ``""`` keeps the
            charset as received.
        unrepresentable: ``error``, ``escape`` or ``transliterate``.

    Raises:
        TransformError: ``unrepresentable``, where that says ``error``, or where there
            is neither an escape nor a simpler form.
    """
    if not charset and not message.is_changed:
        return message.data
    codec, text = message.charset, message.text
    if charset:
        codec = codec_for(charset) or codec
        text = _relabelled(message, charset)
    if unrepresentable == "escape":
        text = spell(text, message.delimiters, codec)
    return encode(text, codec, unrepresentable)


def _relabelled(message: Message, charset: str) -> str:
    """Return the text with its new MSH-18 and with escapes that mean the same there.

    MSH-20 goes: it told how to switch between the sets that MSH-18 named.
    """
    twin, marks = message.copy(), message.delimiters
    header = twin.segments[0]
    header.put(_CHARSET, charset)
    if header.raw(_SWITCHING):
        header.put(_SWITCHING, "")
    borders = (marks.field, marks.component, marks.repetition, marks.subcomponent)
    leaf = re.compile(f"[^{re.escape(''.join(borders))}\r]+")
    return leaf.sub(lambda found: unspell(found[0], marks, message.charset), twin.text)
