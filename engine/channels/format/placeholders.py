"""``${NAME}`` in connection settings: where the values come from."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engine.channels.format.faults import Fault
from engine.channels.format.nodes import Scalar

_WRITTEN: Final = re.compile(
    r"\$\{(?:file:(?P<file>[^}]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"(?::-(?P<fallback>[^}]*))?)\}"
)
_HINT: Final = (
    "set it in the environment, or under [environments.default] in interop.toml"
)


@dataclass(frozen=True, slots=True)
class Placeholders:
    """Values by name: the process environment first, then ``interop.toml``."""

    process: Mapping[str, str] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()

    def filled(
        self, node: Scalar, report: Callable[[Fault], None], *, allowed: bool
    ) -> str | None:
        """Return the text with its placeholders filled in; None after a fault."""
        if "${" not in node.text:
            return node.text
        if not allowed:
            sentence = "a placeholder cannot stand here"
            hint = "placeholders stand in source, in destinations and in notify"
            report(Fault(node.place, sentence, hint, "CH121"))
            return None
        missing: list[str] = []

        def value(found: re.Match[str]) -> str:
            known = self._value(found)
            if known is None:
                offset = found.start()
                name = found["name"] or found["file"]
                what = "has no value" if found["name"] else "cannot be read"
                hint = _HINT if found["name"] else "check that the file is there"
                report(Fault(node.at(offset), f"{name} {what}", hint, "CH120"))
                missing.append(name)
            return known or ""

        text = _WRITTEN.sub(value, node.text)
        if "${" in _WRITTEN.sub("", node.text):
            sentence = "this placeholder is not closed or not a name"
            report(Fault(node.place, sentence, "write ${NAME}", "CH120"))
            return None
        return None if missing else text

    def _value(self, found: "re.Match[str]") -> str | None:
        if found["file"]:
            try:
                return (self.folder / found["file"]).read_text("utf-8").strip()
            except (OSError, ValueError):
                return None
        name = found["name"]
        for values in (self.process, self.environment):
            if name in values:
                return values[name]
        return found["fallback"]
