"""What the API answers with: the names here are a promise to programs.

Instants are UTC, durations milliseconds. A text that is not known is empty; what does
not apply is null.

Spec:
    console.md 6 (API first).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item", bound=BaseModel)
Class = Annotated[str, Field(serialization_alias="class")]
"""What a failure means: transient, permanent and so on."""


class Shown(BaseModel):
    """A value of the store as programs see it.

    ``WITHHELD`` is what stands in the answer to an order that is sent again.
    """

    WITHHELD: ClassVar[Mapping[str, object]] = {}

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Problem(Shown):
    """Why a request was not answered (RFC 9457); it repeats nothing of the request."""

    type: str
    title: str
    status: int
    detail: str = ""
    instance: str = ""


class Listed(Shown, Generic[Item]):
    """One page of a list; ``next`` is the cursor of the page after it, or null."""

    items: list[Item]
    next: str | None = None


class Done(Shown):
    """What an order did: how many messages, deliveries or entries it moved."""

    what: str
    count: int


# ---- messages and deliveries


class MessageRow(Shown):
    """A message as lists show it: no patient data but the enterprise identifier."""

    id: int
    received_at: datetime
    channel: str
    message_type: str
    trigger_event: str
    control_id: str
    state: str
    person: str
    stage: str
    code: str
    reason: str
    ack_code: str
    attempt: int
    revision: str
    processed_at: datetime | None


class Attempt(Shown):
    """One processing of a message."""

    attempt: int
    state: str
    revision: str
    stage: str
    code: str
    reason: str
    processed_at: datetime
    duration_us: int


class Delivery(Shown):
    """One document on its way; ``attempts`` counts what was tried to send it."""

    id: int
    message_id: int
    channel: str
    destination: str
    state: str
    attempts: int
    not_before: datetime | None
    content_type: str
    class_: Class
    code: str
    sentence: str
    queued_at: datetime
    settled_at: datetime | None


class Message(Shown):
    """One message: its ``content`` is masked unless the caller may see patients.

    ``complaint`` says why there is no content, or why it cannot be read.
    """

    message: MessageRow
    content: str
    masked: bool
    complaint: str
    attempts: list[Attempt]
    deliveries: list[Delivery]


class Document(Shown):
    """What was sent; patient data."""

    content_type: str
    content: str


class Parked(Shown):
    """A lane that waits behind a failed delivery, and how many wait in it."""

    person: str
    channel: str
    destination: str
    delivery_id: int
    message_id: int
    since: datetime
    class_: Class
    code: str
    sentence: str
    behind: int


class Change(Shown):
    """One place that an edit changes."""

    path: str
    name: str
    before: str
    after: str


class Edited(Shown):
    """What an edit would change; ``complaint`` says why it cannot be sent.

    ``version`` is sent with the order, as ``If-Match``, for just this copy.
    """

    complaint: str
    version: str
    changes: list[Change]


# ---- the error queue


class Group(Shown):
    """Open entries of the error queue with one cause."""

    key: str
    cause: str
    channel: str
    destination: str
    stage: str
    code: str
    open: int
    oldest: datetime
    last_at: datetime
    parked: int
    assignee: str


class Entry(Shown):
    """One entry of the error queue; ``delivery_id`` is 0 for one about a message."""

    id: int
    kind: str
    message_id: int
    delivery_id: int
    channel: str
    destination: str
    stage: str
    class_: Class
    code: str
    sentence: str
    assignee: str
    opened_at: datetime


# ---- tables, alerts, audit


class TableRow(Shown):
    """One code table: how many rows, and how many codes seen lack one."""

    table: str
    rows: int
    used_by: list[str]
    unmapped: int
    proposed: int
    version: str
    owner: str


class Table(Shown):
    """One code table with its rows, by column."""

    table: str
    version: str
    columns: list[str]
    rows: list[dict[str, str]]


class Saved(Shown):
    """What came of a change: ``state`` is saved, proposed or unchanged."""

    table: str
    state: str
    version: str
    change: int


class Incident(Shown):
    """One trouble from when it was first seen until it ended."""

    id: int
    kind: str
    channel: str
    place: str
    severity: str
    sentence: str
    parts: int
    opened_at: datetime | None
    ended_at: datetime | None
    acknowledged_by: str
    acknowledged_at: datetime | None
    note: str
    snoozed_until: datetime | None


class Act(Shown):
    """One row of the audit trail; ``detail`` of what names patients may be covered.

    ``patient`` is a keyed hash of whom it showed, the same for the same person.
    """

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    patient: str
    detail: str


class Verified(Shown):
    """What a walk over the audit chain found; without a fault it is whole."""

    rows: int
    fault: str
