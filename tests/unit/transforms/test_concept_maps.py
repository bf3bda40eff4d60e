"""Code tables as FHIR ConceptMaps."""

import csv
import io
import json

import pytest

from engine.errors import TransformError
from engine.transforms.code_tables import read_csv
from engine.transforms.concept_maps import COLUMNS, concept_map, rows_of

ROWS = [
    {"from": "GLU", "to": "2345-7", "display": "Glucose", "system": "http://loinc.org",
     "note": "serum"},
    {"from": "X", "to": "Y", "display": "", "system": "", "note": ""},
]  # fmt: skip


def test_a_table_goes_out_and_comes_in_again():
    made = concept_map("local-to-loinc", ROWS, "north")

    assert rows_of(json.loads(json.dumps(made))) == ROWS
    assert made["status"] == "active"


def test_what_it_gives_is_a_table():
    content = io.StringIO()
    csv.writer(content).writerows(
        [COLUMNS, *([row[name] for name in COLUMNS] for row in ROWS)]
    )

    table, faults = read_csv(content.getvalue(), "x")

    assert (set(table.rows), faults) == ({"GLU", "X"}, [])


def test_a_target_that_is_no_match_is_left_out():
    made = {
        "resourceType": "ConceptMap",
        "group": [
            {"element": [
                {"code": "A", "target": [{"equivalence": "unmatched", "code": "B"}]},
                {"code": "C", "target": [{"equivalence": "equivalent"}]},
                "no element",
            ]}
        ],
    }  # fmt: skip

    assert rows_of(made) == []


@pytest.mark.parametrize(
    ("resource", "sentence"),
    [
        ({"resourceType": "Patient"}, "not a ConceptMap"),
        ({"resourceType": "ConceptMap", "group": [{"element": [
            {"code": "A", "target": [{"code": "B"}, {"code": "C"}]}]}]},
         "'A' has several targets"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused(resource, sentence):
    with pytest.raises(TransformError, match=sentence):
        rows_of(resource)
