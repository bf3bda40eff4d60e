"""Running a site's Python steps in a process that can hurt nobody.

Spec:
    channel-format.md 5.1; security.md S35.
"""

import os
import resource
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, cast

import orjson

from engine.channels.processing.pipes import read_within
from engine.channels.processing.step_process import HEADER_BYTES, Request, Start, frame
from engine.errors import TransformError
from engine.hl7 import Message, parse
from engine.transforms.step_context import Resources

STEP_PROCESS: Final = "engine.channels.processing.step_process"
_DEAD = "step-died"


@dataclass(frozen=True, slots=True)
class StepLimits:
    """Budgets of one call."""

    wall_seconds: float = 2.0
    cpu_seconds: int = 1
    memory_bytes: int = 512 * 1024 * 1024
    calls_per_process: int = 1_000


@dataclass(frozen=True, slots=True)
class Call:
    """Which step, for which message, with which arguments, at which segment."""

    step: str
    channel: str
    message_id: str
    received_at: datetime
    arguments: Mapping[str, str] = field(default_factory=dict)
    position: int = -1


@dataclass(slots=True)
class StepRunner:
    """One sandboxed process, started when first needed and replaced when it dies.

    Attributes:
        folder: ``config/steps``.
        tables: code tables by name, as plain mappings.
        limits: time, memory, and calls before the process is replaced.
    """

    folder: Path
    tables: Mapping[str, Mapping[str, str]]
    limits: StepLimits = field(default_factory=StepLimits)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    _calls: int = field(default=0, init=False)

    def run(self, call: Call, message: Message) -> tuple[Message, bool, list[str]]:
        """Return the message a step made, whether a filter keeps it, and its flags.

        Raises:
            TransformError: the step failed, died (``step-died``) or took too long.
        """
        answer = self._ask(call, message, None)
        changed = parse(b64decode(str(answer["message"])), charset=message.charset)
        return changed, bool(answer["keep"]), _flags(answer)

    def map(
        self, call: Call, message: Message, resources: Resources
    ) -> tuple[Resources, list[str]]:
        """Return the resources a step in ``map`` made, and its flags.

        Raises:
            TransformError: the step failed, died or took too long.
        """
        answer = self._ask(call, message, resources)
        return cast("Resources", answer["resources"]), _flags(answer)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def _ask(
        self, call: Call, message: Message, resources: Resources | None
    ) -> dict[str, object]:
        process = self._running()
        request: Request = {
            "step": call.step,
            "message": b64encode(message.encode()).decode("ascii"),
            "charset": message.charset,
            "channel": call.channel,
            "message_id": call.message_id,
            "received_at": call.received_at.isoformat(),
            "arguments": dict(call.arguments),
            "position": call.position,
            "resources": resources,
        }
        self._allow_cpu(process)
        answer = self._exchange(process, frame(request), call.step)
        if "failed" in answer:
            raise TransformError(
                str(answer["failed"]), str(answer["code"]), str(answer.get("label", ""))
            )
        return answer

    def _running(self) -> "subprocess.Popen[bytes]":
        """Return a live process, replacing one that died or served long enough."""
        process = self._process
        if process is not None and (
            process.poll() is not None or self._calls >= self.limits.calls_per_process
        ):
            self.close()
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", STEP_PROCESS],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # a step's own words may hold patient data
                bufsize=0,
                env={"PYTHONPATH": str(Path(__file__).parents[3])},
            )
            self._calls = 0
            start: Start = {
                "folder": str(self.folder.resolve()),
                "tables": {name: dict(rows) for name, rows in self.tables.items()},
                "memory_bytes": self.limits.memory_bytes,
            }
            self._exchange(self._process, frame(start), "start", start_up=True)
        self._calls += 1
        return self._process

    def _allow_cpu(self, process: "subprocess.Popen[bytes]") -> None:
        """Move the processor limit to what is used so far plus one call's share.

        The hard limit stays: once lowered, only a privileged process may raise it. A
        step that ignores the signal of the soft one ends with its wall-clock time.
        """
        fields = Path(f"/proc/{process.pid}/stat").read_text("ascii").rsplit(")", 1)[1]
        ticks = sum(int(part) for part in fields.split()[11:13])
        used = ticks // os.sysconf("SC_CLK_TCK")
        wanted = used + self.limits.cpu_seconds + 1
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_CPU)
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (soft, hard))

    def _exchange(
        self,
        process: "subprocess.Popen[bytes]",
        request: bytes,
        step: str,
        *,
        start_up: bool = False,
    ) -> dict[str, object]:
        """Write one request and read its answer within the wall-clock limit."""
        allowed = (
            10 * self.limits.wall_seconds if start_up else self.limits.wall_seconds
        )
        deadline = time.monotonic() + allowed
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(request)
            header = read_within(process.stdout.fileno(), HEADER_BYTES, deadline)
            body = read_within(
                process.stdout.fileno(), int.from_bytes(header), deadline
            )
            return cast("dict[str, object]", orjson.loads(body))
        except (OSError, TimeoutError, orjson.JSONDecodeError) as error:
            self.close()  # what else is in its pipe would answer other messages
            reason = "took too long" if isinstance(error, TimeoutError) else "died"
            raise TransformError(f"step {step} {reason}", _DEAD) from error


def _flags(answer: Mapping[str, object]) -> list[str]:
    return [str(flag) for flag in cast("list[object]", answer.get("flags", []))]
