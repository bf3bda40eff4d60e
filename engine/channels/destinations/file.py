"""Write documents as files: whole or not at all, and only below allowed folders.

Spec:
    security.md S30; faults.md 1, idempotent destinations.
"""

import errno
import os
import stat
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from engine.channels.destinations import Document, Receipt
from engine.errors import PermanentError, TransientError
from engine.failpoint import reach

MAX_NAME_BYTES: Final = 255
MOST_KEPT: Final = 10_000
"""Folders whose names are known to be on disk; then they are synced anew."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PASSING: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE})

InThread = Callable[[Callable[[], None]], Awaitable[None]]
"""Run a blocking function elsewhere than on the reactor."""


@dataclass(frozen=True, slots=True)
class FileSender:
    """Writes each document to ``document.name``, an absolute path.

    Args:
        roots: the folders that the site allows.
        replace: whether a file that is there already is replaced.
        in_thread: where the disk is waited for.
    """

    roots: Sequence[str]
    replace: bool
    in_thread: InThread

    async def send(self, document: Document) -> Receipt:
        """Return when the file and its name are on disk.

        Raises:
            PermanentError: the path is not allowed, or the file is there already.
            TransientError: the disk is full or failing, or the lease has ended.
        """
        root, parts = place_below(document.name, self.roots)

        def write() -> None:
            document.require_ours()  # a thread may have been long in coming
            write_file(root, parts, document.content, replace=self.replace)

        await self.in_thread(write)
        return Receipt()

    def close(self) -> None:
        """Nothing is kept open."""


def place_below(name: str, roots: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return the allowed folder that holds ``name``, and the way down from it.

    Raises:
        PermanentError: no allowed folder holds it, or a part of it is no file name.
    """
    path = PurePosixPath(name)
    for root in roots:
        if path.is_relative_to(root) and path != PurePosixPath(root):
            parts = path.relative_to(root).parts
            if all(map(_is_name, parts)):
                return root, parts
    raise PermanentError(
        "the file would lie outside the allowed folders", "not-allowed"
    )


def _is_name(part: str) -> bool:
    plain = part not in {"..", "."} and "\x00" not in part
    return plain and 0 < len(os.fsencode(part)) <= MAX_NAME_BYTES


def write_file(
    root: str, parts: tuple[str, ...], content: bytes, *, replace: bool
) -> None:
    """Write a file so that it is there whole, with its name, or not at all.

    Each folder on the way is opened without following links, so nobody can lead the
    write out of ``root``.

    Raises:
        PermanentError: refused by the file system, or there already.
        TransientError: the disk is full or failing.
    """
    try:
        folder = _open_folder(root, parts[:-1])
        try:
            _write(folder, parts[-1], content, replace=replace)
        finally:
            os.close(folder)
    except FileExistsError:
        raise PermanentError("the file is there already", "file-exists") from None
    except OSError as error:
        word = errno.errorcode.get(error.errno or 0, "unknown")
        kind = TransientError if error.errno in _PASSING else PermanentError
        raise kind(f"the file system said {word}", f"file-{word.lower()}") from None


def _open_folder(root: str, parts: tuple[str, ...]) -> int:
    folder = _open_root(root)
    for part in parts:
        below = _open_below(folder, part)
        os.close(folder)
        folder = below
    return folder


def _open_root(root: str) -> int:
    """Open an allowed folder; a missing one is made, but not what is above it."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(root, flags)
    except FileNotFoundError:
        above = os.open(os.path.dirname(root), flags)  # noqa: PTH120 - descriptors all the way
    try:
        with suppress(FileExistsError):
            os.mkdir(os.path.basename(root), 0o750, dir_fd=above)  # noqa: PTH119
        try:
            os.fsync(above)
        except OSError:
            with suppress(OSError):
                os.rmdir(root)  # noqa: PTH106
            raise
    finally:
        os.close(above)
    return os.open(root, flags)


def _open_below(folder: int, part: str) -> int:
    """Open a folder in a folder, and make it if it is missing."""
    made = False
    try:
        with suppress(FileExistsError):
            os.mkdir(part, 0o750, dir_fd=folder)
            made = True
        below = os.open(part, _FOLDER, dir_fd=folder)
    except BaseException:
        os.close(folder)
        raise
    try:
        _keep_name(folder, os.fstat(below), made=made)
    except BaseException:
        if made:  # to be made, and synced, anew
            with suppress(OSError):
                os.rmdir(part, dir_fd=folder)
        os.close(below)
        os.close(folder)
        raise
    return below


def _keep_name(folder: int, below: os.stat_result, *, made: bool) -> None:
    """Have the name of a folder on disk before anything in it counts as delivered.

    Whoever finds it there cannot know that its maker, another thread or a life of this
    process that was cut off, has synced it: so each process does once. One just made
    may have the number of a folder that was deleted.
    """
    place = below.st_dev, below.st_ino
    if made or place not in _kept:
        os.fsync(folder)
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        _kept.add(place)


_kept: Final[set[tuple[int, int]]] = set()


def _write(folder: int, name: str, content: bytes, *, replace: bool) -> None:
    if not replace and _is_there(folder, name, content):
        _keep_file(folder, name, replace=replace)  # a try cut off may not have done so
        return
    scratch = _scratch_name(name)
    _forget(folder, scratch)
    descriptor = os.open(scratch, _NEW, 0o640, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        reach("file.written")
        os.rename(scratch, name, src_dir_fd=folder, dst_dir_fd=folder)
        reach("file.renamed")
    except BaseException:
        _forget(folder, scratch)
        raise
    _keep_file(folder, name, replace=replace)
    reach("file.synced")


def _keep_file(folder: int, name: str, *, replace: bool) -> None:
    """Have the name of a file on disk, or take it away again.

    After a failed sync another one may succeed without having written anything: the
    next try has to make the name anew. Where files are replaced it does so anyway.
    """
    try:
        os.fsync(folder)
    except OSError:
        if not replace:
            _forget(folder, name)
        raise


def _scratch_name(name: str) -> str:
    """Return the name to write under: hidden, and never one that a reader picks up."""
    stem = os.fsencode(name)[: MAX_NAME_BYTES - 6]
    return "." + os.fsdecode(stem) + ".part"


def _is_there(folder: int, name: str, content: bytes) -> bool:
    """Whether the file is there with this content: then a retry has nothing to do.

    Raises:
        FileExistsError: it is there with other content.
    """
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        same = stat.S_ISREG(os.fstat(descriptor).st_mode) and file.read() == content
    if not same:
        raise FileExistsError(name)
    return True


def _forget(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
