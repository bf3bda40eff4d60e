"""The tables, in two schemas: ``journal`` (written by edge) and ``engine``.

What could name a patient is sealed or a keyed hash; every other column may be shown.
"""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table

from engine.store.delivery_state import State
from engine.store.message_state import MessageState
from engine.store.schema import (
    ENGINE,
    JOURNAL,
    digest,
    instants,
    is_one_of,
    number,
    numbers,
    partial_index,
    row_id,
    sealed,
    when,
    word,
    words,
)
from engine.store.words import EntryKind, LaneState, OnFailure, RunState, Verdict

# ---- journal: written by edge alone

journal_message = Table(
    "message",
    JOURNAL,
    row_id(),
    *words("channel", "listener", "peer"),
    when("received_at"),
    *words("control_id", "message_type", "trigger_event"),
    number("size"),
    digest("sha256"),
    sealed("content"),
    *words("verdict", "cause", "ack_code", "findings", "batch"),
    is_one_of("verdict", Verdict, "message_verdict"),
    Index("message_by_channel", "channel", "id"),
    Index("message_by_time", "received_at"),
    partial_index("message_by_batch", "batch", "id", where="batch <> ''"),
)

dedupe = Table(
    "dedupe",
    JOURNAL,
    digest("key", primary_key=True),
    digest("content_hash", primary_key=True),
    number("message_id"),
    when("received_at"),
    word("ack_code"),
    number("repeats"),
    Index("dedupe_by_time", "received_at"),
    sqlite_with_rowid=False,
)

intake = Table(
    "intake",
    JOURNAL,
    word("channel", primary_key=True),
    *numbers("messages", "repeats"),
    when("last_at"),
)
"""What each channel has taken in, so that nothing has to be counted."""

link_sequence = Table(
    "link_sequence",
    JOURNAL,
    word("link", primary_key=True),
    number("number"),
    word("listener"),
    number("frozen"),
)
"""The last sequence number (MSH-13) of each link; -1 where the next may be any."""

fragment = Table(
    "fragment",
    JOURNAL,
    row_id("message_id"),
    *numbers("chain", "place"),
    Column("awaits", LargeBinary),
    Index("fragment_by_chain", "chain"),
    partial_index("fragment_awaits", "awaits", where="awaits IS NOT NULL"),
)
"""Parts of messages; ``chain`` is the first one, ``awaits`` the keyed next pointer."""

batch = Table(
    "batch",
    JOURNAL,
    word("name", primary_key=True),
    *words("channel", "control_id", "file_control_id", "declared"),
    *numbers("found", "agrees"),
    when("received_at"),
)
"""What headers and trailers of batches said; messages name theirs."""

journal_sequence = Table(
    "sequence", JOURNAL, word("name", primary_key=True), number("value")
)

# ---- engine: messages

message = Table(
    "message",
    ENGINE,
    row_id(),
    *words("channel", "state"),
    number("attempt"),
    *words("revision", "stage", "code", "reason", "person"),
    Column("behind", BigInteger),
    when("processed_at"),
    is_one_of("state", MessageState, "message_state"),
    partial_index(
        "message_not_done",
        "state",
        "id",
        where="state IN ('received', 'held', 'error')",
    ),
    partial_index("message_behind", "behind", where="behind IS NOT NULL"),
)

attempt = Table(
    "attempt",
    ENGINE,
    number("message_id", primary_key=True),
    number("attempt", primary_key=True),
    *words("state", "revision", "stage", "code", "reason", "person"),
    when("processed_at"),
    number("duration_us"),
    sealed("report"),
    sqlite_with_rowid=False,
)

progress = Table(
    "progress",
    ENGINE,
    word("channel", primary_key=True),
    number("partition", primary_key=True),
    *numbers("last_id", "started_to", "trying_id", "tries"),
)

redo = Table(
    "redo",
    ENGINE,
    row_id("message_id"),
    word("channel"),
    when("asked_at"),
    number("tries"),
    Index("redo_by_channel", "channel", "message_id"),
)

hold_order = Table(
    "hold_order", ENGINE, row_id("message_id"), *words("channel", "actor"),
    when("asked_at"),
)  # fmt: skip
"""Messages that a person wants held, until their worker gets to them."""

held_person = Table(
    "held_person",
    ENGINE,
    digest("key", primary_key=True),
    number("message_id", primary_key=True),
    when("since"),
    Index("held_person_by_message", "message_id"),
)

search_key = Table(
    "search_key",
    ENGINE,
    number("value", primary_key=True),
    number("message_id", primary_key=True),
    sqlite_with_rowid=False,
)

# ---- engine: deliveries

lane = Table(
    "lane",
    ENGINE,
    row_id(),
    *words("channel", "destination", "person"),
    number("head_id"),
    word("state"),
    when("next_at"),
    is_one_of("state", LaneState, "lane_state"),
    Index(
        "lane_by_state",
        *("channel", "destination", "state", "next_at", "head_id", "person"),
    ),
)

