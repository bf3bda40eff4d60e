"""A message saved as a test of its channel: a file, and an entry in the channel's own.

Spec:
    channel-format.md 3.10 and 14; console.md S9.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engine.channels.list_entries import with_entry
from engine.channels.whole_files import replace_file
from engine.errors import ConfigurationError

_NOT_IN_A_NAME: Final = re.compile(r"[^a-z0-9]+")
_LONGEST: Final = 60

Try = Callable[[str], Mapping[str, Any]]
"""Runs the channel's tests with this text as its file; see `Trials.test`."""


@dataclass(frozen=True, slots=True)
class NewTest:
    """A test to be: what it is called, its message, and what must come out."""

    name: str
    data: bytes
    expect: Mapping[str, object]


def expectation(flow: Mapping[str, Any]) -> dict[str, object]:
    """Return what a flow says must come out: state, answer, what steps changed.

    Whole documents are not compared: they name the version of the engine.
    """
    state = flow["state"]
    found: dict[str, object] = {"status": state}
    if flow["code"]:
        found["ack"] = flow["code"]
    if state == "filtered":
        found["by"] = flow["reason"]
    if state != "processed":
        return found
    made = dict.fromkeys(each["destination"] for each in flow["outputs"])
    if flow["identity"]:
        found["identity"] = flow["identity"]
    found["destinations"] = [name for name in made if not name.startswith("(")]
    found["fields"] = {
        path: after
        for part in flow["parts"]
        if part["stage"] == "edit"
        for path, _, after, _ in part["changes"]
        if after and "*" not in path
    }
    return found


def add_test(config: Path, channel: str, test: NewTest, run: Try) -> str:
    """Write a test beside its channel; return the message's file.

    The channel's file keeps every line it has. Nothing is written unless the channel
    stands with the test, and the test passes.

    Raises:
        ConfigurationError: the name is taken, or the test does not pass.
    """
    path = config / "channels" / f"{channel}.yaml"
    written = path.read_text("utf-8")
    slug = _NOT_IN_A_NAME.sub("-", test.name.lower())[:_LONGEST].strip("-")
    if not slug:
        raise ConfigurationError("give the test a name in words")
    file = f"tests/{channel}-{slug}.hl7"
    if (config / file).exists():
        raise ConfigurationError(f"{file} exists already: give the test another name")
    draft = with_test(written, test, file)
    (config / "tests").mkdir(exist_ok=True)
    replace_file(config / file, test.data.replace(b"\r", b"\n"))
    try:
        _expect_passed(run(draft), test.name)
        _expect_unchanged(path, written)
        replace_file(path, draft.encode())
    except BaseException:
        (config / file).unlink(missing_ok=True)
        raise
    return file


def _expect_unchanged(path: Path, written: str) -> None:
    """Raise where somebody saved the file since it was read."""
    if path.read_text("utf-8") != written:
        raise ConfigurationError(f"{path.name} was changed meanwhile: save again")


def _expect_passed(found: Mapping[str, Any], name: str) -> None:
    """Raise unless the new test ran and passed."""
    if "tests" not in found:
        told = [found.get("refused", "the tests ran out of time")]
        raise ConfigurationError("; ".join(["nothing was saved", *told]))
    own = [each for each in found["tests"] if each["name"] == name]
    differences = [one for each in own for one in each["differences"]]
    if len(own) != 1 or differences:
        why = "; ".join(differences) or "another test has this name"
        raise ConfigurationError(f"nothing was saved: {why}")


def with_test(text: str, test: NewTest, file: str) -> str:
    """Return a channel file with one more test; every other line stays as it is."""
    lines = [f"- name: {_quoted(test.name)}", f"  message: {file}", "  expect:"]
    lines += [f"    {key}: {_quoted(value)}" for key, value in test.expect.items()]
    return with_entry(text, "tests", lines)


def _quoted(value: object) -> str:
    """Return a value as JSON, which YAML reads as well."""
    return json.dumps(value, ensure_ascii=False)
