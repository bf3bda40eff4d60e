"""Documents that no message causes: orders and daily rounds; in schema ``engine``."""

from sqlalchemy import Table

from engine.store.schema import ENGINE, when, word

document_order = Table(
    "document_order",
    ENGINE,
    *(word(name, primary_key=True) for name in ("channel", "destination", "person")),
    when("ordered_at"),
)
"""Summaries that are to be made though no message causes them."""

document_round = Table(
    "document_round",
    ENGINE,
    word("channel", primary_key=True),
    word("destination", primary_key=True),
    when("until"),
)
"""Up to when the persons of a channel were ordered for a destination's daily round."""
