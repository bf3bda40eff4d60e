"""A zip file that came in, such as a package of XDM: the C-CDA documents in it.

Nothing is written to disk, so that names and paths in the package mean nothing; what
would grow too large is refused while it is read. A package inside a package is left
closed.

Spec:
    security.md S29; IHE ITI Cross-Enterprise Document Media Interchange (XDM).
"""

import lzma
import struct
import zipfile
import zlib
from io import BytesIO
from typing import Final

from engine.errors import TransformError
from engine.transforms.ccda.reading import MAX_BYTES

SIGNATURE: Final = b"PK\x03\x04"
MAX_ENTRIES: Final = 1_000
MAX_RATIO: Final = 100
FREE_BYTES: Final = 65_536
"""Any entry may grow to so much: little text packs better than the ratio allows."""

ABOUT: Final = frozenset({"README.TXT", "INDEX.HTM", "METADATA.XML", "CDA.xsl"})
"""Files of XDM that tell of the package, or how to show what is in it."""

_SECRET: Final = 0x1
_UNREADABLE: Final = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(OSError, ValueError, RuntimeError, NotImplementedError, OverflowError),
)


def is_package(data: bytes) -> bool:
    """Whether bytes begin as a zip file does."""
    return data.startswith(SIGNATURE)


class Package:
    """The entries of one zip file.

    Raises:
        TransformError: it is no zip file that can be read, or has too many entries.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except _UNREADABLE:
            raise _refused("it is no zip file that can be read") from None
        self._entries = [
            each for each in self._zip.infolist() if not each.filename.endswith("/")
        ]
        if len(self._entries) > MAX_ENTRIES:
            raise _refused(f"it has more than {MAX_ENTRIES:,} entries", "package-size")

    def heads(self, size: int) -> list[bytes]:
        """Return how each entry begins."""
        return [self._read(each, size) for each in self._entries]

    def others(self, places: list[int]) -> int:
        """Return how many entries are neither at these places nor about the package."""
        return sum(
            place not in places and each.filename.rpartition("/")[2] not in ABOUT
            for place, each in enumerate(self._entries)
        )

    def content(self, number: int) -> bytes:
        """Return one entry whole, by its place.

        Raises:
            TransformError: it is larger than a document may be, or far larger than
                what it is packed into.
        """
        entry = self._entries[number]
        most = min(MAX_BYTES, MAX_RATIO * entry.compress_size + FREE_BYTES)
        content = self._read(entry, most + 1)
        if len(content) > most:
            raise _refused("a document in it is too large", "package-size")
        return content

    def _read(self, entry: zipfile.ZipInfo, size: int) -> bytes:
        if entry.flag_bits & _SECRET:
            raise _refused("it is encrypted")
        try:
            with self._zip.open(entry) as opened:
                return opened.read(size)
        except _UNREADABLE:
            raise _refused("an entry cannot be read") from None


def _refused(why: str, code: str = "package-unreadable") -> TransformError:
    return TransformError(f"the package is refused: {why}", code)
