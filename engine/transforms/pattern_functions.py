"""Functions with patterns: RE2 only, compiled when the channel is loaded."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, Protocol, cast

import re2  # type: ignore[import-untyped]

from engine.transforms.calls import Call
from engine.transforms.scope import EditContext, Value
from engine.transforms.terms import MAX_TEXT, Evaluate
from engine.transforms.text_functions import whole


class Match(Protocol):
    """What RE2 found: as much of it as is used here."""

    def group(self, number: int) -> str | None:
        """Return the text of a group; None when it took no part."""

    def start(self) -> int:
        """Return where the match begins."""

    def end(self) -> int:
        """Return where the match ends."""

    def expand(self, template: str) -> str:
        r"""Return the template with ``\1`` and relatives filled in."""


class Pattern(Protocol):
    """A compiled RE2 pattern: as much of it as is used here."""

    groups: int

    def search(self, text: str) -> Match | None:
        """Return the first match anywhere in the text."""

    def finditer(self, text: str) -> Iterator[Match]:
        """Return the matches one after another."""


_QUIET: Final = re2.Options()
_QUIET.log_errors = False


def compile_pattern(text: str) -> Pattern | str:
    """Return the compiled pattern, or what RE2 says against it."""
    try:
        return cast("Pattern", re2.compile(text, _QUIET))
    except re2.error as refusal:
        reason = refusal.args[0] if refusal.args else ""
        return (
            reason.decode("utf-8", "replace")
            if isinstance(reason, bytes)
            else str(reason)
        )


def writable(text: str) -> str:
    """Return the text without halves of surrogate pairs, which RE2 cannot read."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text


def _pattern(call: Call) -> Pattern | None:
    found = compile_pattern(call.literal(1))
    if isinstance(found, str):
        call.fault(1, f"this pattern cannot be used: {found}", "patterns are RE2")
        return None
    return found


def matches(call: Call) -> Evaluate | None:
    """Compile ``matches(text, pattern)``: anywhere unless the pattern is anchored."""
    pattern = _pattern(call)
    if pattern is None:
        return None
    search, evaluate = pattern.search, call.arguments[0].evaluate
    return lambda context: search(writable(str(evaluate(context)))) is not None


def extract(call: Call) -> Evaluate | None:
    """Compile ``extract(text, pattern[, group])``."""
    pattern = _pattern(call)
    if pattern is None:
        return None
    group = _group(call, pattern)
    if group is None:
        return None
    search, evaluate = pattern.search, call.arguments[0].evaluate

    def run(context: EditContext) -> Value:
        found = search(writable(str(evaluate(context))))
        return (found.group(group) or "") if found else ""

    return run


def _group(call: Call, pattern: Pattern) -> int | None:
    """Return the number of the group wanted: the first group, or the whole match."""
    if len(call.arguments) <= 2:  # noqa: PLR2004 - the third argument is the group
        return min(pattern.groups, 1)
    given = call.arguments[2]
    number = whole(given.value) if isinstance(given.value, Decimal) else -1
    if not 0 <= number <= pattern.groups:
        call.fault(2, "the pattern has no such group", f"use 0 to {pattern.groups}")
        return None
    return number


def substitute(call: Call) -> Evaluate | None:
    r"""Compile ``substitute(text, pattern, with)``; ``\1`` stands for a group."""
    pattern = _pattern(call)
    if pattern is None:
        return None
    evaluate, template = call.arguments[0].evaluate, call.literal(2)
    refused = substitution_fault(pattern, template)
    if refused:
        call.fault(2, refused, r"write \1 for the first group")
        return None

    def run(context: EditContext) -> Value:
        found = substituted(pattern, template, writable(str(evaluate(context))))
        if found is None:
            context.notes.append("substitute() gave more than 1 MB of text")
            return ""
        return found

    return run


def substitution_fault(pattern: Pattern, template: str) -> str:
    r"""Return why a template cannot be used with a pattern, or ``""``."""
    following = zip(template, [*template[1:], ""], strict=True)
    skip = False
    for letter, after in following:
        if skip or letter != "\\":
            skip = False
            continue
        if after != "\\" and not (after.isdigit() and int(after) <= pattern.groups):
            return f"the pattern has no group {after!r}"
        skip = True
    return ""


def substituted(pattern: Pattern, template: str, text: str) -> str | None:
    """Return the text with every match exchanged; None when it grows too large."""
    parts: list[str] = []
    size = position = 0
    for found in pattern.finditer(text):
        piece = text[position : found.start()] + found.expand(template)
        position, size = found.end(), size + len(piece)
        if size > MAX_TEXT:
            return None
        parts.append(piece)
    parts.append(text[position:])
    return None if size + len(parts[-1]) > MAX_TEXT else "".join(parts)
