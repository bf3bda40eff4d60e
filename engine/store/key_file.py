"""The keys of a store, and the file outside of it that they lie in.

Each line of the file is a key of 32 bytes, the oldest first. Lines are only ever added:
what was sealed with an earlier key opens for ever, and so does every earlier backup.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engine.errors import ConfigurationError
from engine.store.folders import make_folder, sync_folder

KEY_BYTES: Final = 32
MOST_KEYS: Final = 127
"""What the first byte of sealed content can tell apart."""


class Keys:
    """The keys of one store, for all threads of a process; ``in_use`` seals.

    They are numbered from 1. The first is also what keyed hashes, pseudonyms and the
    audit chain are made with: those cannot be changed without writing every row anew.

    Raises:
        ConfigurationError: one has another length.
    """

    def __init__(self, found: Sequence[bytes], path: Path | None = None) -> None:
        if not found or any(len(each) != KEY_BYTES for each in found):
            raise ConfigurationError(f"The store's key must have {KEY_BYTES} bytes.")
        self._found = tuple(found)
        self._path = path
        self.in_use = 1

    @property
    def first(self) -> bytes:
        """The key that the store was made with."""
        return self._found[0]

    @property
    def count(self) -> int:
        """How many keys are known."""
        return len(self._found)

    def find(self, number: int) -> bytes | None:
        """Return a key; the file is read again for one that is not known yet."""
        if number > self.count:
            self.read_again()
        return self._found[number - 1] if 0 < number <= self.count else None

    def read_again(self) -> None:
        """Take up what was added to the file; one that cannot be read adds nothing."""
        if self._path is None:
            return
        try:
            found = _read(self._path)
        except (ConfigurationError, OSError):
            return
        if found[: self.count] == self._found:
            self._found = found

    def add(self) -> int:
        """Add a new key to the file, and return its number; nothing is sealed with it.

        The file is replaced as a whole: whoever reads it sees it with or without.

        Raises:
            ConfigurationError: there is no file, or no room for more keys.
            OSError: it cannot be written; it is as it was.
        """
        if self._path is None:
            raise ConfigurationError("These keys are in no file.")
        path = self._path.resolve()
        with _alone_in(path.parent):
            found = _read(path)
            if len(found) == MOST_KEYS:
                raise ConfigurationError(f"{path} holds {MOST_KEYS} keys, and no more.")
            found = (*found, os.urandom(KEY_BYTES))
            with _written(path, found, like=path.stat()) as scratch:
                scratch.replace(path)
            sync_folder(path.parent)
        self.read_again()
        return len(found)


def load_or_create_key(path: Path) -> Keys:
    """Return the keys in this file; make the file, readable by its owner, if missing.

    Raises:
        ConfigurationError: the file does not hold keys, or others may read it.
    """
    try:
        return Keys(_read(path), path)
    except FileNotFoundError:
        return _created(path)


def _created(path: Path) -> Keys:
    """Make the key whole under another name first: whoever reads it sees all of it."""
    make_folder(path.parent.absolute())
    key = os.urandom(KEY_BYTES)
    try:
        with _written(path, [key]) as scratch:
            os.link(scratch, path)
    except FileExistsError:  # another process was first
        return load_or_create_key(path)
    try:
        sync_folder(path.parent)
    except OSError:
        path.unlink()  # nothing may be sealed with a key that a power failure takes
        raise
    return Keys([key], path)


@contextmanager
def _written(
    path: Path, keys: Iterable[bytes], like: os.stat_result | None = None
) -> Iterator[Path]:
    """Give a file of keys on disk, beside the one it is for; it is gone afterwards."""
    scratch = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if like is not None:
                os.fchown(descriptor, like.st_uid, like.st_gid)
            file.writelines(key.hex().encode() + b"\n" for key in keys)
            file.flush()
            os.fsync(descriptor)
        yield scratch
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time replace the file: no key may be written over."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> tuple[bytes, ...]:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise ConfigurationError(
                f"The key file {path} can be read by others. "
                f"Mend it with: chmod 600 {path}"
            )
        lines = file.read().split()
    try:
        keys = tuple(bytes.fromhex(line.decode("ascii")) for line in lines)
    except ValueError:
        keys = ()
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ConfigurationError(
            f"{path} is not a key file: each line should hold {2 * KEY_BYTES} "
            "hexadecimal digits."
        )
    if len(keys) > MOST_KEYS:
        raise ConfigurationError(f"{path} holds more than {MOST_KEYS} keys.")
    return keys
