"""The folder source: files that have stopped growing are journalled, then put away."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from engine.channels.accept import Accept
from engine.channels.arriving import Note
from engine.channels.format.endpoints import FileSource
from engine.errors import FrameError
from engine.failpoint import reach
from engine.hl7.batch import BatchedMessage, BatchReader, Closing
from engine.hl7.framing import DEFAULT_MAX_BYTES, Block

DONE: Final = "done"
MAX_FILES: Final = 100
"""Files taken in one look, oldest first; the rest has its turn in the next."""

MAX_FILE_BYTES: Final = 1024 * 1024 * 1024
Size = tuple[int, int]
InThread = Callable[..., Awaitable[object]]
"""Run a blocking function, with its arguments, elsewhere than on the reactor."""


def stable_files(
    folder: Path, pattern: str, seen: dict[str, Size]
) -> tuple[list[str], dict[str, Size]]:
    """Return the names that have not changed since the last look, oldest first.

    Links and hidden files are left alone; so are files that are still growing. The
    second value is what the next look compares with.
    """
    found: dict[str, Size] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not fnmatchcase(entry.name, pattern):
                continue
            if entry.is_file(follow_symlinks=False):
                told = entry.stat(follow_symlinks=False)
                found[entry.name] = (told.st_size, told.st_mtime_ns)
    stable = [name for name, size in found.items() if seen.get(name) == size]
    stable.sort(key=lambda name: (found[name][1], name))
    return stable[:MAX_FILES], found


def read_file(folder: Path, name: str) -> bytes:
    """Return the content of a file of this folder, never of one it links to."""
    descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_FILE_BYTES)


def put_away(folder: Path, name: str, after: str) -> None:
    """Move a file to ``done/`` or delete it, durably."""
    if after == "delete":
        (folder / name).unlink()
    else:
        done = folder / DONE
        done.mkdir(mode=0o750, exist_ok=True)
        (folder / name).rename(done / name)
        _sync(done)
    _sync(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def blocks_of(content: bytes, *, hold_mismatch: bool) -> list[Block]:
    """Return the messages of a file, or the whole of it where it must stay together.

    A batch whose count is not what its trailer says is kept whole, for a person (E74);
    so is a file without any message.
    """
    reader = BatchReader(DEFAULT_MAX_BYTES)
    reader.feed(content)
    blocks: list[Block] = []
    try:
        for event in (*iter(reader.next_event, None), *iter(reader.flush, None)):
            if isinstance(event, BatchedMessage):
                blocks.append(Block(event.message))
            elif isinstance(event, Closing) and not event.agrees and hold_mismatch:
                return [Block(content)]
    except FrameError:
        return [Block(content)]
    return blocks or [Block(content)]


@dataclass(slots=True)
class FolderSource:
    """Looks at one folder again and again; one file after the other, in order."""

    folder: Path
    settings: FileSource
    accept: Accept
    clock: IReactorTime
    in_thread: InThread
    note: Note
    hold_mismatch: bool = True
    _seen: dict[str, Size] = field(default_factory=dict)
    _loop: LoopingCall | None = None
    _log = Logger()

    def start(self) -> None:
        """Begin to look."""
        self._loop = LoopingCall(self._look)
        self._loop.clock = self.clock
        self._loop.start(self.settings.every.total_seconds(), now=True)

    def stop(self) -> None:
        """Look no more; a file in hand is finished."""
        if self._loop is not None and self._loop.running:
            self._loop.stop()

    def _look(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.look()).addErrback(self._failed)

    def _failed(self, failure: object) -> None:
        self.note("folder_failure", 1)
        self._log.error("folder source failed: {failure}", failure=failure)

    async def look(self) -> None:
        """Take every file that is whole; end early where one cannot be stored."""
        pattern = self.settings.pattern
        told = await self.in_thread(stable_files, self.folder, pattern, self._seen)
        names, self._seen = cast("tuple[list[str], dict[str, Size]]", told)
        for name in names:
            if not await self._take(name):
                return

    async def _take(self, name: str) -> bool:
        content = await self.in_thread(read_file, self.folder, name)
        assert isinstance(content, bytes)
        reach("source.file-read")
        for block in blocks_of(content, hold_mismatch=self.hold_mismatch):
            reply = await self.accept(block)
            if reply.kept is False:
                return False
        reach("source.messages-kept")
        await self.in_thread(put_away, self.folder, name, self.settings.after)
        reach("source.file-put-away")
        del self._seen[name]
        self.note("files_taken", 1)
        return True
