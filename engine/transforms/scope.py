"""What an expression may name when it is written, and what stands there later."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.hl7 import Finding, Message, Segment
from engine.hl7.timestamps import Precision, Timestamp
from engine.transforms.code_tables import CodeTable, MissPolicy
from engine.transforms.step_context import Resources
from engine.transforms.trace import Change, Lookup, Miss

if TYPE_CHECKING:
    from engine.transforms.fhir.mapped import Mapped


class Type(StrEnum):
    """The types of the expression language."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    LIST = "list of text"
    REFERENCE = "reference"
    ANY = "any"


Value = str | Decimal | bool | Timestamp | list[str] | dict[str, object] | None
"""What an expression gives: text is ``""`` and any other value None when missing."""

_ALWAYS: Final = {
    "channel.name": Type.TEXT,
    "message.id": Type.TEXT,
    "message.received_at": Type.DATETIME,
    "message.received_date": Type.DATE,
    "message.peer": Type.TEXT,
}
_IDENTITY: Final = {
    "identity.enterprise_id": Type.TEXT,
    "identity.outcome": Type.TEXT,
    "identity.score": Type.NUMBER,
}
_ERROR: Final = {
    "error.stage": Type.TEXT,
    "error.class": Type.TEXT,
    "error.code": Type.TEXT,
    "error.status": Type.NUMBER,
    "error.ack": Type.TEXT,
    "error.attempt": Type.NUMBER,
}
CONTEXT_NAMES: Final[Mapping[str, Mapping[str, Type]]] = MappingProxyType(
    {
        "processing": _ALWAYS,
        "map": _ALWAYS,
        "destination": _ALWAYS | _IDENTITY,
        "document": _ALWAYS | _IDENTITY | {"document.id": Type.TEXT},
        "error": _ALWAYS | _IDENTITY | _ERROR,
    }
)
"""Context names by the place an expression stands in, each with its type."""


@dataclass(frozen=True, slots=True)
class Loop:
    """What one ``for-each`` walks over: segments, or with ``field`` its repetitions."""

    segment: str
    field: int = 0


class LoopItem(NamedTuple):
    """Where a ``for-each`` stands: a segment, and 0 or the number of a repetition."""

    segment: Segment
    repetition: int = 0


class Leaf(NamedTuple):
    """Where one text of a message stands; every number counts from 1."""

    segment: Segment
    field: int
    repetition: int
    component: int
    subcomponent: int

    @property
    def text(self) -> str:
        """The decoded text; ``""`` when it is missing or HL7 null."""
        place = (self.component, self.subcomponent, self.repetition)
        return self.segment.text(self.field, *place)


class Carried(NamedTuple):
    """A leaf whose text a step or row wrote, and whether it is there in the end."""

    leaf: Leaf
    stands: "Callable[[Mapped], bool]"


@dataclass(frozen=True, slots=True)
class Scope:
    """What is known where an expression is written: all it may name.

    ``place`` is a key of `CONTEXT_NAMES`; ``loops`` are the ``for-each`` around it, the
    outer first. ``policy`` is the step's ``on-missing``, None leaves it to the table.
    ``matches`` tells whether persons are matched: without, ``identity.…`` is refused.
    ``site`` is part of identifiers that rows of ``map`` mint.
    """

    place: str = "processing"
    tables: Mapping[str, CodeTable] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    loops: tuple[Loop, ...] = ()
    policy: MissPolicy | None = None
    line: str = ""
    matches: bool = True
    site: str = ""

    @property
    def names(self) -> Mapping[str, Type]:
        """Context names that may be used here."""
        known = CONTEXT_NAMES[self.place]
        return {**known, "index": Type.NUMBER} if self.loops else known

    def knows(self, name: str) -> bool:
        """Whether a context name may be used here."""
        return name in self.names and (self.matches or not name.startswith("identity."))


@dataclass(slots=True)
class EditContext:
    """One message on its way through steps and expressions, and what they noted.

    The caller fills the first five; the lists and dicts after them collect. ``changes``
    is None where nobody wants a trace; ``stopping`` is a miss that must stop the
    message. ``run_python`` runs one Python step: it gets the call and this context,
    edits the message and returns the step's answer; ``run_map`` runs one in ``map``: it
    gets the resources as JSON and returns what the step made of them. ``pseudonym``
    makes a word nobody can reverse without the site's key. ``reference`` is there for
    rows of ``map`` only, ``named`` are the resources they added by name, ``added`` how
    many of each, ``carried`` what they carried over and ``wrote`` their places, by
    resource type. ``copied`` is what steps copied elsewhere, ``rewritten`` the texts
    that tell a leaf in another form.
    ``clock`` is a monotonic clock in seconds; without it steps have no time budget.
    """

    message: Message
    received_at: datetime
    names: Mapping[str, Value]
    tables: Mapping[str, CodeTable]
    zone: tzinfo = UTC
    changes: list[Change] | None = None
    findings: list[Finding] = field(default_factory=list)
    misses: list[Miss] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    index_keys: dict[str, str] = field(default_factory=dict)
    run_python: "Callable[[PythonCall, EditContext], object] | None" = None
    run_map: "Callable[[PythonCall, EditContext, Resources], Resources] | None" = None
    pseudonym: Callable[[str], str] | None = None
    reference: Callable[[str, str], dict[str, object] | None] | None = None
    named: dict[tuple[str, str], dict[str, object]] = field(default_factory=dict)
    added: dict[str, int] = field(default_factory=dict)
    carried: list[Carried] = field(default_factory=list)
    wrote: dict[str, dict[str, None]] = field(default_factory=dict)
    copied: list[Carried] = field(default_factory=list)
    rewritten: list[tuple[Leaf, str]] = field(default_factory=list)
    clock: Callable[[], float] | None = None
    loops: list[LoopItem] = field(default_factory=list)
    index: int = 0
    stopping: Miss | None = None


@dataclass(frozen=True, slots=True)
class PythonCall:
    """A Python step as the channel names it: ``module:function`` and its arguments."""

    module: str
    function: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    line: str = ""


def timestamp_of(moment: datetime) -> Timestamp:
    """Return an aware datetime as an HL7 time with its offset."""
    offset = moment.utcoffset()
    minutes = None if offset is None else int(offset.total_seconds() // 60)
    return Timestamp(
        Precision.SECOND, moment.year, moment.month, moment.day, moment.hour,
        moment.minute, moment.second, "", minutes,
    )  # fmt: skip


def message_names(
    channel: str, message_id: str, received_at: datetime, zone: tzinfo, peer: str = ""
) -> dict[str, Value]:
    """Return the context names every place knows, filled for one message."""
    local = timestamp_of(received_at.astimezone(zone))
    return {
        "channel.name": channel,
        "message.id": message_id,
        "message.received_at": local,
        "message.received_date": local._replace(
            precision=Precision.DAY, hour=0, minute=0, second=0, offset_minutes=None
        ),
        "message.peer": peer,
    }
