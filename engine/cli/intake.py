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
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.identity import Reading, Registration
    from engine.identity.blocking import Formal

_AHEAD: Final = 2
"""Groups that wait for each process, so that none of them waits."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What it takes to read messages: the site's reading, and how keys are made."""

    reading: "Reading"
    formal: "Formal"
    secret: bytes

    def read(self, messages: Sequence[bytes], first: int) -> "list[Registration]":
        """Return what messages register; one without a patient says nothing.

        Args:
            messages: each as it was received.
            first: number of the first of them, counted on; 0 where they have none.

        Raises:
            ParseError, TransformError: a message cannot be read.
        """
        from engine.hl7 import parse
        from engine.identity import registration_of
        from engine.identity.blocking import block_keys
        from engine.store.patients import mint

        found = []
        for place, data in enumerate(messages):
            number = first + place if first else 0
            read = registration_of(parse(data), self.reading, mint, number).registration
            if read is not None:
                keys = block_keys(read.traits, self.formal, self.secret)
                found.append(replace(read, keys=tuple(keys)))
        return found


Group = tuple[Sequence[bytes], int]
"""Messages, and the number of the first."""


def read_ahead(
    intake: Intake, groups: Iterable[Group], processes: int
) -> Generator["tuple[Sequence[bytes], list[Registration]]"]:
    """Yield each group with what it registers, in order, reading the next meanwhile.

    With 0 ``processes`` everything is read here.
    """
    if not processes:
        for group in groups:
            yield group[0], intake.read(*group)
        return
    waiting: deque[tuple[Group, Future[list[Registration] | None]]] = deque()
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (intake,)) as pool:
        try:
            for group in groups:
                waiting.append((group, pool.submit(_read, group)))
                if len(waiting) > _AHEAD * processes:
                    yield _next(intake, waiting)
            while waiting:
                yield _next(intake, waiting)
        finally:
            pool.shutdown(cancel_futures=True)


def _next(
    intake: Intake,
    waiting: "deque[tuple[Group, Future[list[Registration] | None]]]",
) -> "tuple[Sequence[bytes], list[Registration]]":
    """Return the oldest group; what could not be read there says here why."""
    group, answer = waiting.popleft()
    found = answer.result()
    return group[0], intake.read(*group) if found is None else found


_own: list[Intake] = []


def _begin(intake: Intake) -> None:
    """Be ready to read; an interrupt is for the process that began this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _own[:] = [intake]


def _read(group: Group) -> "list[Registration] | None":
    from engine.errors import EngineError

    try:
        return _own[0].read(*group)
    except EngineError:
        return None
