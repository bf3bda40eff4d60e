"""MSH alone, as bytes: what accepting and acknowledging need, for a few microseconds.

The rest of the message is neither split nor decoded.
"""

import re
from dataclasses import dataclass
from typing import Final

from engine.errors import ParseError
from engine.hl7.charsets import codec_for
from engine.hl7.delimiters import STANDARD, Delimiters, read_delimiters

BOM: Final = b"\xef\xbb\xbf"
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"M\0S\0", b"\0M\0S", b"M\0\0\0", b"\0\0\0M")
_USUAL: Final = b"MSH|^~\\&|"
_TRUNCATING: Final = ("2.7", "2.8", "2.9")
_SHORTEST: Final = len(b"MSH|^")
_DOUBLE_BYTE: Final = re.compile(
    rb"GB ?18030|BIG-?5|KS X 1001|ISO IR ?(?:14|87|159)|SHIFT_JIS"
)
_VERSION_FIELD, _CHARSET_FIELD = 12, 18


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of one MSH as they were sent, encoded.

    ``fields`` is MSH cut at its separator, so that MSH-n stands at n - 1; read it with
    `raw`.
    """

    delimiters: Delimiters
    fields: list[bytes]

    def raw(self, number: int) -> bytes:
        """Return MSH-``number`` as it was sent; ``b""`` when it was not."""
        return self.fields[number - 1] if number <= len(self.fields) else b""

    def part(self, number: int, component: int = 1) -> str:
        """Return one component, its bytes read as ISO 8859-1, escapes untouched."""
        text, mark = self.raw(number).decode("latin-1"), self.delimiters.component
        if mark not in text:
            return text if component == 1 else ""
        parts = text.split(mark)
        return parts[component - 1] if component <= len(parts) else ""

    @property
    def control_id(self) -> bytes:
        """MSH-10, byte for byte."""
        return self.raw(10)

    def named(self, control_id: bytes) -> "Header":
        """Return the same MSH under another MSH-10."""
        return Header(
            self.delimiters, [*self.fields[:9], control_id, *self.fields[10:]]
        )

    @property
    def message_type(self) -> str:
        """MSH-9.1, such as ``ADT``."""
        return self.part(9)

    @property
    def trigger_event(self) -> str:
        """MSH-9.2, such as ``A01``."""
        return self.part(9, 2)

    @property
    def processing_id(self) -> str:
        """MSH-11.1: ``P``, ``T`` or ``D``."""
        return self.part(11)

    @property
    def version(self) -> str:
        """MSH-12.1, or ``""``."""
        return self.part(_VERSION_FIELD)

    @property
    def sequence(self) -> str:
        """MSH-13, the sequence number, or ``""``."""
        return self.part(13)

    @property
    def accept_ack(self) -> str:
        """MSH-15, table 0155: when an accept acknowledgment is wanted."""
        return self.part(15)

    @property
    def application_ack(self) -> str:
        """MSH-16, table 0155: when an application acknowledgment is wanted."""
        return self.part(16)

    @property
    def charsets(self) -> list[str]:
        """The repetitions of MSH-18, empty ones left out."""
        text = self.raw(_CHARSET_FIELD).decode("latin-1")
        mark = self.delimiters.repetition
        names = text.split(mark) if mark else [text]
        return [name.strip() for name in names if name.strip()]


def read_header(data: bytes) -> Header:
    """Return MSH of the message that ``data`` begins with.

    The segment ends at its first CR, or at its first LF in a message without CR.

    Raises:
        ParseError: there is no MSH, it ends before MSH-2 or its delimiters cannot be;
            ``code`` and ``location`` say what to answer.
    """
    start = len(BOM) if data.startswith(BOM) else 0
    end = data.find(b"\r", start)
    if end < 0:
        end = data.find(b"\n", start)
    msh = data[start:end] if end >= 0 else data[start:]
    if msh.startswith(_USUAL):
        return Header(STANDARD, _cut(msh, b"|"))
    return _read_unusual(msh)


def _read_unusual(msh: bytes) -> Header:
    if msh.startswith(_WIDE):
        raise ParseError("charset not supported by MLLP: UTF-16 or UTF-32", code="199")
    if not msh.startswith(b"MSH"):
        raise ParseError("the message does not begin with MSH", code="100")
    if len(msh) < _SHORTEST:
        raise ParseError("MSH ends before MSH-9", code="101", location="MSH^1^9")
    mark = msh[3:4]
    fields = _cut(msh, mark)
    if not (mark + fields[1]).isascii():
        raise ParseError("a delimiter is not ASCII", code="199", location="MSH^1^2")
    encoding = fields[1].decode("ascii")
    version = re.split(rb"[^0-9.]", fields[11])[0] if len(fields) > 11 else b""  # noqa: PLR2004 - MSH-12
    truncates = version.decode("ascii").startswith(_TRUNCATING)
    return Header(
        read_delimiters(mark.decode("ascii"), encoding, truncates=truncates), fields
    )


def _cut(msh: bytes, mark: bytes) -> list[bytes]:
    """Split at the field separator, but not inside a character of two bytes."""
    if msh.isascii() and b"\x1b" not in msh:
        return msh.split(mark)
    for name in _DOUBLE_BYTE.findall(msh):
        codec = codec_for(name.decode("ascii"))
        try:
            parts = msh.decode(codec or "").split(mark.decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            continue
        return [part.encode(codec or "") for part in parts]
    return msh.split(mark)
