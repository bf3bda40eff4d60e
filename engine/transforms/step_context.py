"""What a site's Python step is given besides the message, and nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn

from engine.errors import TransformError

Resources = list[dict[str, object]]
"""The FHIR resources of one message, as a step in ``map`` may change them."""


@dataclass(frozen=True, slots=True)
class StepContext:
    """Facts and the few moves a step has: look up, flag, fail.

    ``received_at`` is aware UTC. ``arguments`` are those of ``with:`` in the channel.
    Inside a ``for-each``, ``message.segments[position]`` is the current segment; -1
    elsewhere.
    """

    channel: str
    message_id: str
    received_at: datetime
    arguments: Mapping[str, str]
    look_up: Callable[[str, str], str | None]
    flags: list[str] = field(default_factory=list)
    position: int = -1

    def table(self, name: str, key: str) -> str:
        """Return what a code table says for ``key``.

        Raises:
            TransformError: the table has no row for it; the message goes to the error
                queue unless the step catches this.
        """
        found = self.look_up(name, key)
        if found is None:
            raise TransformError(f"no row for the code in table {name}", "table-miss")
        return found

    def flag(self, text: str) -> None:
        """Leave a finding on the message; no patient values in ``text``."""
        self.flags.append(text)

    def fail(self, text: str, label: str = "") -> NoReturn:
        """Send the message to the error queue with this sentence."""
        raise TransformError(text, "step-failed", label)
