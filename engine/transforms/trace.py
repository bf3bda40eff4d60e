"""Which field, step and table row made what, and what was left behind."""

from dataclasses import dataclass
from typing import Final

CHANNEL_RULE: Final = "channel-rule"
"""Why a field is lost that a step or a row of the channel took out or wrote over."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One populated source field that reached no resource, with the reason.

    ``value`` may be patient data: it is kept in memory only and masked where shown.
    """

    path: str
    reason: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One edit that changed something.

    ``line`` is the place of the step, such as ``channels/adt.yaml:32``; ``before`` and
    ``after`` may be patient data, like the value of a `Loss`. ``note`` is free of it.
    """

    line: str
    path: str
    before: str
    after: str
    note: str = ""

    @property
    def of_resource(self) -> bool:
        """Whether a row of ``map`` changed a resource, not a step the message."""
        return self.path[1:2].islower()


@dataclass(frozen=True, slots=True)
class Miss:
    """One code that a code table had no row for.

    ``stops`` tells whether the message must stop here; ``label`` is the analyst's word
    for it. ``line`` is the step that looked, and ``flagged`` asks for a finding.
    """

    table: str
    code: str
    line: str = ""
    stops: bool = False
    flagged: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True)
class Lookup:
    """One code that was found, with the version of the table that answered.

    ``line`` is the step or row that looked.
    """

    table: str
    version: str
    code: str
    result: str
    line: str = ""
