"""Each class of faults in a document is seen: by the validator or by our checks."""

import pytest

from engine.transforms.ccda.document import render
from engine.transforms.ccda.facts import Facts
from engine.transforms.ccda.versions import Version
from tests.ccda_facts import ENTERPRISE, NOON, SITE
from tests.ccda_faults import CLASSES, survivors
from tests.ccda_person import everything

TRIALS = 2
"""`bench/documents.py --faults 20` runs more of them."""


@pytest.fixture(scope="module")
def written():
    facts = Facts(everything(), ENTERPRISE)
    return render("ccd", facts, SITE, Version("s"), NOON).document


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_of_faults_is_seen(name, written, tmp_path):
    assert survivors(written, name, TRIALS, tmp_path) == []
