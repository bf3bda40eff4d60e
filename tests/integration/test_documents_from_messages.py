"""C-CDA documents of a channel, and the tests a channel carries."""

import base64
import zipfile
from io import BytesIO

import pytest
from lxml import etree

from engine.channels.format.load import load_site
from engine.channels.processing.assemble import lines_of
from engine.channels.processing.channel_tests import run_tests
from engine.channels.processing.corrections import forms_of
from engine.channels.processing.trial import attempt, bench
from engine.hl7 import parse
from engine.identity.corrections import Form
from engine.identity.person import LinkKind
from engine.store import moves
from engine.store.audit import Order
from engine.store.patients import SqlPatientIndex
from tests.builders import adt_a01, er7, msh
from tests.ccda_facts import errors
from tests.channel_files import SITE_WITH_DOCUMENTS

CHANNEL = """
channel: adt
source:
  mllp: {port: 2575}
destinations:
  - name: ccd
    when: MSH-9.1 == "ADT"
    cda: {template: ccd, path: "out/{message.id}.xml"}
  - name: notes
    when: MSH-9.1 == "MDM"
    cda: {template: unstructured, path: "out/{document.id}.xml"}
"""
TESTS = """
tests:
  - name: everything is expected otherwise
    message: tests/a01.hl7
    expect:
      status: filtered
      by: a rule
      ack: AE
      label: wrong
      stage: edit
      identity: linked
      destinations: [notes]
      fields: {PID-5.1: Roe}
      null-fields: [PID-8]
      fhir: {"Patient.gender": male, "Patient.birthDate": "1980-02-29"}
      deliveries: {notes: {contains: [x]}, ccd: {contains: [Doe, absent]}}
  - name: it comes out as it should
    text: |
      MSH|^~\\&|LAB|HOSP|ENGINE|SITE|20300101120000||ADT^A01^ADT_A01|9|P|2.5.1
      PID|1||5^^^HOSP^MR||Doe^Ann||19800229|F
    given: [tests/a01.hl7]
    expect: {status: processed, destinations: [ccd], fields: {PID-5.1: Doe}}
"""
FILTER = """
filter:
  - {name: a rule, drop: PID-5.1 == "X"}
"""
NAMES = {"c": "urn:hl7-org:v3"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "channels").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "interop.toml").write_text(SITE_WITH_DOCUMENTS)
    (tmp_path / "channels" / "adt.yaml").write_text(CHANNEL)
    (tmp_path / "tests" / "a01.hl7").write_bytes(adt_a01())
    return tmp_path


def line(folder):
    return lines_of(load_site(folder, variables={}))["adt"]


def tree(delivery):
    return etree.fromstring(delivery.content)


def note(text):
    return er7(
        msh(f9="MDM^T02^MDM_T02", f10="N1"),
        "EVN|T02|20300101120000",
        "PID|1||5^^^HOSP^MR||Doe^Ann||19800229|F",
        "PV1|1|I|WARD^1^1^HOSP||||||||||||||||V5^^^HOSP^VN",
        "TXA|1|DS|TX|20300101||||||||DOC7|||||AU",
        f"OBX|1|TX|18842-5^Discharge summary^LN||{text}||||||F",
    )


def test_a_second_summary_of_a_person_replaces_the_first(folder):
    with bench(line(folder)) as place:
        [first] = place.put(adt_a01()).deliveries["ccd"]
        changed = adt_a01("AL1|1|DA|^Peanut", header=msh(f10="2"))
        [second] = place.put(changed).deliveries["ccd"]

    numbers = [
        tree(each).find("c:versionNumber", NAMES).get("value")
        for each in (first, second)
    ]
    assert numbers == ["1", "2"]
    related = tree(second).find("c:relatedDocument", NAMES)
    assert related.get("typeCode") == "RPLC"
    before = tree(first).find("c:id", NAMES).get("extension")
    assert related.find("c:parentDocument/c:id", NAMES).get("extension") == before


def update(control_id, *more):
    return er7(
        msh(f9="ADT^A08^ADT_A01", f10=control_id),
        "EVN|A08|20300101120000",
        "PID|1||5^^^HOSP^MR||Doe^Ann||19800229|F",
        "PV1|1|I|WARD^1^1^HOSP||||||||||||||||V5^^^HOSP^VN",
        *more,
    )


