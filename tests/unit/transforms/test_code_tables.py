"""Code tables: what a code means and when, and what is wrong with a file."""

from datetime import UTC, datetime

import pytest

from engine.transforms.code_tables import (
    Match,
    MissPolicy,
    OnMissing,
    read_csv,
    read_policy,
)

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
DATED = """\
from,to,region,valid-from,valid-to
A,old,north,,2024-05-31
A,new,south,2024-06-01,
0012,twelve,,,
"""


def table(text, match=Match.EXACT):
    found, faults = read_csv(text, "ward", match)
    assert faults == []
    return found


def test_a_code_means_what_the_row_of_that_day_says():
    found = table(DATED)

    assert found.lookup("A", at=NOON) == "new"
    assert found.lookup("A", at=NOON.replace(month=5)) == "old"
    assert found.lookup("A", "region", at=NOON) == "south"


def test_codes_stay_text():
    assert table(DATED).lookup("0012", at=NOON) == "twelve"
    assert table(DATED).lookup("12", at=NOON) is None


@pytest.mark.parametrize(
    ("match", "code", "meaning"),
    [
        (Match.EXACT, " a ", None),
        (Match.TRIM, " A ", "new"),
        (Match.TRIM, "a", None),
        (Match.UPPER, " a ", "new"),
    ],
)
def test_codes_are_compared_as_the_policy_says(match, code, meaning):
    assert table(DATED, match).lookup(code, at=NOON) == meaning


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("", 1, "the header has no column 'from'"),
        ("from,display\n", 1, "the header has no column 'to'"),
        ("from,to,to\n", 1, "two columns have the same name"),
        ("from,to\nA,1\nA,2\n", 3, "'A' stands in line 2 already"),
        ("from,to\nA,1,2\n", 2, "the row has more values than the header"),
        ("from,to,valid-from\nA,1,June\n", 2, "a date is not written as 2024-01-31"),
        ('from,to\n"A,1\n', 2, "this is not CSV: unexpected end of data"),
        (
            "from,to,valid-to,valid-from\nA,1,2024-05-31,\nA,2,,2024-05-31\n",
            3,
            "'A' stands in line 2 already",
        ),
    ],
)
def test_a_wrong_file_is_told_line_by_line(text, line, sentence):
    _, faults = read_csv(text, "ward")

    assert (faults[0].line, faults[0].sentence) == (line, sentence)


def test_a_bad_row_does_not_take_the_others_along():
    found, faults = read_csv("from,to\nA,1,2\nB,2\n", "ward")

    assert len(faults) == 1
    assert found.lookup("B", at=NOON) == "2"


def test_the_version_follows_the_content():
    assert table(DATED).version == table(DATED).version
    assert table(DATED).version != table(DATED + "C,3,,,\n").version


@pytest.mark.parametrize(
    ("text", "kind", "given"),
    [
        ("error", OnMissing.ERROR, ""),
        ('error("odd-codes")', OnMissing.ERROR, "odd-codes"),
        ("keep", OnMissing.KEEP, ""),
        ("empty", OnMissing.EMPTY, ""),
        ("flag", OnMissing.FLAG, ""),
        ("default('U')", OnMissing.DEFAULT, "U"),
        ('default("")', OnMissing.DEFAULT, ""),
    ],
)
def test_the_policy_of_a_miss_is_read(text, kind, given):
    assert read_policy(text) == MissPolicy(kind, given)


@pytest.mark.parametrize(
    "text",
    ["", "ignore", "default", 'keep("x")', "error(x)", "default(\"x')", "error()"],
)
def test_another_policy_is_refused(text):
    assert read_policy(text) is None
