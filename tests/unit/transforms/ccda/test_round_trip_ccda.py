"""Our CCD read back by a foreign library: the same facts, as far as it reads them."""

import pytest

from tests.ccda_person import everything
from tests.ccda_round_trip import missing

NOT_READ = {
    # the end lies before the beginning: unknown in the entry, both in the row
    ("Condition", "abatementDateTime", "", "202311"),
    # an ICD-10 code alone is a translation of a code that is not known
    ("Condition", "code", "code", "j189"),
    # the time of an immunization is a value, where it looks for low and high
    ("Immunization", "occurrenceDateTime", "", "20240101"),
    # units that are not UCUM stand in a translation
    ("Observation", "valueQuantity", "code", "nounit"),
    ("Observation", "valueQuantity", "unit", "oddunit"),
    # a number without a unit is REAL, which it drops
    ("Observation", "valueQuantity", "value", "525"),
}


def test_a_foreign_reader_finds_the_same_facts():
    pytest.importorskip("ccda_to_fhir", reason="interop-engine[documents]")
    resources = everything()
    readable = {  # it takes ratios of quantities only
        url: each for url, each in resources.items() if "valueRatio" not in each
    }

    assert missing(readable) == NOT_READ
