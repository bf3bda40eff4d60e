"""File names made of a message: ``out/{message.received_date}/{message.id}.hl7``.

What a message puts into a name can never lead out of the folder, hide the file or make
the name too long.

Spec:
    channel-format.md 3.6, path template; security.md S30.
"""

import re
from collections.abc import Mapping
from typing import Final

from engine.errors import ParseError, TransformError
from engine.hl7 import Message, parse_path

MAX_VALUE: Final = 100
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_UNSAFE: Final = re.compile(r"[/\\:\x00-\x1f\x7f\u0080-\u009f\u2028\u2029]")


def placeholders(template: str) -> list[str]:
    """Return what stands between braces, in order."""
    return _PLACEHOLDER.findall(template)


def clean(value: str) -> str:
    """Return a value that is safe as part of one file name."""
    return _UNSAFE.sub("", value).lstrip(". ")[:MAX_VALUE].rstrip()


def fill(template: str, names: Mapping[str, str], message: Message) -> str:
    """Return the path with its placeholders filled.

    Args:
        template: checked when the channel was loaded.
        names: context names with their values as text.
        message: for placeholders that are HL7 paths.

    Raises:
        TransformError: a placeholder gave nothing, which would let two messages write
            one file.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1]
        text = clean(names[name] if name in names else _read(message, name))
        if not text:
            raise TransformError(
                f"{{{name}}} in the path {template} has no value for this message",
                "empty-path",
            )
        return text

    return _PLACEHOLDER.sub(value, template)


def _read(message: Message, name: str) -> str:
    try:
        return message[name]
    except ParseError:
        return ""


def placeholder_fault(name: str, known: frozenset[str]) -> str | None:
    """Return what is wrong with a placeholder, in words, or None."""
    if name in known:
        return None
    try:
        parse_path(name)
    except ParseError:
        return f"{{{name}}} is neither a context name nor an HL7 path"
    return None
