"""Edited copies of messages that persons asked for; in schema ``engine``."""

from sqlalchemy import Index, Table

from engine.store.schema import (
    ENGINE,
    number,
    numbers,
    partial_index,
    row_id,
    sealed,
    when,
    words,
)

edited_copy = Table(
    "edited_copy",
    ENGINE,
    row_id(),
    *numbers("origin", "message_id"),
    *words("channel", "actor", "refusal"),
    number("gives_up"),
    when("asked_at"),
    sealed("reason"),
    sealed("content"),
    Index("edited_copy_by_origin", "origin"),
    partial_index("edited_copy_by_message", "message_id", where="message_id <> 0"),
    partial_index("edited_copy_waiting", "id", where="message_id = 0 AND refusal = ''"),
)
"""An order to journal a message; ``content`` goes once ``message_id`` names it.

``gives_up`` is 1 where the original is to be discarded then; ``refusal`` is the cause
for which the edge did not take it.
"""
