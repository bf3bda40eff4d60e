"""Code tables as sheets: changed by rows, merged where rows do not clash."""

from hypothesis import given
from hypothesis import strategies as st

from engine.transforms.table_sheet import (
    Change,
    Sheet,
    applied,
    changes_between,
    csv_of,
    key_of,
    read_sheet,
    remarks,
    retired,
)

COLUMNS = ("from", "to", "display")
WORDS = st.text("AB1,\"' é", max_size=4)
ROWS = st.dictionaries(
    st.text("ABCD", min_size=1, max_size=2), st.tuples(WORDS, WORDS), max_size=5
)


def sheet(rows, columns=COLUMNS):
    made = [
        {"from": code, "to": to, "display": text} for code, (to, text) in rows.items()
    ]
    return Sheet(columns, tuple(made))


@given(ROWS)
def test_a_sheet_is_read_as_it_was_written(rows):
    made = sheet(rows)

    assert read_sheet(csv_of(made)) == made


@given(ROWS, ROWS)
def test_the_changes_between_two_sheets_lead_from_one_to_the_other(before, after):
    was, now = sheet(before), sheet(after)

    found, clashes = applied(was, changes_between(was, now))

    assert clashes == []
    assert changes_between(found, now) == []


@given(ROWS, ROWS, ROWS)
def test_what_two_people_changed_is_merged_row_by_row_or_clashes(base, mine, theirs):
    was, ours, others = sheet(base), sheet(mine), sheet(theirs)
    own = changes_between(was, ours)

    found, clashes = applied(others, own)

    changed = {each.key for each in changes_between(was, others)}
    clashing = {each.key for each in clashes}
    assert clashing <= changed & {each.key for each in own}
    kept = {key_of(row) for row in others.rows} - {each.key for each in own}
    assert kept <= {key_of(row) for row in found.rows}


def test_a_row_is_changed_in_its_place_and_new_columns_come_last():
    before = read_sheet("from,to\nA,1\nB,2\n")

    found, _ = applied(
        before,
        [Change({"from": "A", "to": "1"}, {"from": "A", "to": "9", "note": "x"})],
    )

    assert csv_of(found) == "from,to,note\nA,9,x\nB,2,\n"


def test_a_row_that_somebody_removed_clashes_and_one_done_already_does_not():
    now = read_sheet("from,to\nB,2\n")
    gone = Change({"from": "A", "to": "1"}, {"from": "A", "to": "3"})
    done = Change({"from": "B", "to": "1"}, {"from": "B", "to": "2"})

    found, clashes = applied(now, [gone, done])

    assert clashes == [gone]
    assert found == now


def test_a_row_cannot_take_the_code_of_another():
    now = read_sheet("from,to\nA,1\nB,2\n")
    renamed = Change({"from": "A", "to": "1"}, {"from": "B", "to": "1"})

    assert applied(now, [renamed])[1] == [renamed]


def test_a_retired_row_ends_on_its_last_day():
    row = {"from": "A", "to": "1"}

    found, _ = applied(read_sheet("from,to\nA,1\n"), [retired(row, "2026-01-31")])

    assert csv_of(found) == "from,to,valid-to\nA,1,2026-01-31\n"


def test_duplicates_and_shared_meanings_are_remarked():
    found = remarks(
        read_sheet("from,to,valid-from\nA,1,\nA,2,2026-01-01\nB,1,\nC,1,\nD,4,\n")
    )

    assert found["A", ""] == "2 rows for this code; B, C mean the same"
    assert found["A", "2026-01-01"] == "2 rows for this code"
    assert found["D", ""] == ""


def test_an_empty_text_is_a_table_without_rows():
    assert read_sheet("") == Sheet(("from", "to"))
