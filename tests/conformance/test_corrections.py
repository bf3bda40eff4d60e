"""What a decision about persons sends out, from the decision to the outbox."""

import json
from datetime import timedelta

import pytest
from lxml import etree

from engine.channels.processing.correct import correct
from engine.channels.processing.corrections import forms_of
from engine.channels.processing.store_view import Memory, StoreView
from engine.hl7 import parse
from engine.identity.person import LinkKind
from engine.store import moves
from engine.store.audit import Order
from engine.store.deliveries import Turn, claim_heads
from engine.store.delivery_state import Event
from engine.store.patients import SqlPatientIndex
from engine.store.previews import preview
from engine.store.settlement import Settlement, settle
from tests.builders import er7, msh
from tests.databases import BOTH
from tests.stored import NOON
from tests.wards import Ward, admission

CHANNEL = """
channel: adt
source:
  mllp: {port: 2575}
destinations:
  - name: registry
    fhir: {url: "https://fhir.example.org/r4", validate: always}
  - name: his
    mllp: {host: 127.0.0.1, port: 6661}
  - name: ccd
    cda: {template: ccd, path: "out/{message.id}.xml"}
  - name: files
    file: {path: "out/{message.id}.hl7"}
  - name: deaf
    on-identity-change: ignore
    file: {path: "out/deaf/{message.id}.hl7"}
"""
NAMES = {"c": "urn:hl7-org:v3"}
ANN = {"number": "1"}
BO = {"number": "2", "family": "Roe", "given": "Bo"}


@pytest.fixture(params=["sqlite"])
def ward(request, tmp_path):
    place = Ward(tmp_path, CHANNEL, request.param)
    place.send(admission("1", **ANN), admission("2", "AL1|1|DA|^Peanut", **BO))
    return place