def test_a_summary_that_says_nothing_new_is_not_sent_again(folder):
    with bench(line(folder)) as place:
        first = place.put(update("1"))
        same = place.put(update("2"))
        other = place.put(update("3", "AL1|1|DA|^Peanut"))

    assert len(first.deliveries["ccd"]) == 1
    assert "ccd" not in same.deliveries
    assert "document-unchanged" in same.outcome.report.decode()
    [second] = other.deliveries["ccd"]
    assert tree(second).find("c:versionNumber", NAMES).get("value") == "2"


def test_after_a_merge_the_summary_is_about_the_survivor_and_holds_both(folder):
    allergic = adt_a01(
        "AL1|1|DA|^Peanut", number="2", family="Roe", given="Bo", header=msh(f10="2")
    )
    merge = er7(
        msh(f9="ADT^A40^ADT_A39", f10="3", f7="20300102120000"),
        "EVN|A40|20300102120000",
        "PID|1||1^^^HOSP^MR||Doe^Ann^^^^^L||19800229|F",
        "MRG|2^^^HOSP^MR",
    )
    later = adt_a01(number="1", header=msh(f10="4", f7="20300103120000"))

    with bench(line(folder)) as place:
        first = place.put(adt_a01(number="1"))
        place.put(allergic)
        merged = place.put(merge)
        last = place.put(later)

    assert records(merged) == records(first)
    [made] = last.deliveries["ccd"]
    assert b"Peanut" in made.content
    names = tree(made).findall("c:recordTarget//c:patient/c:name/c:family", NAMES)
    assert [name.text for name in names] == ["Doe"]
    assert last.outcome.person == first.outcome.person


def records(trial):
    return [
        each.record
        for each in trial.outcome.resources
        if each.resource_type == "Patient"
    ]


def test_after_an_unmerge_nothing_of_the_other_person_is_left(folder):
    other = {"number": "2", "family": "Roe", "given": "Bo"}
    with bench(line(folder)) as place:
        first = place.put(adt_a01(number="1"))
        second = place.put(adt_a01("AL1|1|DA|^Peanut", header=msh(f10="2"), **other))
        persons = {"source": second.outcome.person, "target": first.outcome.person}
        decide(place, LinkKind.MERGE, **persons)
        [both] = place.put(adt_a01(number="1", header=msh(f10="3"))).deliveries["ccd"]
        decide(place, LinkKind.UNMERGE, source=second.outcome.person)
        alone = place.put(adt_a01(number="1", header=msh(f10="4")))
        again = place.put(adt_a01(header=msh(f10="5"), **other))

    assert b"Peanut" in both.content
    [made] = alone.deliveries["ccd"]
    for word in (b"Peanut", b"Roe", second.outcome.person.encode()):
        assert word not in made.content
    assert again.outcome.person == second.outcome.person
    assert b"Peanut" in again.deliveries["ccd"][0].content
    assert identifiers(again) == [second.outcome.person, "2"]


def identifiers(trial):
    patient = trial.mapped.all("Patient")[0].resource
    return [one["value"] for one in patient["identifier"]]


def decide(place, kind, **given):
    with place.database.engine() as connection:
        index = SqlPatientIndex(connection, place.database.sealer)
        moves.move(index, moves.Request(kind, **given), Order("ann", place.now, "x"))


def test_a_note_becomes_a_document_of_its_own(folder):
    [made] = attempt(line(folder), note("Went home well.")).deliveries["notes"]

    body = tree(made).find("c:component/c:nonXMLBody/c:text", NAMES)
    assert body.get("mediaType") == "text/plain"
    assert made.name.startswith(str(folder / "out"))


def test_without_settings_for_documents_the_message_fails_with_a_sentence(folder):
    found = line(folder)
    desk = type(found.desk)(
        found.desk.channel, found.desk.reading, found.desk.model,
        found.desk.persons, found.desk.folder, None,
    )  # fmt: skip

    outcome = attempt(type(found)(found.feed, desk), adt_a01()).outcome

    assert outcome.failure is not None
    assert (outcome.failure.stage, outcome.failure.code) == ("render", "cda-settings")


