"""One more entry in a list of a channel file; every other line stays as it is.

Spec:
    channel-format.md 14.
"""

import re
from collections.abc import Sequence
from typing import Final

_TOP: Final = re.compile(r"^[A-Za-z].*$", re.MULTILINE)
_ITEM: Final = re.compile(r"^( *)- ", re.MULTILINE)


def with_entry(text: str, key: str, lines: Sequence[str]) -> str:
    r"""Return a file with an entry at the end of the list ``key``.

    Examples:
        >>> with_entry("channel: adt\n", "tests", ["- name: one"])
        'channel: adt\n\ntests:\n  - name: one\n'
    """
    text = text if text.endswith("\n") else f"{text}\n"
    written = re.compile(rf"^{key}:[ \t]*(\[\])?[ \t]*(#.*)?$", re.MULTILINE)
    head = written.search(text)
    if head is None:
        return f"{text}\n{key}:\n{_indented(lines, '  ')}"
    if head[1]:
        after = text[head.end() + 1 :]
        return f"{text[: head.start()]}{key}:\n{_indented(lines, '  ')}{after}"
    following = _TOP.search(text, head.end() + 1)
    end = following.start() if following else len(text)
    block = text[head.end() : end].rstrip("\n")
    item = _ITEM.search(block)
    entry = _indented(lines, item[1] if item else "  ")
    rest = text[head.end() + len(block) + 1 :]
    return f"{text[: head.end()]}{block}\n{entry}{rest}"


def _indented(lines: Sequence[str], indent: str) -> str:
    return "".join(f"{indent}{line}\n" for line in lines)