def patients(bundle):
    return {
        entry["resource"]["identifier"][0]["value"]: entry["resource"]
        for entry in json.loads(bundle)["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    }


def subjects(bundle):
    entries = json.loads(bundle)["entry"]
    urls = {entry["fullUrl"]: entry["resource"] for entry in entries}
    return {
        entry["resource"]["resourceType"]: urls[reference]["identifier"][0]["value"]
        for entry in entries
        for name in ("subject", "patient")
        if (reference := entry["resource"].get(name, {}).get("reference")) in urls
    }


def test_M11_a_merge_reaches_a_fhir_server_with_links_and_with_what_it_has(ward):
    ann, bo, before = ward.person("1"), ward.person("2"), ward.last()

    ward.decide(LinkKind.MERGE, source=bo, target=ann)
    ward.run()

    [(bundle, _)] = ward.outbox("registry", before)
    found = patients(bundle)
    assert found[bo]["active"] is False
    assert [link["type"] for link in found[bo]["link"]] == ["replaced-by"]
    assert [link["type"] for link in found[ann]["link"]] == ["replaces"]
    assert {one["value"] for one in found[ann]["identifier"]} == {ann, "1", "2"}
    assert subjects(bundle) == {"AllergyIntolerance": ann, "Encounter": ann}


@pytest.mark.parametrize("ward", BOTH, indirect=True)
def test_M11_an_unmerge_gives_the_server_both_persons_back(ward):
    ann, bo = ward.person("1"), ward.person("2")
    ward.decide(LinkKind.MERGE, source=bo, target=ann)
    ward.run()
    before = ward.last()

    ward.decide(LinkKind.UNMERGE, source=bo)
    ward.run()

    first, second = (bundle for bundle, _ in ward.outbox("registry", before))
    assert [one["value"] for one in patients(first)[ann]["identifier"]] == [ann, "1"]
    assert "link" not in patients(first)[ann]
    [restored] = patients(second).values()
    assert [one["value"] for one in restored["identifier"]] == [bo, "2"]
    assert "active" not in restored
    assert subjects(second) == {"AllergyIntolerance": bo, "Encounter": bo}


def test_M11_a_receiver_of_messages_is_told_in_the_words_of_the_standard(ward):
    ann, bo, before = ward.person("1"), ward.person("2"), ward.last()

    ward.decide(LinkKind.MERGE, source=bo, target=ann)
    ward.run()
    ward.decide(LinkKind.UNMERGE, source=bo)
    ward.run()

    merge, unlink = (parse(data) for data, _ in ward.outbox("his", before))
    assert (merge["MSH-9.2"], merge["PID-3.1"], merge["MRG-1.1"]) == ("A40", "1", "2")
    assert merge["MRG-7.1"] == "Roe"
    numbers = [pid.text(3) for pid in unlink.all("PID")]
    assert (unlink["MSH-9.2"], numbers) == ("A37", ["1", "2"])
    assert merge["MSH-10"] != unlink["MSH-10"]


def test_M11_a_document_is_replaced_by_its_next_version(ward):
    ann, bo, before = ward.person("1"), ward.person("2"), ward.last()

    ward.decide(LinkKind.MERGE, source=bo, target=ann)
    ward.run()
    [(merged, _)] = ward.outbox("ccd", before)
    before = ward.last()
    ward.decide(LinkKind.UNMERGE, source=bo)
    ward.run()

    assert b"Peanut" in merged
    related = etree.fromstring(merged).find("c:relatedDocument", NAMES)
    assert related is not None
    assert related.get("typeCode") == "RPLC"
    alone, restored = (data for data, _ in ward.outbox("ccd", before))
    assert b"Peanut" not in alone
    assert b"Peanut" in restored


def test_a_file_is_written_again_under_another_name(ward):
    before = ward.last()

    event = ward.decide(
        LinkKind.MERGE, source=ward.person("2"), target=ward.person("1")
    )
    ward.run()

    [(data, name)] = ward.outbox("files", before)
    assert data == admission("2", "AL1|1|DA|^Peanut", **BO)
    assert name.endswith(f"2-corrected-{event.number}.hl7")
    assert ward.outbox("deaf", before) == []


def test_a_merge_that_a_message_tells_is_not_told_twice(ward):
    before = ward.last()
    merge = er7(
        msh(f9="ADT^A40^ADT_A39", f10="3"),
        "EVN|A40|20300102120000",
        "PID|1||1^^^HOSP^MR||Doe^Ann^^^^^L||19800229|F",
        "MRG|2^^^HOSP^MR||||||Roe^Bo",
    )
    ann = ward.person("1")

    ward.send(merge, admission("4", **BO))

    assert [parse(d)["MSH-9.2"] for d, _ in ward.outbox("his", before)] == [
        "A40",
        "A01",
    ]
    own, later, corrected = (bundle for bundle, _ in ward.outbox("registry", before))
    assert subjects(corrected) == {"AllergyIntolerance": ann, "Encounter": ann}
    assert ann in patients(own)
    assert list(patients(later)) == [ann]
    assert ward.entries() == []


class CrashedError(Exception):
    """Where a process would have died."""


def test_M21_a_crash_before_the_commit_leaves_nothing_and_the_next_try_everything(ward):
    before = ward.last()
    ward.decide(LinkKind.MERGE, source=ward.person("2"), target=ward.person("1"))

    with pytest.raises(CrashedError):
        crash(ward)

    assert ward.last() == before
    ward.run()
    made = ward.last()
    assert len(ward.outbox("registry", before)) == 1
    ward.run()
    assert ward.last() == made


def crash(ward):
    with ward.store.engine() as connection:
        view = StoreView(connection, ward.store.sealer, Memory())
        assert correct(ward.worker.lines["adt"], view, NOON) == 1
        raise CrashedError


def test_a_correction_that_cannot_be_made_is_seen_and_the_others_go(ward):
    before = ward.last()
    with ward.store.journal() as connection:
        connection.exec_driver_sql("UPDATE journal.message SET content = NULL")

    ward.decide(LinkKind.MERGE, source=ward.person("2"), target=ward.person("1"))
    ward.run()

    assert len(ward.outbox("registry", before)) == 1
    assert ward.outbox("his", before) == []
    sentences = {each.destination: each.sentence for each in ward.entries()}
    assert set(sentences) == {"his", "ccd", "files"}
    assert "removed by retention" in sentences["his"]


def test_the_preview_lists_what_is_sent_and_writes_nothing(ward):
    before, ann, bo = ward.last(), ward.person("1"), ward.person("2")
    request = moves.Request(LinkKind.MERGE, source=bo, target=ann)
    order = Order("ann", NOON, "both charts seen")
    channels = [line.desk.channel for line in ward.worker.lines.values()]
    with ward.store.engine() as connection:
        index = SqlPatientIndex(connection, ward.store.sealer)
        act = lambda trial: moves.move(trial, request, order)  # noqa: E731
        shown = preview(index, act, forms_of(channels))
        event = moves.move(index, request, order)
    ward.run()

    told = [(each.destination, each.what.value) for each in shown.sends]
    assert told == [
        ("ccd", "document"),
        ("files", "message"),
        ("his", "A40"),
        ("registry", "transaction"),
    ]
    assert shown.events[0].records == event.records
    assert shown.golden[ann].chosen["name"].record
    for destination, _ in told:
        assert len(ward.outbox(destination, before)) == 1


def test_M11_a_message_for_a_person_who_joined_waits_behind_what_they_have_waiting(
    ward,
):
    before = ward.last()
    ward.send(admission("3", **BO))
    ward.decide(LinkKind.MERGE, source=ward.person("2"), target=ward.person("1"))
    ward.send(admission("4", **BO))

    sent = []
    while found := claimed(ward, "his"):
        sent += [parse(each.content) for each in found if each.id > before]
        with ward.store.engine() as connection:
            ended = [Settlement(each, Event.ACCEPT) for each in found]
            settle(connection, ward.store.sealer, ended, NOON)

    assert [each["MSH-9.2"] for each in sent] == ["A01", "A40", "A01"]
    assert [each["MSH-10"] for each in sent][::2] == ["3", "4"]


def claimed(ward, destination):
    turn = Turn("adt", destination, "node", NOON, NOON + timedelta(minutes=1))
    with ward.store.engine() as connection:
        return claim_heads(connection, ward.store.sealer, turn, 10)


def merge_notice(control_id, day="02"):
    return er7(
        msh(f9="ADT^A40^ADT_A39", f10=control_id, f7=f"203001{day}120000"),
        f"EVN|A40|203001{day}120000",
        "PID|1||1^^^HOSP^MR||Doe^Ann^^^^^L||19800229|F",
        "MRG|2^^^HOSP^MR||||||Roe^Bo",
    )


def queries(bundle):
    return [
        entry["request"]["url"]
        for entry in json.loads(bundle)["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    ]


def test_M08_a_merge_told_again_speaks_of_the_same_retired_patient(ward):
    ann, bo = ward.person("1"), ward.person("2")
    ward.send(merge_notice("3"))
    before = ward.last()

    ward.send(merge_notice("4", day="03"))

    [(bundle, _)] = ward.outbox("registry", before)
    assert set(patients(bundle)) == {ann, bo}
    assert patients(bundle)[bo]["active"] is False
    assert all(url.endswith(("|" + ann, "|" + bo)) for url in queries(bundle))


def link_notice(control_id, trigger="A24", day="02"):
    return er7(
        msh(f9=f"ADT^{trigger}^ADT_A24", f10=control_id, f7=f"203001{day}120000"),
        f"EVN|{trigger}|203001{day}120000",
        "PID|1||1^^^HOSP^MR||Doe^Ann^^^^^L||19800229|F",
        "PID|2||2^^^HOSP^MR||Roe^Bo^^^^^L||19800229|F",
    )


def identifiers(patient):
    return {one["value"]: one.get("use") for one in patient["identifier"]}


def test_M08_a_link_told_again_sends_one_patient_for_the_one_person(ward):
    ann = ward.person("1")
    ward.send(link_notice("3"))
    before = ward.last()

    ward.send(link_notice("4", day="03"))

    [(bundle, _)] = ward.outbox("registry", before)
    assert set(patients(bundle)) == {ann}
    assert all(url.endswith("|" + ann) for url in queries(bundle))
    assert set(identifiers(patients(bundle)[ann])) == {ann, "1", "2"}
    assert {n["family"] for n in patients(bundle)[ann]["name"]} == {"Doe", "Roe"}


def test_a_link_taken_back_speaks_of_both_persons_by_their_own_identity(ward):
    ann, bo = ward.person("1"), ward.person("2")
    ward.send(link_notice("3"))
    before = ward.last()

    ward.send(link_notice("4", trigger="A37", day="03"))

    told, *corrected = (bundle for bundle, _ in ward.outbox("registry", before))
    assert set(patients(told)) == {ann, bo}
    assert all(url.endswith(("|" + ann, "|" + bo)) for url in queries(told))
    for bundle in corrected:
        for patient in patients(bundle).values():
            assert "link" not in patient


def test_a_merge_within_one_person_leaves_their_one_patient_active(ward):
    ann = ward.person("1")
    ward.send(admission("3", number="5"))
    before = ward.last()

    ward.send(merge_notice("4", day="03").replace(b"MRG|2^", b"MRG|5^"))

    assert ward.person("5") == ann
    [(bundle, _)] = ward.outbox("registry", before)
    assert_one_active(bundle, ann, {"1", "5"})
    assert identifiers(patients(bundle)[ann])["5"] == "old"


def test_a_known_number_merged_into_a_new_one_stays_the_active_patient(ward):
    ann, before = ward.person("1"), ward.last()
    merge = er7(
        msh(f9="ADT^A40^ADT_A39", f10="3", f7="20300102120000"),
        "EVN|A40|20300102120000",
        "PID|1||9^^^HOSP^MR||Doe^Ann^^^^^L||19800229|F",
        "MRG|1^^^HOSP^MR||||||Doe^Ann",
    )

    ward.send(merge)

    assert ward.person("9") == ann
    [(bundle, _)] = ward.outbox("registry", before)
    assert_one_active(bundle, ann, {"1", "9"})
    assert identifiers(patients(bundle)[ann])["1"] == "old"


def test_a_number_never_seen_is_one_more_of_the_survivors(ward):
    ann, before = ward.person("1"), ward.last()
    merge = merge_notice("3").replace(b"MRG|2^", b"MRG|7^")

    ward.send(merge, merge.replace(b"|3|P", b"|4|P"))

    for bundle, _ in ward.outbox("registry", before):
        assert_one_active(bundle, ann, {"1", "7"})


def assert_one_active(bundle, person, numbers):
    [patient] = patients(bundle).values()
    assert set(identifiers(patient)) == {person, *numbers}
    assert patient.get("active") is not False
    assert "link" not in patient
    assert all(url.endswith("|" + person) for url in queries(bundle))
