"""Documents of real messages: clean, not vacuous, and no fact lost in silence."""

import pytest

from tests.ccda_survey import Survey, messages

EVERY = 200
"""`python bench/document_corpora.py` looks at all of them."""

FLOORS = {
    "ccd r2.1": 12,
    "ccd r2.1cg": 12,
    "discharge-summary r2.1": 10,
    "discharge-summary r2.1cg": 10,
    "unstructured r2.1": 6,
    "unstructured r2.1cg": 6,
}


@pytest.mark.slow
def test_documents_of_real_messages_are_clean_and_tell_or_report_each_fact(tmp_path):
    survey = Survey(tmp_path)

    for path in list(messages())[::EVERY]:
        survey.look(path)

    assert survey.wrong == []
    assert survey.counts["ccd"] > 5
    for kind, fired in survey.patterns.items():
        assert min(fired) >= FLOORS[kind]
    assert survey.told > 100
    assert survey.silent == []
