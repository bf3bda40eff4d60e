"""What a channel's rows make of a Bundle is held against R4, and the rows are named."""

import pytest

from tests.builders import adt_patient
from tests.wards import Ward

FLAGGED = """\
channel: adt
source:
  mllp: {port: 2575}
identity: {match: false}
map:
  # no code: R4 wants one
  - add: Flag
    fields: {status: '"active"', subject: reference("Patient")}
destinations:
  - name: clinic
    fhir: {url: "https://fhir.example.org/r4", validate: always}
"""


def test_a_bundle_that_rows_made_invalid_names_them(tmp_path):
    pytest.importorskip("fhirkit")
    ward = Ward(tmp_path, FLAGGED)

    ward.send(adt_patient("1"))

    [entry] = ward.entries()
    assert entry.code == "fhir-invalid"
    assert "Flag.code: R4 requires it, and it is missing" in entry.sentence
    assert entry.sentence.endswith("rows wrote to Flag by channels/adt.yaml:7")
