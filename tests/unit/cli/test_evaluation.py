"""Precision and recall of the index against known pairs."""

import pytest

from engine.cli.evaluation import score
from engine.cli.invocation import Stop

TRUTH = """control_id,event,person,household,tags
1,register,A,,
2,register,A,,typo
3,register,B,,
4,register,C,,
5,update,A,,
"""


@pytest.fixture
def truth(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text(TRUTH, encoding="utf-8")
    return path


def exported(*persons, outcome="new"):
    return [
        {"control_id": str(number), "enterprise_id": person, "outcome": outcome}
        for number, person in enumerate(persons, 1)
    ]


def test_an_index_that_is_always_right_scores_one(truth):
    found = score(truth, exported("X", "X", "Y", "Z"))

    assert (found["precision"], found["recall"], found["f1"]) == (1.0, 1.0, 1.0)
    assert found["mixed_persons"] == 0


def test_a_missed_pair_costs_recall(truth):
    found = score(truth, exported("W", "X", "Y", "Z"))

    assert (found["recall"], found["missed_pairs"]) == (0.0, 1)


def test_a_wrong_link_costs_precision_and_mixes_persons(truth):
    found = score(truth, exported("X", "X", "X", "Z"))

    assert (found["precision"], found["wrong_pairs"]) == (0.3333, 2)
    assert found["mixed_persons"] == 1


def test_a_registration_that_never_came_counts_as_nobody(truth):
    found = score(truth, exported("X"))

    assert (found["unseen"], found["recall"]) == (3, 0.0)


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")

    with pytest.raises(Stop):
        score(path, [])
