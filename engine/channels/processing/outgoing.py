"""An HL7 v2 message on its way out: the bytes in the charset the receiver wants."""

from collections.abc import Iterator

from engine.errors import TransformError
from engine.hl7 import Message
from engine.hl7.charsets import codec_for, encode


def encoded(
    message: Message, charset: str = "", unrepresentable: str = "error"
) -> bytes:
    """Return the message as bytes, byte for byte as received when nothing changed.

    Args:
        message: edited or not; with another charset its MSH-18 is written.
        charset: table 0211 name; ``""`` keeps the charset as received.
        unrepresentable: ``error``, ``escape`` or ``transliterate``.

    Raises:
        TransformError: ``unrepresentable``, where that says ``error``.
    """
    if not charset:
        return message.encode()
    codec = codec_for(charset)
    if codec is None:
        raise TransformError(f"no codec for the charset {charset}", "unrepresentable")
    message = message.copy()
    message.segments[0].put(18, charset)
    text = "\r".join(each.encoded for each in message.segments) + "\r"
    if unrepresentable == "escape":
        text = "".join(_escaped(text, codec, message.delimiters.escape))
    return encode(text, codec, unrepresentable)


def _escaped(text: str, codec: str, escape: str) -> Iterator[str]:
    r"""Give each character, or its UTF-8 bytes as ``\X..\`` where it has no place."""
    for character in text:
        try:
            character.encode(codec)
        except UnicodeEncodeError:
            yield f"{escape}X{character.encode().hex().upper()}{escape}"
        else:
            yield character
