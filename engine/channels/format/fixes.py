"""Faults that have one right answer, mended in place: nothing else in a file moves."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from engine.channels.format.faults import Fault

_WRONG: Final = re.compile(r"'(?P<wrong>[^']+)' is not an HL7 path")
_RIGHT: Final = re.compile(r"write (?P<right>\S+); interop check --fix does it for you")


def mended(lines: Sequence[str], faults: Iterable[Fault]) -> list[str]:
    """Return the lines of a file with the paths rewritten that faults point at.

    A fault whose text no longer stands at its place is left alone.
    """
    made = list(lines)
    for fault in sorted(faults, key=lambda each: each.place, reverse=True):
        wrong, right = _WRONG.match(fault.sentence), _RIGHT.match(fault.hint)
        row, start = fault.place.line - 1, fault.place.column - 1
        if wrong is None or right is None or row >= len(made):
            continue
        line, text = made[row], wrong["wrong"]
        if line.startswith(text, start):
            made[row] = line[:start] + right["right"] + line[start + len(text) :]
    return made


def fix(folder: Path, faults: Sequence[Fault]) -> dict[str, int]:
    """Rewrite the files of a folder; return how many lines changed in each."""
    changed: dict[str, int] = {}
    for file in sorted({fault.place.file for fault in faults}):
        path = folder / file
        if path.suffix != ".yaml" or not path.is_file():
            continue
        before = path.read_bytes().decode("utf-8", "surrogateescape").split("\n")
        own = [fault for fault in faults if fault.place.file == file]
        after = mended(before, own)
        count = sum(one != other for one, other in zip(before, after, strict=True))
        if count:
            content = "\n".join(after).encode("utf-8", "surrogateescape")
            path.write_bytes(content)
            changed[file] = count
    return changed
