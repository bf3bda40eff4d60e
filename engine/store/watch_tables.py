"""What is counted of the traffic, in schema ``engine``."""

from sqlalchemy import Table

from engine.store.schema import ENGINE, number, when, word

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
