"""MSH-18 and bytes to text, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from engine.hl7.conformance import Finding

CODECS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ASCII": "ascii",
        "UNICODE UTF-8": "utf-8",
        "UTF-8": "utf-8",
        "UTF8": "utf-8",
        **{f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    }
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a message, the Python codec that gave it, and what was odd."""

    text: str
    codec: str
    findings: tuple[Finding, ...] = ()


def decode(data: bytes, declared: Sequence[str], fallback: str) -> Decoded:
    """Return the text of ``data``, never with replaced characters.

    Args:
        data: a whole message.
        declared: repetitions of MSH-18, or the channel's forced set; may be empty.
        fallback: table 0211 name for bytes that nothing else explains.
    """
    if data.isascii():
        return Decoded(data.decode("ascii"), "ascii")
    wanted = [CODECS[name] for name in declared[:1] if name in CODECS]
    for codec in (*wanted, "utf-8", CODECS.get(fallback, "iso8859-1"), "iso8859-1"):
        try:
            return Decoded(data.decode(codec), codec)
        except UnicodeDecodeError:
            continue
    raise AssertionError("ISO 8859-1 decodes every byte")
