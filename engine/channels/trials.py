"""Trials in a process of their own, with a time limit: what the test bench asks.

The process is started when it is first needed, serves one request after another, and is
ended when one takes too long: a pattern or a step that runs away hurts nobody else.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from engine.channels.processing.pipes import read_within
from engine.channels.processing.trial_process import LOADING_SECONDS

HEADER_BYTES: Final = 4
MODULE: Final = "engine.channels.processing.trial_process"
LOADING: Final = "loading the configuration"
TRY_SECONDS: Final = 5.0
LONG_SECONDS: Final = 60.0
PATIENCE: Final = 6
"""Limits are processor time; so many times that by the clock, on a busy machine."""

MEMORY: Final = "/dev/shm"  # noqa: S108 - a folder of our own is made in it
"""Where a trial's store lies: what is typed at the bench shall reach no disk."""

Answer = dict[str, object]


@dataclass(slots=True)
class _Running:
    """One process, and the folder it may write to."""

    process: "subprocess.Popen[bytes]"
    folder: "tempfile.TemporaryDirectory[str]"

    def end(self) -> None:
        """End it, and take away what it left behind."""
        self.process.kill()
        self.process.communicate()
        self.folder.cleanup()


class Trials:
    """Asks the process of trials; one request at a time, whoever asks.

    Args:
        config: the configuration folder, read anew for every request.
        environment: which ``[environments.*]`` values apply; empty for the file's own.
    """

    def __init__(self, config: Path, environment: str = "") -> None:
        self._config = config
        self._environment = environment
        self._lock = threading.Lock()
        self._kept: list[_Running] = []
        self._end = weakref.finalize(self, _end_all, self._kept)

    def attempt(self, channel: str, data: bytes, draft: str = "") -> Answer:
        """Return what becomes of one message: a `flow.Flow` as plain values.

        Or ``{"refused": sentence, "faults": [...]}`` where the configuration is wrong,
        or ``{"ran_out": where it stood, "seconds": limit}``.
        """
        return self._ask("try", channel, draft, [(1, data)], TRY_SECONDS)

    def test(self, channel: str, draft: str = "") -> Answer:
        """Return how the channel's tests end, or why they did not run."""
        return self._ask("test", channel, draft, [], LONG_SECONDS)

    def compare(
        self, channel: str, draft: str, messages: Sequence[tuple[int, bytes]]
    ) -> Answer:
        """Return what a draft makes of stored messages otherwise, by place."""
        return self._ask("what-if", channel, draft, messages, LONG_SECONDS)

    def warm(self) -> None:
        """Start the process, for somebody who is about to ask."""
        with self._lock:
            self._running()

    def _running(self) -> _Running:
        if not self._kept:
            self._kept.append(_started())
        return self._kept[0]

    def close(self) -> None:
        """End the process."""
        _end_all(self._kept)

    def _ask(
        self,
        do: str,
        channel: str,
        draft: str,
        messages: Sequence[tuple[int, bytes]],
        seconds: float,
    ) -> Answer:
        ask = {
            "do": do,
            "config": str(self._config.resolve()),
            "environment": self._environment,
            "channel": channel,
            "draft": draft,
            "messages": [(n, b64encode(data).decode("ascii")) for n, data in messages],
            "seconds": seconds,
        }
        with self._lock:
            running = self._running()
            return self._exchange(running, orjson.dumps(ask), seconds)

    def _exchange(self, running: _Running, body: bytes, seconds: float) -> Answer:
        """Send a request and hear where it stands until the answer comes.

        The clock begins once the channel is loaded, as the processor's does.
        """
        at = LOADING
        deadline = time.monotonic() + PATIENCE * LOADING_SECONDS
        try:
            assert running.process.stdin is not None
            running.process.stdin.write(len(body).to_bytes(HEADER_BYTES) + body)
            while True:
                said = self._hear(running, deadline)
                if "answer" in said:
                    answer = said["answer"]
                    assert isinstance(answer, dict)
                    return answer
                if at == LOADING:
                    deadline = time.monotonic() + PATIENCE * seconds
                at = str(said["at"])
        except TimeoutError:
            self.close()
            return {"ran_out": at, "seconds": seconds}
        except OSError:
            ended = running.process.wait(1)
            self.close()
            if ended == -signal.SIGPROF:
                return {"ran_out": at, "seconds": seconds}
            return {"refused": f"the trial died at {at}", "faults": []}

    @staticmethod
    def _hear(running: _Running, deadline: float) -> Answer:
        assert running.process.stdout is not None
        descriptor = running.process.stdout.fileno()
        size = int.from_bytes(read_within(descriptor, HEADER_BYTES, deadline))
        found = orjson.loads(read_within(descriptor, size, deadline))
        assert isinstance(found, dict)
        return found


def _started() -> _Running:
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    folder = tempfile.TemporaryDirectory(prefix="interop-bench-", dir=place)
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # its words may hold patient data
        bufsize=0,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "TMPDIR": folder.name,
        },
    )
    return _Running(process, folder)


def _end_all(kept: list[_Running]) -> None:
    while kept:
        kept.pop().end()
