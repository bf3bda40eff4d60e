"""CNS 11643-1992, planes 1 and 2, as EUC-TW: a codec that Python does not bring.

The two planes hold the characters of Big5 in nearly its order, so a table of runs that
both have in common says it all. Characters of the other planes are not read: their
bytes are undecodable here, and `charsets.decode` tells.

The runs were computed from the EUC-TW table of glibc 2.36, and agree with it for every
code of both planes.
"""

import codecs
import re
from functools import cache
from typing import Final, NamedTuple

NAME: Final = "euc_tw"

_PLANE_1: Final = """
0:0:5 6:6:8 15:15:6 21:23:2 24:22:1 29:29:44 73:74:1 74:73:1 75:75:22 98:98:1
100:100:27 127:128:1 128:127:1 129:129:19 148:149:1 149:148:1 150:150:4 155:21:1
156:158:2 160:160:1 162:162:1 165:165:69 282:234:29 312:264:1 314:266:142
470:6101:20 3290:471:1412 4702:1884:424 5126:1883:1 5127:2308:1876 7003:4571:1
7004:4184:387 7391:4572:525 7916:5286:1 7917:5097:105 8023:5203:83 8106:5287:84
8190:5517:1 8191:5371:54 8245:5426:1 8246:5425:1 8247:5427:90 8337:5518:354
"""
_PLANE_2: Final = """
0:6280:10 10:6291:33 43:6372:1 44:6324:48 92:6373:46 138:6586:1 139:6419:167
306:6587:1840 2146:9074:1 2147:8428:108 2255:8537:537 2792:8427:1 2793:9075:100
2893:8536:1 2894:9175:399 3293:9575:1637 4930:11761:1 4931:11212:146 5077:11899:1
5078:11358:287 5365:12508:1 5366:11645:116 5482:11762:137 5619:11900:104
5723:12425:1 5724:12004:222 5946:12227:198 6144:12426:82 6226:12509:86 6312:12226:1
6313:12595:8 6321:12604:153 6474:12758:56 6530:13114:1 6531:12814:113 6644:12603:1
6645:12927:142 6787:12757:1 6788:13069:45 6833:13115:71 6904:13380:1 6905:13186:194
7099:13381:490 7589:13914:1 7590:13871:43 7633:13915:1 7634:13917:11 7645:13916:1
7646:13928:4
"""
"""Runs ``place in the plane:place in Big5:length``; see `_character`."""

_NOT_IN_BIG5: Final = {
    5: "・",
    14: "﹑",
    23: "︲",
    154: "‖",
    158: "\u2215\ufe68",
    161: "￥",
    163: "￠￡",
    490: "ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹ",
    571: "亠",
    578: "冫",
    583: "勹",
    3102: "".join(map(chr, (*range(0x2400, 0x2420), 0x2421))),
    8022: "彞",
}
"""Characters of plane 1 for which Big5 has none, or another one."""

_PIECE: Final = re.compile(
    rb"[\x00-\x7f]+|\x8e[\xa1\xa2][\xa1-\xfe]{2}|[\xa1-\xfe]{2}|.", re.DOTALL
)
_TEXT_PIECE: Final = re.compile(r"[\x00-\x7f]+|.", re.DOTALL)
_ROW: Final = 94
_BIG5_ROW: Final = 157
_BIG5_LOW: Final = 63


class _Tables(NamedTuple):
    """Characters by their bytes, and the other way round."""

    characters: dict[bytes, str]
    bytes: dict[str, bytes]


def _character(place: int) -> str:
    """Return a character of Big5, counted from its first row of 157."""
    row, column = divmod(place, _BIG5_ROW)
    trail = column + (0x40 if column < _BIG5_LOW else 0xA1 - _BIG5_LOW)
    return bytes([row + 0xA1, trail]).decode("big5")


def _plane(runs: str, prefix: bytes) -> dict[bytes, str]:
    """Return the characters of a plane by their bytes."""
    found: dict[int, str] = {}
    for run in runs.split():
        start, big5, length = map(int, run.split(":"))
        for offset in range(length):
            found[start + offset] = _character(big5 + offset)
    if not prefix:
        for start, characters in _NOT_IN_BIG5.items():
            found |= dict(enumerate(characters, start))
    return {
        prefix + bytes([place // _ROW + 0xA1, place % _ROW + 0xA1]): character
        for place, character in found.items()
    }


@cache
def _tables() -> _Tables:
    known = _plane(_PLANE_1, b"") | _plane(_PLANE_2, b"\x8e\xa2")
    return _Tables(known, {character: data for data, character in known.items()})


def _decode(data: bytes, _errors: str = "strict") -> tuple[str, int]:
    characters, parts = _tables().characters, []
    data = bytes(data)
    for piece in _PIECE.finditer(data):
        found = piece[0]
        if found.isascii():
            parts.append(found.decode("ascii"))
            continue
        character = characters.get(found.removeprefix(b"\x8e\xa1"))
        if character is None:
            raise UnicodeDecodeError(NAME, data, *piece.span(), "no character here")
        parts.append(character)
    return "".join(parts), len(data)


def _encode(text: str, _errors: str = "strict") -> tuple[bytes, int]:
    known, parts = _tables().bytes, []
    for piece in _TEXT_PIECE.finditer(text):
        found = piece[0]
        data = found.encode("ascii") if found.isascii() else known.get(found)
        if data is None:
            raise UnicodeEncodeError(NAME, text, *piece.span(), "not in planes 1 and 2")
        parts.append(data)
    return b"".join(parts), len(text)


def _find(name: str) -> codecs.CodecInfo | None:
    return codecs.CodecInfo(_encode, _decode, name=NAME) if name == NAME else None  # type: ignore[arg-type]


codecs.register(_find)
