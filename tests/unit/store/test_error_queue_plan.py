"""The error queue is read by its indexes, however many lanes there are."""

from sqlalchemy import text

from engine.store import error_queue
from tests.databases import empty_database


def test_what_is_parked_is_looked_up_by_the_places_that_have_errors(tmp_path):
    database = empty_database("sqlite", tmp_path)
    statement = error_queue._PARKED.compile(compile_kwargs={"literal_binds": True})

    with database.reading() as connection:
        rows = connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))
        steps = [row[-1] for row in rows]

    used = "INDEX lane_by_state (channel=? AND destination=? AND state=?)"
    assert any(each.startswith("SEARCH") and used in each for each in steps)
    assert any("INDEX error_entry_by_delivery" in each for each in steps)
    database.close()
