"""Why a value is in the output: fields, edits, rules, rows and tables of a channel."""

import hashlib

import pytest

from engine.channels.format.load import load_site
from engine.channels.processing.why import reasons
from engine.store.claims import Claimed
from engine.store.journal import JournalRow
from engine.store.words import Verdict
from engine.transforms.fhir.paths import FhirPath, parse_fhir_path
from tests.channel_files import NOON, write_site
from tests.fhir_messages import adt, pid, pv1

CHANNEL = """\
channel: adt
source:
  mllp: {port: 2575}
filter:
  - name: nobody
    drop: MSH-9.1 == "ADT"
edit:
  - set: PID-5.1
    to: upper(PID-5.1)
  - translate: PID-8
    table: sex
map:
  - set: Patient.maritalStatus.text
    to: table("sex", PV1-10, "display")
  - for-each: ZAL
    do:
      - append: Patient.communication.language.text
        to: ZAL-2
      - set: Patient.photo[0].title
        value: none
destinations:
  - name: his
    mllp: {host: 127.0.0.1, port: 6661}
tests:
  - name: a message is passed on
    text: MSH|^~\\&|A|B|||20300101||ADT^A01|1|P|2.5.1
"""
AUTHORITIES = "from,to\nHOSP,https://hospital.example/mrn\nELSE,urn:oid:1.2\n"
MESSAGE = adt("A01", pid(f3="77^^^HOSP^MR", f8="2"), pv1(f10="1"), "ZAL|1|fr")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("why")
    write_site(
        folder,
        {
            "channels/adt.yaml": CHANNEL,
            "tables/sex.csv": "from,to,display\n1,M,Male\n2,F,Female\n",
            "tables/assigning-authority.csv": AUTHORITIES,
        },
    )
    return load_site(folder)


def ask(site, path, data=MESSAGE):
    row = JournalRow(
        id=1, channel="adt", listener="mllp", peer="", received_at=NOON,
        control_id="", message_type="ADT", trigger_event="A01", size=len(data),
        sha256=hashlib.sha256(data).digest(), verdict=Verdict.ACCEPTED, cause="",
        ack_code="AA", findings=(),
    )  # fmt: skip
    (channel,) = site.channels
    wanted = parse_fhir_path(path)
    assert isinstance(wanted, FhirPath)
    return reasons(site, channel, Claimed(row, data), wanted)


def test_an_edited_value_names_its_field_as_received_and_the_edit(site):
    (reason,) = ask(site, "Patient.name[0].family")

    assert (reason.place, reason.value) == ("Patient.name[0].family", "DOE")
    assert [(each.path, each.value) for each in reason.sources] == [("PID-5.1", "Doe")]
    assert reason.edits == ("channels/adt.yaml:8 PID-5.1",)
    assert (reason.rules, reason.rows) == (("patient.add_names",), ())


def test_a_translated_value_names_the_table_row_and_its_version(site):
    (reason,) = ask(site, "Patient.gender")
    version = site.channels[0].tables["sex"].version

    assert reason.value == "female"
    assert reason.tables == (f"sex 2 version {version}",)


def test_a_table_of_the_built_in_map_is_named_too(site):
    (reason,) = ask(site, "Patient.identifier[0].system")

    assert reason.value == "https://hospital.example/mrn"
    assert [each.split()[:2] for each in reason.tables] == [
        ["assigning-authority", "HOSP"]
    ]


def test_a_row_of_map_is_named_with_its_table(site):
    (reason,) = ask(site, "Patient.maritalStatus.text")

    assert reason.value == "Male"
    assert reason.rows == ("channels/adt.yaml:13",)
    assert [each.split()[0] for each in reason.tables] == ["sex"]


def test_a_row_inside_a_loop_is_told_by_its_own_line(site):
    (language,) = ask(site, "Patient.communication[0].language.text")
    (photo,) = ask(site, "Patient.photo[0].title")

    assert language.rows == ("channels/adt.yaml:17",)
    assert photo.rows == ("channels/adt.yaml:19",)
    assert [each.path for each in language.sources] == ["ZAL-2.1"]


def test_all_of_a_resource_can_be_asked_for(site):
    found = {reason.place for reason in ask(site, "Patient.name[0]")}

    assert found == {"Patient.name[0].family", "Patient.name[0].given[0]"}


def test_several_resources_of_a_type_are_told_by_number(site):
    data = adt("A01", pid(), "NK1|1|Roe^Rose", "NK1|2|Poe^Paul")

    found = {reason.place: reason.value for reason in ask(
        site, "RelatedPerson.name[0].family", data.replace(b"|F\r", b"|1\r"))
    }  # fmt: skip

    assert list(found.values()) == ["Roe", "Poe"]
    assert all("[" in place.partition(".")[0] for place in found)


def test_what_the_message_does_not_give_has_no_reason(site):
    assert ask(site, "Patient.deceasedBoolean") == []
    assert ask(site, "Patient.gender", MESSAGE.replace(b"ADT^A01", b"QBP^Q99")) == []
    assert ask(site, "Patient.gender", b"nothing") == []