def test_a_channel_test_names_every_difference(folder):
    (folder / "channels" / "adt.yaml").write_text(FILTER + CHANNEL + TESTS)

    wrong, right = run_tests(line(folder), folder)

    assert right.passed, right.differences
    said = "\n".join(wrong.differences)
    for words in (
        "status: expected filtered", "by: expected a rule", "ack: expected AE",
        "identity: expected linked", "destinations: expected notes",
        "PID-5.1: expected 'Roe'", "PID-8: expected HL7 null",
        "Patient.gender: expected 'male'", "deliveries.notes: nothing was rendered",
        "deliveries.ccd: 'absent' is not in it",
    ):  # fmt: skip
        assert words in said


def test_a_channel_without_matching_summarises_each_patient_alone(folder):
    text = CHANNEL.replace("destinations:", "identity: {match: false}\ndestinations:")
    (folder / "channels" / "adt.yaml").write_text(text)
    names = ["Alpha", "Beta", "Gamma", "Delta", "Omega"]

    with bench(line(folder)) as place:
        documents = [
            place.put(adt_a01(family=name, number=name)).deliveries["ccd"]
            for name in names
        ]

    written = [tree(each).findtext(".//c:patient/c:name/c:family", namespaces=NAMES)
               for [each] in documents]  # fmt: skip
    assert written == names


def test_a_path_beside_the_configuration_is_where_it_says(folder):
    text = CHANNEL.replace("out/{document.id}", "../out/{document.id}")
    (folder / "channels" / "adt.yaml").write_text(text)
    allowed = SITE_WITH_DOCUMENTS.replace('["out"]', '["out", "../out"]')
    (folder / "interop.toml").write_text(allowed)

    [made] = attempt(line(folder), note("Went home well.")).deliveries["notes"]

    assert made.name.startswith(str(folder.parent / "out"))


CARRIED = """
channel: adt
source:
  mllp: {port: 2575}
destinations:
  - name: partner
    mllp: {host: 127.0.0.1, port: 6661, document: ccd, version: "2.6"}
    edit:
      - set: MSH-5
        value: PARTNER
  - name: package
    cda: {template: ccd, path: "out/{message.id}.zip", package: xdm}
"""


def carried(folder):
    (folder / "channels" / "adt.yaml").write_text(CARRIED)
    return line(folder)


def test_a_document_goes_to_an_hl7_system_inside_a_message_of_its_own(folder, tmp_path):
    with bench(carried(folder)) as place:
        outcomes = [
            place.put(adt_a01()),
            place.put(adt_a01("AL1|1|DA|^Peanut", header=msh(f10="2"))),
        ]

    first, second = (parse(each.deliveries["partner"][0].content) for each in outcomes)
    assert (first["MSH-9.2"], second["MSH-9.2"]) == ("T02", "T10")
    assert (first["MSH-5"], first["MSH-12"]) == ("PARTNER", "2.6")
    assert first["PID-3.1"] == outcomes[0].outcome.person
    assert first["PID-5"] == "Doe"
    assert second["TXA-13.1"] == first["TXA-12.1"]
    content = base64.b64decode(second["OBX-5.5"])
    assert b"Peanut" in content
    assert errors(content, tmp_path) == []
    assert first.control_id != second.control_id


def test_a_package_holds_the_document_and_what_it_is_filed_by(folder):
    with bench(carried(folder)) as place:
        [delivery] = place.put(adt_a01()).deliveries["package"]

    assert delivery.content_type == "application/zip"
    with zipfile.ZipFile(BytesIO(delivery.content)) as package:
        names = package.namelist()
        document = package.read("IHE_XDM/SUBSET01/DOC0001.XML")
    assert names[-2:] == [
        "IHE_XDM/SUBSET01/METADATA.XML",
        "IHE_XDM/SUBSET01/DOC0001.XML",
    ]
    assert etree.fromstring(document).find("c:recordTarget", NAMES) is not None


def test_a_summary_is_corrected_whatever_carries_it(folder):
    (folder / "channels" / "adt.yaml").write_text(CARRIED)

    forms = forms_of(load_site(folder, variables={}).channels)

    assert forms == {
        ("adt", "partner"): Form.SUMMARY,
        ("adt", "package"): Form.SUMMARY,
    }
