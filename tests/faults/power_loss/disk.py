"""What a disk holds after the power failed: durable, pending, and lost.

A disk is moved forward record by record. What a completed sync covered is durable;
the rest is *pending*, and a policy decides which of it reached the platter.
"""

import random
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Final

from tests.faults.power_loss.log import Operation, Record

POLICIES: Final = ("none", "half", "torn", "prefix")
SECTORS: Final = (512, 4096)


@dataclass(slots=True)
class Change:
    """One change of data: bytes at an offset, or (``data`` None) a new length."""

    number: int
    offset: int
    data: bytes | None

    def apply(self, content):
        """Change the bytes of a file."""
        end = self.offset + len(self.data or b"")
        if self.offset == len(content):
            content += self.data or b""
            return
        if len(content) < end:
            content.extend(bytes(end - len(content)))
        if self.data is None:
            del content[self.offset :]
        else:
            content[self.offset : end] = self.data

    def torn(self, chance):
        """Return this change cut at a sector border, or whole where none is inside."""
        size = chance.choice(SECTORS)
        first = -self.offset % size or size
        if self.data is None or first >= len(self.data):
            return self
        borders = range(first, len(self.data), size)
        return Change(self.number, self.offset, self.data[: chance.choice(borders)])


@dataclass(slots=True, eq=False)
class File:
    """What a name stands for: its durable bytes, and the changes since."""

    content: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)

    def make_durable(self, before):
        """Move the changes before that record to the platter."""
        kept = bisect_left(self.pending, before, key=lambda change: change.number)
        for change in self.pending[:kept]:
            change.apply(self.content)
        del self.pending[:kept]

    def all_content(self):
        """Return the bytes as a running program sees them."""
        seen = bytearray(self.content)
        for change in self.pending:
            change.apply(seen)
        return seen


FOLDER: Final = File()
"""Stands for a folder in the table of names."""


@dataclass(slots=True)
class Renaming:
    """Changes of names that reach the platter together; None takes a name away."""

    number: int
    folder: str
    names: dict[str, File | None]
    thread: int = 0


@dataclass(slots=True)
class Disk:
    """Names and files, as seen by programs and as on the platter.

    With ``strict`` a name is durable only after a sync of its folder; else a sync of
    a new file keeps its own name as well.
    """

    strict: bool
    names: dict[str, File] = field(default_factory=dict)
    durable: dict[str, File] = field(default_factory=dict)
    pending: list[Renaming] = field(default_factory=list)
    _begun: dict[tuple[int, str], int] = field(default_factory=dict)

    @classmethod
    def of(cls, folder, *, strict):
        """Return a disk that holds a folder's files, all durable."""
        disk = cls(strict)
        for path in sorted(Path(folder).rglob("*")):
            name = str(path.relative_to(folder))
            made = FOLDER if path.is_dir() else File(bytearray(path.read_bytes()))
            disk.names[name] = disk.durable[name] = made
        disk.names[""] = disk.durable[""] = FOLDER
        return disk

    def take(self, number, record: Record):
        """Move forward by one record."""
        match record.operation:
            case Operation.WRITE | Operation.TRUNCATE:
                data = record.data if record.operation is Operation.WRITE else None
                change = Change(number, record.offset, data)
                self.names[record.path].pending.append(change)
            case Operation.SYNC_BEGIN:
                self._begun[record.thread, record.path] = number
            case Operation.SYNC_END:
                self._synced(record.path, self._begun.pop((record.thread, record.path)))
            case Operation.SYNC_FAILED:
                begun = self._begun.pop((record.thread, record.path))
                self._drop(record, begun)
            case Operation.ANSWER | Operation.FAULT:
                pass
            case _:
                self._rename(number, record)

    def _rename(self, number, record):
        changes: dict[str, File | None] = {}
        if record.operation in {Operation.UNLINK, Operation.RMDIR}:
            changes[record.path] = None
        elif record.operation is Operation.CREATE:
            changes[record.path] = File()
        elif record.operation is Operation.MKDIR:
            changes[record.path] = FOLDER
        else:
            changes[record.other] = self.names[record.path]
            if record.operation is Operation.RENAME:
                changes[record.path] = None
        folder = str(PurePosixPath(record.other or record.path).parent)
        folder = folder.removeprefix(".")
        self.pending.append(Renaming(number, folder, changes, record.thread))
        _apply(self.names, changes)

    def _synced(self, path, before):
        file = self.names.get(path)
        if file is not None and file is not FOLDER:
            file.make_durable(before)
        earlier = [one for one in self.pending if one.number < before]
        for renaming in earlier:
            if renaming.folder == path or self._keeps_own_name(file, renaming, earlier):
                _apply(self.durable, renaming.names)
                self.pending.remove(renaming)

    def _drop(self, record, before):
        """Forget what a sync should have covered: no later one brings it back.

        Names that another thread changed are its own matter: a kernel tells of a
        failure every descriptor that was open by then.
        """
        file = self.names.get(record.path)
        if file is not None and file is not FOLDER:
            file.pending = [one for one in file.pending if one.number >= before]
        whose = record.path, record.thread
        self.pending = [
            one
            for one in self.pending
            if (one.folder, one.thread) != whose or one.number >= before
        ]

    def _keeps_own_name(self, file, renaming, earlier):
        """Whether a sync of a file keeps a change of its name: that of its making."""
        if self.strict or file is None or file is FOLDER:
            return False
        made = [one for one in earlier if file in one.names.values()]
        return any(not renaming.names.keys().isdisjoint(one.names) for one in made[:1])

    # ---- images

    def running(self):
        """Return name to bytes as programs see them: everything is kept."""
        return _reachable(self.names, lambda file: bytes(file.all_content()))

    def image(self, policy, chance: random.Random, *, without=frozenset()):
        """Return name to bytes as the disk would be found after a power failure.

        The bytes of the files in ``without`` are not worked out.
        """
        files = {
            id(file): file for file in self.names.values() if file is not FOLDER
        } | {id(file): file for file in self.durable.values() if file is not FOLDER}
        for one in self.pending:
            files |= {id(file): file for file in one.names.values() if file}
        numbers = [one.number for one in self.pending]
        numbers += [each.number for file in files.values() for each in file.pending]
        kept = _kept(sorted(numbers), policy, chance)
        last = max(kept, default=-1) if policy == "torn" else -1
        names = dict(self.durable)
        for one in self.pending:
            if one.number in kept:
                _apply(names, one.names)
        for name in without:
            names.pop(name, None)

        def found(file):
            content = bytearray(file.content)
            for change in file.pending:
                if change.number in kept:
                    torn = change.number == last
                    (change.torn(chance) if torn else change).apply(content)
            return bytes(content)

        return _reachable(names, found)


def _kept(numbers, policy, chance):
    match policy:
        case "none":
            return set()
        case "half":
            return {number for number in numbers if chance.random() < 0.5}
        case _:
            return set(numbers[: chance.randint(0, len(numbers))])


def _apply(names, changes):
    for name, file in changes.items():
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file


def _reachable(names, content):
    """Return what can be found by going down from the top."""
    return {
        name: content(file)
        for name, file in names.items()
        if file is not FOLDER and all(above in names for above in _above(name))
    }


@lru_cache(maxsize=100_000)
def _above(name):
    """Return the folders that a name lies in, the top one as the empty name."""
    return [str(above).removeprefix(".") for above in PurePosixPath(name).parents]
