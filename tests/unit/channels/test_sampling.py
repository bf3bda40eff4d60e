"""The output gate: how often it looks, and what the validators say."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from engine.channels.processing.sampling import Sample
from engine.channels.processing.validation import bundle_faults, model_faults
from engine.transforms.fhir import transaction, write_json
from engine.transforms.fhir.us_core import hints
from tests.fhir_messages import adt, mapped, pid, pv1


@dataclass
class Clock:
    """Processor time that passes when the test says so."""

    now: float = 0.0

    def __call__(self):
        return self.now


def after(looks, *, gate, work):
    """Return the rate after looks of a cost, with so much work between them."""
    clock = Clock()
    sample = Sample(clock=clock)

    def look():
        clock.now += gate

    for _ in range(looks):
        sample.wants()
        clock.now += work
        sample.look(look)
    return sample.every


def test_the_first_message_is_looked_at_and_then_one_in_so_many():
    sample = Sample(every=3)

    assert [sample.wants() for _ in range(7)] == [
        True, False, False, True, False, False, True,
    ]  # fmt: skip


def test_an_expensive_gate_looks_more_seldom():
    assert after(20, gate=0.01, work=0.1) == 1000
    assert after(1000, gate=0.01, work=0.1) == 20_000


def test_a_cheap_gate_looks_more_often():
    assert after(20, gate=0.001, work=1.0) == 250
    assert after(1000, gate=0.001, work=1.0) == 20


def test_in_between_the_rate_stays():
    assert after(200, gate=0.02, work=1.0) == 500


def test_a_look_that_refuses_counts_too():
    clock = Clock()
    sample = Sample(clock=clock)

    def refuse():
        clock.now += 1
        raise ValueError

    for _ in range(20):
        sample.wants()
        with pytest.raises(ValueError, match=r"^$"):
            sample.look(refuse)

    assert sample.every == 1000


@pytest.mark.parametrize("faults", [bundle_faults, model_faults])
def test_validators_name_the_place_and_never_the_value(
    faults: Callable[[bytes], list[str]],
):
    pytest.importorskip("fhirkit")
    good = write_json(transaction(mapped(adt()).entries))
    bad = good.replace(b'"birthDate":"1980-02-29"', b'"birthDate":"secret"')

    assert faults(good) == []
    assert any("birthDate" in fault for fault in faults(bad))
    assert not any("secret" in fault for fault in faults(bad))


def test_a_missing_element_is_named_by_its_type():
    pytest.importorskip("fhirkit")
    entries = mapped(adt("A01", pid(), pv1())).entries
    [encounter] = (each for each in entries if each.kind == "Encounter")
    encounter.resource = {k: v for k, v in encounter.resource.items() if k != "status"}

    assert bundle_faults(write_json(transaction(entries))) == [
        "Encounter.status: R4 requires it, and it is missing"
    ]


def test_a_us_core_hint_says_where_the_element_comes_from():
    hinted = mapped(adt("A01", pid(f8=""), pv1(), "DG1|1||I10^Hypertension^I10"))

    said = {one.path: one.text for one in hints("us-core", hinted.entries)}

    assert said["Patient.gender"] == "US Core asks for it; it comes from PID-8"
    assert said["Encounter.type"].endswith("it comes from PV1-4")
    assert said["Organization.active"].endswith("a row of map: can")
    assert "Condition.category" in said


def test_us_core_hints_name_what_a_profile_asks_for():
    bare = mapped(adt("A01", pid(f8="", f5=""))).entries

    found = {finding.path for finding in hints("us-core", bare)}

    assert {"Patient.name", "Patient.gender"} <= found
    assert not any(path.startswith("DocumentReference") for path in found)
    assert hints("none", bare) == hints("us-core", []) == []
