"""The folder source: files that have stopped growing are journalled, then put away."""

import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Final, Protocol, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from engine.channels.accept import Reply
from engine.channels.arriving import Note
from engine.channels.batches import Survey, Walk, rounds, survey
from engine.channels.format.endpoints import FileSource
from engine.channels.verdict import TooLong
from engine.errors import FrameError, JournalError
from engine.failpoint import reach
from engine.hl7.framing import DEFAULT_MAX_BYTES, Block
from engine.store.batches import Batch

DONE: Final = "done"
MAX_FILES: Final = 100
"""Files taken in one look, oldest first; the rest has its turn in the next."""

CHUNK_BYTES: Final = 1024 * 1024
HEAD_BYTES: Final = 4096
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


def open_file(folder: Path, name: str) -> int:
    """Return a descriptor of a file of this folder, never of one it links to."""
    return os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)


def chunks(descriptor: int) -> Iterator[bytes]:
    """Yield a file from its beginning to its end."""
    place = 0
    while chunk := os.pread(descriptor, CHUNK_BYTES, place):
        yield chunk
        place += len(chunk)


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


class Taker(Protocol):
    """Who journals what a file holds."""

    @property
    def name(self) -> str:
        """Whose files these are."""

    def accept(self, event: Block | TooLong) -> Awaitable[Reply]:
        """Journal a file that is no message: one event, whatever it is worth."""

    def take_all(
        self, messages: Sequence[tuple[bytes, Batch | None]]
    ) -> Awaitable[object]:
        """Journal messages of a file, each with its batch, all or none.

        Raises:
            JournalError: none of them is on disk.
        """


@dataclass(slots=True)
class FolderSource:
    """Looks at one folder again and again; one file after the other, in order.

    Attributes:
        taker: journals what is in the files.
        max_bytes: the longest message.
    """

    folder: Path
    settings: FileSource
    taker: Taker
    clock: IReactorTime
    in_thread: InThread
    note: Note
    max_bytes: int = DEFAULT_MAX_BYTES
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
        """Journal one file and put it away; return False to try again later.

        What is too long is nowhere but in the file, which is kept then.
        """
        after = self.settings.after
        descriptor = cast("int", await self.in_thread(open_file, self.folder, name))
        try:
            taken = await self._journal(descriptor)
        except FrameError:
            head = await self.in_thread(os.pread, descriptor, HEAD_BYTES, 0)
            reply = await self.taker.accept(TooLong(cast("bytes", head)))
            taken, after = reply.kept is not False, "move"
        finally:
            os.close(descriptor)
        if taken:
            reach("source.messages-kept")
            await self.in_thread(put_away, self.folder, name, after)
            reach("source.file-put-away")
            del self._seen[name]
            self.note("files_taken", 1)
        return taken

    async def _journal(self, descriptor: int) -> bool:
        source = f"{self.taker.name}\x1f{self.folder}"
        read = partial(survey, chunks(descriptor), source, self.max_bytes)
        found = cast("Survey", await self.in_thread(read))
        reach("source.file-read")
        if not found.messages:
            content = await self.in_thread(os.pread, descriptor, self.max_bytes, 0)
            reply = await self.taker.accept(Block(cast("bytes", content)))
            return reply.kept is not False
        return await self._stream(descriptor, found)

    async def _stream(self, descriptor: int, found: Survey) -> bool:
        """Journal the messages of a file in order, a round at a time."""
        walk, place, chunk = Walk(self.max_bytes), 0, b"-"
        while chunk:
            told = await self.in_thread(os.pread, descriptor, CHUNK_BYTES, place)
            chunk = cast("bytes", told)
            place += len(chunk)
            messages = list(walk.feed(chunk) if chunk else walk.end())
            for some in rounds(messages):
                named = [(message, found.batches[unit]) for message, unit in some]
                try:
                    await self.taker.take_all(named)
                except JournalError:
                    return False
        return True
