"""What watches over the engine: traffic, incidents, notices; in schema ``engine``."""

from sqlalchemy import Index, Table

from engine.store.schema import (
    ENGINE,
    instants,
    number,
    numbers,
    partial_index,
    row_id,
    when,
    word,
    words,
)

traffic = Table(
    "traffic",
    ENGINE,
    word("span", primary_key=True),
    when("at", primary_key=True),
    word("measure", primary_key=True),
    word("channel", primary_key=True),
    word("place", primary_key=True),
    word("label", primary_key=True),
    number("count"),
    when("last_at"),
    sqlite_with_rowid=False,
)
"""How often something happened, by minute, by hour and in all.

``place`` is a destination or a stage, ``label`` what the measure tells apart by: a
message type, a rule, a code, the upper bound of a bucket. Names of the configuration
and fixed words alone, so that all of it may be shown anywhere.
"""

incident = Table(
    "incident",
    ENGINE,
    row_id(),
    *words("key", "kind", "channel", "place", "severity", "sentence", "notify"),
    *numbers("parts", "after_seconds"),
    *instants("begun_at", "held_at"),
    when("opened_at", nullable=True),
    when("ended_at", nullable=True),
    when("acknowledged_at", nullable=True),
    *words("acknowledged_by", "note"),
    when("snoozed_until", nullable=True),
    partial_index("incident_unfinished", "id", where="ended_at IS NULL"),
    Index("incident_by_end", "ended_at"),
)
"""Troubles that alert rules found, from the first sight to the end."""

notice = Table(
    "notice",
    ENGINE,
    row_id(),
    number("incident"),
    *words("told", "contact", "sentence", "severity"),
    when("due_at"),
    word("state"),
    number("tries"),
    word("trouble"),
    when("sent_at", nullable=True),
    partial_index("notice_queued", "due_at", where="state = 'queued'"),
)
"""What contacts are told of incidents."""

maintenance = Table(
    "maintenance",
    ENGINE,
    row_id(),
    word("channel"),
    *instants("begins_at", "ends_at"),
    *words("author", "reason"),
    Index("maintenance_by_end", "ends_at"),
)
"""When nothing is said of a channel, or with ``""`` of any."""
