"""The write log: compile the shim, run a command under it, read what it wrote."""

import functools
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from tests.untraced import untraced

SOURCE = Path(__file__).parent / "write_log.c"
HEADER = struct.Struct("=IIIIqQ")


class Operation(IntEnum):
    """What a record tells, numbered as in the shim."""

    WRITE = 1
    TRUNCATE = 2
    SYNC_BEGIN = 3
    SYNC_END = 4
    CREATE = 5
    RENAME = 6
    UNLINK = 7
    MKDIR = 8
    RMDIR = 9
    LINK = 10
    ANSWER = 11
    SYNC_FAILED = 12
    FAULT = 13


class Record(NamedTuple):
    """One successful call; paths are relative to the folder that is watched."""

    operation: Operation
    path: str
    other: str
    offset: int
    data: bytes
    thread: int


@functools.cache
def shim():
    """Return the compiled shim; None where there is no C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    built = Path(tempfile.mkdtemp(prefix="interop-shim-")) / "write_log.so"
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run(  # noqa: S603 - our own source
        [compiler, *options, "-o", built, SOURCE, "-ldl", "-lpthread"], check=True
    )
    return built


def watched(folder, log):
    """Return the environment under which changes below ``folder`` are logged."""
    return {
        **untraced(),
        "LD_PRELOAD": str(shim()),
        "WRITE_LOG_FILE": str(log),
        "WRITE_LOG_ROOT": str(folder),
    }


def read_log(log, folder) -> Iterator[Record]:
    """Yield the records in their order; a last one that is cut off is left out."""
    root = f"{Path(folder).resolve()}"
    data = memoryview(Path(log).read_bytes())
    at = 0
    while at + HEADER.size <= len(data):
        kind, path, other, size, offset, thread = HEADER.unpack_from(data, at)
        at += HEADER.size
        ends = (at + path, at + path + other, at + path + other + size)
        if ends[-1] > len(data):
            return
        yield Record(
            Operation(kind),
            _relative(bytes(data[at : ends[0]]).decode(), root),
            _relative(bytes(data[ends[0] : ends[1]]).decode(), root),
            offset,
            bytes(data[ends[1] : ends[2]]),
            thread,
        )
        at = ends[-1]


def _relative(path, root):
    return path.removeprefix(root).lstrip("/")
