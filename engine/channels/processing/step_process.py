"""The locked-down process a site's Python steps run in: one request, one answer.

Requests and answers are JSON objects, each after its length as four bytes, big end
first, on standard input and output. The first request is `Start`; the steps' own
modules are imported only after every lock is closed.
"""

import importlib.util
import os
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, TypedDict, cast

import hl7
import orjson

from engine.channels.processing.sandbox import Limits, lock_down
from engine.errors import TransformError
from engine.hl7 import Message, parse
from engine.transforms.step_context import Resources, StepContext

HEADER_BYTES = 4


class Start(TypedDict):
    """Where the steps lie and what they may look up."""

    folder: str
    tables: dict[str, dict[str, str]]
    memory_bytes: int


class Request(TypedDict):
    """One call of one step; ``message`` is base64, ``resources`` only in ``map``."""

    step: str
    message: str
    charset: str
    channel: str
    message_id: str
    received_at: str
    arguments: dict[str, str]
    position: int
    resources: Resources | None


def read_frame(stream: BinaryIO) -> bytes | None:
    """Return the next object's bytes, None when the other side is gone."""
    header = stream.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return None
    size = int.from_bytes(header)
    body = stream.read(size)
    return body if len(body) == size else None


def frame(value: object) -> bytes:
    """Return an object as it goes over the pipe."""
    body = orjson.dumps(value)
    return len(body).to_bytes(HEADER_BYTES) + body


def main() -> None:
    """Lock the process, then answer requests until standard input ends."""
    requests, answers = sys.stdin.buffer, _own_output()
    first = read_frame(requests)
    if first is None:
        return
    start: Start = orjson.loads(first)
    sys.stdout = sys.stderr  # a step that prints must not break the answers
    locks = lock_down([start["folder"]], Limits(memory_bytes=start["memory_bytes"]))
    answers.write(frame({"landlock": locks.landlock, "seccomp": locks.seccomp}))
    answers.flush()
    modules: dict[str, ModuleType] = {}
    while (body := read_frame(requests)) is not None:
        answers.write(frame(_answer(orjson.loads(body), start, modules)))
        answers.flush()


def _own_output() -> BinaryIO:
    """Keep the pipe of answers for ourselves: what a step writes to 1 goes nowhere."""
    own = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return own


def _answer(
    request: Request, start: Start, modules: dict[str, ModuleType]
) -> dict[str, object]:
    """Run one step; whatever it raises becomes a sentence without patient data."""
    tables = start["tables"]
    context = StepContext(
        request["channel"],
        request["message_id"],
        datetime.fromisoformat(request["received_at"]),
        request["arguments"],
        lambda name, key: tables.get(name, {}).get(key),
        position=request["position"],
    )
    try:
        function = _function(request["step"], start["folder"], modules)
        answer = _call(function, request, context)
    except TransformError as error:
        return {"failed": str(error), "code": error.code, "label": error.label}
    except Exception as error:  # noqa: BLE001 - the step is not our code
        return {"failed": _where(error, request["step"]), "code": "step-failed"}
    return {**answer, "flags": context.flags}


def _call(
    function: Callable[..., object], request: Request, context: StepContext
) -> dict[str, object]:
    data = b64decode(request["message"])
    if request["resources"] is not None:
        resources = request["resources"]
        function(resources, parse(data, charset=request["charset"]), context)
        return {"resources": resources}
    if _wants_python_hl7(function):
        return _call_with_python_hl7(function, data, context)
    message = parse(data, charset=request["charset"])
    keep = function(message, context)
    return {"message": _encoded(message), "keep": keep is not False}


def _call_with_python_hl7(
    function: Callable[..., object], data: bytes, context: StepContext
) -> dict[str, object]:
    """Hand over a python-hl7 message, as UTF-8, and take back what became of it."""
    view = hl7.parse(data.decode("utf-8"))
    keep = function(view, context)
    changed = str(view).encode("utf-8")
    return {"message": b64encode(changed).decode("ascii"), "keep": keep is not False}


def _wants_python_hl7(function: Callable[..., object]) -> bool:
    annotations = cast("Mapping[str, object]", getattr(function, "__annotations__", {}))
    return next(iter(annotations.values()), None) is hl7.Message


def _encoded(message: Message) -> str:
    return b64encode(message.encode()).decode("ascii")


def _function(
    step: str, folder: str, modules: dict[str, ModuleType]
) -> Callable[..., object]:
    """Return ``module:function`` of the site's folder, importing it once."""
    name, _, function = step.partition(":")
    if name not in modules:
        spec = importlib.util.spec_from_file_location(name, Path(folder, f"{name}.py"))
        if spec is None or spec.loader is None:
            raise TransformError(f"there is no step module {name}", "step-missing")
        modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(modules[name])
    found = getattr(modules[name], function, None)
    if not callable(found):
        raise TransformError(f"there is no step {step}", "step-missing")
    return cast("Callable[..., object]", found)


def _where(error: Exception, step: str) -> str:
    """Name the kind of error and its line; its text may hold patient data."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        line, trace = trace.tb_lineno, trace.tb_next
    return f"step {step} raised {type(error).__name__} at line {line}"


if __name__ == "__main__":
    main()
