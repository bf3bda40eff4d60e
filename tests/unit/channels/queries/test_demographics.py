"""A person's demographics as FHIR, as PID, and back to traits."""

import hl7
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.channels.patient_pid import cx, pid_fields, pid_segment, traits_in
from engine.channels.processing.known import closed, patient_key, subject_of
from engine.channels.queries.demographics import identifier_of, patient_of, stated
from engine.channels.queries.directory import Directory
from engine.hl7.delimiters import STANDARD
from engine.hl7.segment import Segment
from engine.identity.index import Identifier
from engine.identity.registration import Assigner
from engine.identity.traits import Traits
from engine.store.patients import shipped
from engine.store.person_numbers import Number
from engine.store.resources import KnownResource, store
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.systems import SSN
from engine.transforms.fhir.update import Version
from tests.databases import empty_database
from tests.hospital import Hospital

NAMES = st.sampled_from(["", "ann", "mary lou", "x1"])
PEOPLE = st.builds(
    Traits(kind="ordinary")._replace,
    given=NAMES.filter(bool),
    middle=NAMES,
    family=st.sampled_from(["doe", "garcia lopez"]),
    suffix=st.sampled_from(["", "jr"]),
    birth=st.sampled_from(["", "19800229"]),
    sex=st.sampled_from(["", "M", "F"]),
    number=st.just("12"),
    street=st.sampled_from(["elm st", "n main ave"]),
    city=st.sampled_from(["", "salem"]),
    state=st.sampled_from(["", "or"]),
    zip5=st.sampled_from(["", "97301"]),
    phone=st.sampled_from(["", "5035550101"]),
    email=st.sampled_from(["", "ann@x.org"]),
)


@settings(max_examples=30, deadline=None)
@given(person=PEOPLE)
def test_what_a_patient_states_is_read_back_as_the_same_traits(person):
    assert traits_in(stated(person)) == person


@settings(max_examples=60, deadline=None)
@given(
    patient=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "family", "given", "birthDate", "gender", "address", "line",
                 "telecom", "value", "identifier", "system", "use"]
            ),
            inner,
            max_size=4,
        ),
        max_leaves=12,
    )
)  # fmt: skip
def test_whatever_a_client_writes_is_one_segment_at_most(patient):
    asked = patient if isinstance(patient, dict) else {"name": patient}

    segment = pid_segment(pid_fields(asked, ()))

    assert "\r" not in segment
    assert "\n" not in segment
    traits_in(asked)


def test_pid_says_what_the_patient_says():
    patient = {
        "name": [
            {"use": "old", "family": "Roe", "given": ["Ann"]},
            {"family": "D|e", "given": ["Ann", "B", "C"], "suffix": ["Jr"],
             "prefix": ["Dr"]},
            {"use": "maiden", "family": "Moe"},
        ],
        "birthDate": "1980-02-29",
        "gender": "other",
        "address": [{"line": ["1 Elm", "Apt 2"], "city": "S", "state": "OR",
                     "postalCode": "97301", "country": "US"},
                    {"use": "old", "line": ["9 Oak"]}],
        "telecom": [{"system": "phone", "value": "1", "use": "mobile"}, {"use": "home"},
                    {"system": "email", "value": "a@b"}],
        "identifier": [{"system": SSN, "value": "219111222"}],
        "multipleBirthInteger": 2,
        "deceasedDateTime": "2030-01-02T03:04:05Z",
    }  # fmt: skip

    pid = hl7.parse("MSH|^~\\&|\r" + pid_segment(pid_fields(patient, ["7^^^A"])))[1]

    assert str(pid[3]) == "7^^^A"
    assert str(pid[5]) == "D\\F\\e^Ann^B C^Jr^Dr^^L~Moe^^^^^^M~Roe^Ann^^^^^B"
    assert [str(pid[n]) for n in (7, 8, 19, 24, 25, 29)] == [
        *("19800229", "O", "219111222", "Y", "2", "20300102")
    ]
    assert str(pid[11]) == "1 Elm^Apt 2^S^OR^97301^US^H~9 Oak^^^^^^BA"
    assert str(pid[13]) == "1^PRS^PH~^NET^Internet^a@b"
    assert pid_fields({"multipleBirthBoolean": True}, ()) == {24: "Y"}


@pytest.mark.parametrize(
    ("authority", "spoken", "written"),
    [
        ("HOSP", ("", ""), "1^^^HOSP^MR"),
        ("urn:oid:1.2.3", ("", ""), "1^^^&1.2.3&ISO^MR"),
        ("urn:oid:1.2.3", ("GEN", "1.2.3"), "1^^^GEN&1.2.3&ISO^MR"),
        ("http://x.org/id", ("", ""), "1^^^&http://x.org/id&URI^MR"),
    ],
)
def test_a_number_names_its_authority_as_far_as_it_is_known(authority, spoken, written):
    namespace, oid = spoken

    assert cx(Identifier(authority, "MR", "1"), oid, namespace) == written


def test_an_old_number_says_so():
    found = identifier_of(Number(Identifier("urn:oid:1.2", "MR", "1"), active=False))

    assert (found["use"], found["system"]) == ("old", "urn:oid:1.2")


def test_a_kept_patient_is_shown_as_it_was_sent_with_the_numbers_of_the_index(tmp_path):
    hospital = Hospital(empty_database("sqlite", tmp_path))
    eid = hospital.send("1", family="Doe").enterprise_id
    number, database = hospital.record("1").number, hospital.database
    patient: Element = {
        "resourceType": "Patient",
        "identifier": [{"value": "1"}, {"system": SSN, "value": "219111222"}],
        "name": [{"family": "d'Oe"}],
        "managingOrganization": {"reference": "urn:uuid:1"},
    }
    subject = subject_of("here", "urn:eid", eid)
    kept = closed(subject.url, Version(patient), {}, subject, number)
    known = KnownResource(*patient_key(number), kept.content, number)
    with database.engine() as connection:
        store(connection, database.sealer, [known])

    with Directory("here", "urn:eid", shipped()).open(database) as lookup:
        [found] = lookup.patients([eid])

    assert found["name"] == [{"family": "d'Oe"}]
    values = [one["value"] for one in orjson.loads(orjson.dumps(found))["identifier"]]
    assert values == [eid, "1", "219111222"]
    assert "managingOrganization" not in found


def test_an_authority_is_known_by_any_of_its_names(tmp_path):
    hospital = Hospital(empty_database("sqlite", tmp_path))
    hospital.send("1")
    assigners = dict.fromkeys(("GEN", "1.2"), Assigner("urn:oid:1.2"))
    directory = Directory("here", "urn:eid", shipped(), assigners)
    names = ("GEN", "1.2", "urn:oid:1.2", "HOSP", "urn:eid", "", "NO")

    with directory.open(hospital.database) as lookup:
        found = [lookup.authority(each) for each in names]
        assert lookup.persons("urn:eid", "NOBODY") == []

    assert found == [*["urn:oid:1.2"] * 3, "HOSP", "urn:eid", None, None]


def test_a_patient_of_nothing_has_its_number_alone():
    found = patient_of("E1", "urn:eid", {}, [])

    assert orjson.loads(orjson.dumps(found))["identifier"][0]["value"] == "E1"
    assert set(found) == {"resourceType", "id", "identifier", "active"}
    assert Segment(pid_segment({}), STANDARD, "utf-8").id == "PID"