lane_join = Table(
    "lane_join",
    ENGINE,
    number("lane_id", primary_key=True),
    number("after_id", primary_key=True),
    number("until_id"),
    sqlite_with_rowid=False,
)
"""Lanes of persons whose records moved: one waits for older deliveries of the other."""

delivery = Table(
    "delivery",
    ENGINE,
    row_id(),
    *numbers("message_id", "attempt", "ordinal", "event"),
    *words("channel", "destination"),
    number("lane_id"),
    word("state"),
    number("attempts"),
    when("not_before", nullable=True),
    number("aside"),
    word("owner"),
    number("epoch"),
    word("content_type"),
    digest("sha256"),
    sealed("answer"),
    *words("class", "code", "sentence", "note", "on_failure"),
    when("queued_at"),
    when("settled_at", nullable=True),
    is_one_of("state", State, "delivery_state"),
    is_one_of("on_failure", OnFailure, "delivery_on_failure"),
    Index("delivery_by_message", "message_id"),
    partial_index("delivery_queued", "lane_id", "id", where="state = 'queued'"),
    partial_index("delivery_failed", "id", where="state = 'failed'"),
)

rendered = Table(
    "rendered",
    ENGINE,
    row_id("delivery_id"),
    sealed("name"),
    sealed("content"),
)
"""What deliveries carry: apart, so that a change of state rewrites little."""

# ---- engine: what persons look at

error_entry = Table(
    "error_entry",
    ENGINE,
    row_id(),
    word("kind"),
    *numbers("message_id", "delivery_id"),
    *words("channel", "destination", "stage", "class", "code", "sentence"),
    *words("group_key", "label", "assignee"),
    when("opened_at"),
    when("closed_at", nullable=True),
    *words("closed_by", "resolution"),
    is_one_of("kind", EntryKind, "error_entry_kind"),
    Index("error_entry_by_message", "message_id"),
    Index("error_entry_by_delivery", "delivery_id"),
    partial_index("error_entry_open", "group_key", "id", where="closed_at IS NULL"),
)

error_group = Table(
    "error_group",
    ENGINE,
    word("key", primary_key=True),
    *words("channel", "destination", "stage", "class", "code", "cause"),
    number("open"),
    *instants("first_at", "last_at"),
)

comment = Table(
    "comment",
    ENGINE,
    row_id(),
    number("entry_id"),
    when("at"),
    word("author"),
    sealed("content"),
    Index("comment_by_entry", "entry_id"),
)

table_miss = Table(
    "table_miss",
    ENGINE,
    digest("key", primary_key=True),
    *words("channel", "table_name", "sender"),
    sealed("code"),
    *numbers("count", "message_id"),
    when("last_at"),
)

counter = Table(
    "counter",
    ENGINE,
    word("subject", primary_key=True),
    word("channel", primary_key=True),
    word("destination", primary_key=True),
    word("state", primary_key=True),
    number("count"),
)

# ---- engine: resources and documents

resource = Table(
    "resource",
    ENGINE,
    digest("key", primary_key=True),
    *words("resource_type", "sent"),
    number("record"),
    digest("hash"),
    sealed("content"),
    when("source_time", nullable=True),
    number("message_id"),
    Index("resource_by_record", "record"),
    sqlite_with_rowid=False,
)

document = Table(
    "document",
    ENGINE,
    digest("set_key", primary_key=True),
    number("number", primary_key=True),
    sealed("content"),
    number("message_id"),
    when("made_at"),
    Index("document_by_message", "message_id"),
)

# ---- engine: ownership, audit, housekeeping

lease = Table(
    "lease",
    ENGINE,
    word("name", primary_key=True),
    word("owner"),
    number("epoch"),
    when("until"),
)

run_state = Table(
    "run_state",
    ENGINE,
    word("channel", primary_key=True),
    word("destination", primary_key=True),
    *words("state", "note", "changed_by"),
    when("changed_at"),
    is_one_of("state", RunState, "run_state_state"),
)

process = Table(
    "process",
    ENGINE,
    word("node", primary_key=True),
    word("role", primary_key=True),
    word("name", primary_key=True),
    number("pid"),
    *instants("started_at", "seen_at"),
    word("detail"),
)

audit = Table(
    "audit",
    ENGINE,
    row_id(),
    when("at"),
    *words("actor", "action", "subject"),
    sealed("detail"),
    digest("hash"),
    word("patient"),  # keyed hash of an enterprise identifier
    partial_index(
        "audit_of_losses", "id", where="action IN ('accept-loss', 'message.lost')"
    ),
    partial_index(
        "audit_of_run_states",
        "id",
        where="action IN ('channel.running', 'channel.paused', 'channel.stopped')",
    ),
)

corrected = Table(
    "corrected",
    ENGINE,
    word("channel", primary_key=True),
    number("event"),
)
"""The last link event whose corrections each channel has made."""

release = Table(
    "release",
    ENGINE,
    row_id("message_id"),
)
"""Messages whose content edge may take out of the journal."""

sequence = Table("sequence", ENGINE, word("name", primary_key=True), number("value"))

site = Table(
    "site",
    ENGINE,
    word("name", primary_key=True),
    digest("value"),
)
"""Facts about the whole store: today the proof that a key is the right one."""
