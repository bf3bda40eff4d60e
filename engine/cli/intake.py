"""Messages read into registrations, in processes of their own where there are cores.

Reading a message and hashing its block keys is half of the work of a load and depends
on nothing else, so it runs ahead of the one process that decides.
"""

import signal
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.cli.unread import Unread, unread
from engine.errors import ParseError, TransformError

if TYPE_CHECKING:
    from engine.identity import Reading, Registration
    from engine.identity.blocking import Formal

_AHEAD: Final = 2
"""Groups that wait for each process, so that none of them waits."""


class Read(NamedTuple):
    """What a group of messages registers, and which of them could not be read.

    ``unread`` are numbered from 1 on within the group.
    """

    registrations: "list[Registration]"
    unread: list[Unread]


@dataclass(frozen=True, slots=True)
class Intake:
    """What it takes to read messages: the site's reading, and how keys are made."""

    reading: "Reading"
    formal: "Formal"
    secret: bytes

    def read(self, messages: Sequence[bytes], first: int) -> Read:
        """Return what messages register; one without a patient says nothing.

        Args:
            messages: each as it was received.
            first: number of the first of them, counted on; 0 where they have none.
        """
        found = Read([], [])
        for place, data in enumerate(messages):
            try:
                registration = self._registration(data, first + place if first else 0)
            except (ParseError, TransformError) as error:
                found.unread.append(unread(place + 1, data, error))
                continue
            if registration is not None:
                found.registrations.append(registration)
        return found

    def _registration(self, data: bytes, number: int) -> "Registration | None":
        """Return what one message registers, with its block keys.

        Raises:
            ParseError, TransformError: it cannot be read.
        """
        from engine.hl7 import parse
        from engine.identity import registration_of
        from engine.identity.blocking import block_keys
        from engine.store.patients import mint

        read = registration_of(parse(data), self.reading, mint, number).registration
        if read is None:
            return None
        keys = block_keys(read.traits, self.formal, self.secret)
        return replace(read, keys=tuple(keys))


Group = tuple[Sequence[bytes], int]
"""Messages, and the number of the first."""


def read_ahead(
    intake: Intake, groups: Iterable[Group], processes: int
) -> Generator[tuple[Sequence[bytes], Read]]:
    """Yield each group with what it registers, in order, reading the next meanwhile.

    With 0 ``processes`` everything is read here.
    """
    if not processes:
        for group in groups:
            yield group[0], intake.read(*group)
        return
    waiting: deque[tuple[Group, Future[Read]]] = deque()
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (intake,)) as pool:
        try:
            for group in groups:
                waiting.append((group, pool.submit(_read, group)))
                if len(waiting) > _AHEAD * processes:
                    yield _next(waiting)
            while waiting:
                yield _next(waiting)
        finally:
            pool.shutdown(cancel_futures=True)


def _next(
    waiting: deque[tuple[Group, Future[Read]]],
) -> tuple[Sequence[bytes], Read]:
    """Return the oldest group once it is read."""
    group, answer = waiting.popleft()
    return group[0], answer.result()


_own: list[Intake] = []


def _begin(intake: Intake) -> None:
    """Be ready to read; an interrupt is for the process that began this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _own[:] = [intake]


def _read(group: Group) -> Read:
    return _own[0].read(*group)
