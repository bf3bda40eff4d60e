"""Which documents a message gives, their bodies, and their place in a series."""

import base64
from dataclasses import replace

import pytest

from engine.errors import TransformError
from engine.transforms.ccda.document import render
from engine.transforms.ccda.documents import documents_of, predecessor_of
from engine.transforms.ccda.facts import Focus, text
from engine.transforms.ccda.site import CdaSite, Custodian, site_faults
from engine.transforms.ccda.versions import (
    Predecessor,
    Version,
    content_hash,
    foreign_document_id,
)
from tests.ccda_facts import (
    NOON,
    SITE,
    about,
    coded,
    document,
    facts,
    note,
    tree,
)
from tests.ccda_person import visit


def numbered(number, **more):
    return note(masterIdentifier={"system": "urn:oid:2.25.8", "value": number}, **more)


def body(document):
    [text] = tree(document).findall(".//{*}nonXMLBody/{*}text")
    return text


def test_two_notes_give_two_documents_in_their_order():
    plan = documents_of("unstructured", facts(note(b"one"), note(b"two")))

    bodies = [
        base64.b64decode(
            body(
                render(p.template, p.facts, SITE, Version(p.series), NOON).document
            ).text
        )
        for p in plan.documents
    ]
    assert bodies == [b"one", b"two"]
    assert len({planned.series for planned in plan.documents}) == 2


def test_the_bytes_of_a_document_stay_identical():
    content = b"%PDF-1.7 \x00\xff invented"

    text = body(document("unstructured", note(content, "application/pdf")).document)

    assert base64.b64decode(text.text) == content
    assert text.get("mediaType") == "application/pdf"
    assert text.get("representation") == "B64"


def test_a_report_and_an_observation_may_hold_the_attachment():
    form = {"contentType": "text/plain", "data": base64.b64encode(b"report").decode()}
    url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value"
    report = about("DiagnosticReport", presentedForm=[form])
    result = about("Observation", extension=[{"url": url, "valueAttachment": form}])

    plan = documents_of("unstructured", facts(report, result))

    found = [planned.facts.focus for planned in plan.documents]
    assert found == [Focus("urn:fact:1"), Focus("urn:fact:2")]


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        (note(content=[{"attachment": {"title": "x"}}]), "no content"),
        (note(status="entered-in-error"), "cancelled"),
        (about("Observation"), "no note"),
    ],
)
def test_nothing_to_say_gives_nothing_and_the_reason(resource, words):
    plan = documents_of("unstructured", facts(resource))

    assert plan.documents == ()
    [finding] = plan.findings
    assert finding.code == "nothing-to-say"
    assert words in finding.text


def test_a_note_that_replaces_another_names_its_series():
    target = {"identifier": {"system": "urn:oid:2.25.8", "value": "N1"}}
    later = numbered("N2", relatesTo=[{"code": "replaces", "target": target}])

    [first] = documents_of("unstructured", facts(numbered("N1"))).documents
    [second] = documents_of("unstructured", facts(later)).documents

    assert (second.relation, second.parent_series) == ("RPLC", first.series)
    assert second.parent_number == "N1"


def test_a_note_appended_to_one_never_seen_names_it_by_its_number():
    target = {"identifier": {"system": "urn:oid:2.25.8", "value": "N1"}}
    later = numbered("N2", relatesTo=[{"code": "appends", "target": target}])
    [planned] = documents_of("unstructured", facts(later)).documents
    last, known = Predecessor("last"), Predecessor("known", set_id="s", number=3)

    foreign = predecessor_of(planned, SITE, None, None)
    appended = predecessor_of(planned, SITE, None, known)

    assert foreign == Predecessor(foreign_document_id(SITE, "N1"), "APND")
    assert appended == replace(known, relation="APND")
    assert predecessor_of(planned, SITE, last, known) is last


def test_the_number_of_a_note_begins_its_set():
    version = Version("note|urn:oid:2.25.8|N1")

    root = tree(document("unstructured", numbered("N1"), version=version).document)

    assert root.find("{*}setId").get("extension").startswith("N1:")


def test_a_visit_that_has_not_ended_gives_no_discharge_summary():
    going_on = visit("urn:none") | {"status": "in-progress"}

    plan = documents_of("discharge-summary", facts(going_on))

    assert plan.documents == ()


def test_a_note_that_was_replaced_is_no_progress_note_of_its_own():
    old = note(status="superseded")
    [planned] = documents_of("progress-note", facts(old, visit("urn:none"))).documents

    with pytest.raises(TransformError) as caught:
        document("progress-note", old)

    assert planned.template == "unstructured"
    assert caught.value.code == "nothing-to-say"


def test_a_progress_note_is_about_the_first_note_that_stands():
    made = document("progress-note", note(status="superseded"), note(b"Better today."))

    assert b"Better today." in made.document


def test_a_progress_note_without_a_visit_goes_out_as_it_is():
    [planned] = documents_of("progress-note", facts(note())).documents
    with_visit = documents_of("progress-note", facts(note(), visit("urn:none")))

    assert planned.template == "unstructured"
    assert [p.template for p in with_visit.documents] == ["progress-note"]


def test_the_type_of_a_note_is_its_loinc_and_the_source_code_a_translation():
    root = tree(document("unstructured", note()).document)

    code = root.find("{*}code")
    assert code.get("code") == "11506-3"
    assert code.find("{*}translation").get("code") == "PR"


def test_a_note_type_nobody_knows_is_a_note_with_its_own_title():
    local = note(type={"text": "Night report"})

    root = tree(document("unstructured", local).document)

    assert root.find("{*}code").get("code") == "34109-9"
    assert root.find("{*}title").text == "Night report"


def test_a_site_adds_note_types_of_its_own():
    site = replace(SITE, note_types={"NIGHT": "34111-5"})
    local = note(type=coded("urn:id:x", "NIGHT", "Night report"))

    root = tree(document("unstructured", local, site=site).document)

    assert root.find("{*}code").get("code") == "34111-5"


@pytest.mark.parametrize(
    ("attachment", "code"),
    [
        ({"contentType": "application/zip", "data": "AAAA"}, "media-type"),
        ({"contentType": "text/plain", "data": "%%%"}, "attachment-encoding"),
        ({"contentType": "application/pdf", "data": "AAAA"}, "attachment-type"),
        ({"contentType": "text/plain", "data": "A" * 4000}, "attachment-size"),
        ({"url": "javascript:alert(1)"}, "link"),
    ],
)
def test_an_attachment_that_cannot_be_sent_stops_with_its_reason(attachment, code):
    site = replace(SITE, max_attachment=1000)

    with pytest.raises(TransformError) as caught:
        document("unstructured", note(content=[{"attachment": attachment}]), site=site)

    assert caught.value.code == code


def test_an_attachment_with_a_link_only_becomes_a_reference():
    linked = note(content=[{"attachment": {"url": "https://example.org/a b.pdf"}}])

    text = body(document("unstructured", linked).document)

    assert text.find("{*}reference").get("value") == "https://example.org/a%20b.pdf"
    assert text.text is None


def test_the_same_rendering_gives_the_same_id_and_another_version_another():
    def document_id(version):
        root = tree(document("ccd", version=version).document)
        return root.find("{*}id").get("extension")

    first = Version("s", 1, "m", "r")

    assert document_id(first) == document_id(first)
    others = [Version("s", 2, "m", "r"), Version("s", 1, "n", "r"), Version("t")]
    assert document_id(first) not in set(map(document_id, others))


def test_content_is_the_same_whatever_the_version_and_the_time():
    condition = about("Condition", recordedDate="2020")
    before = document("ccd", condition, version=Version("s", 1))
    later = render(
        "ccd", facts(condition), SITE, Version("s", 2), NOON.replace(hour=13)
    )

    assert before.content_hash() == later.content_hash()
    assert before.content_hash() != document("ccd").content_hash()
    assert content_hash(before.document) == before.content_hash()


def test_the_settings_of_a_site_are_checked_with_a_sentence_each():
    site = CdaSite(
        root="2.999.1",
        enterprise="north",
        custodian=Custodian(name="", id="2.25.1"),
        oids={"urn:x": "1..2"},
    )

    faults = site_faults(site)

    assert len(faults) == 4
    assert site_faults(SITE) == []


def test_a_report_sent_as_lines_of_text_is_a_document():
    lines = about("Observation", valueString="first line\nsecond line")
    report = about("DiagnosticReport", result=[{"reference": "urn:fact:2"}])

    text = body(document("unstructured", report, lines).document)

    assert base64.b64decode(text.text) == b"first line\nsecond line"


def test_the_message_kept_for_its_provenance_is_no_document():
    source = note(media_type="x-application/hl7-v2+er7")

    assert documents_of("unstructured", facts(source)).documents == ()


def test_the_orders_a_note_answers_are_named_by_their_numbers():
    number = {"system": "urn:oid:2.25.9", "value": "P77"}
    related = [{"type": "ServiceRequest", "identifier": number}]

    root = tree(document("unstructured", note(context={"related": related})).document)

    [order] = root.findall("{*}inFulfillmentOf/{*}order/{*}id")
    assert (order.get("root"), order.get("extension")) == ("2.25.9", "P77")


def test_a_summary_belongs_to_the_series_of_its_person_or_visit():
    everything = facts(visit("urn:none"))

    [person] = documents_of("ccd", everything).documents
    [stay] = documents_of("discharge-summary", everything).documents

    assert person.series == "ccd|urn:id:site:enterprise|E1"
    assert stay.series == "visit|urn:oid:2.25.77|V1"


def test_a_parent_among_the_facts_is_known_by_its_own_number():
    target = {"reference": "urn:fact:2"}
    later = numbered("N2", relatesTo=[{"code": "appends", "target": target}])

    first, _ = documents_of("unstructured", facts(later, numbered("N1"))).documents

    assert first.parent_series == "note|urn:oid:2.25.8|N1"


def test_a_template_nobody_knows_is_refused():
    with pytest.raises(TransformError):
        documents_of("letter", facts())


def test_a_document_kept_beside_its_reference_is_put_in_place():
    data = base64.b64encode(b"kept apart").decode()
    binary = {"resourceType": "Binary", "contentType": "text/plain", "data": data}
    attachment = {"contentType": "text/plain", "url": "urn:fact:2"}
    apart = note(content=[{"attachment": attachment}])

    text = body(document("unstructured", apart, binary).document)

    assert base64.b64decode(text.text) == b"kept apart"


def test_a_discharge_summary_is_about_the_latest_visit_and_no_other():
    latest = visit("urn:none")
    earlier = visit("urn:none") | {
        "identifier": [{"system": "urn:oid:2.25.77", "value": "V0"}],
        "period": {"start": "2028-01-01", "end": "2028-01-03"},
    }
    of_latest = {"encounter": {"reference": "urn:fact:1"}}
    of_earlier = {"encounter": {"reference": "urn:fact:2"}}
    texts = [
        about("Procedure", code={"text": "named"}, **of_latest),
        about("Procedure", code={"text": "other visit"}, **of_earlier),
        about("Procedure", code={"text": "then"}, performedDateTime="2029-12-29"),
        about("Procedure", code={"text": "long ago"}, performedDateTime="2028"),
        about("AllergyIntolerance", code={"text": "always"}, recordedDate="2001"),
    ]

    [planned] = documents_of(
        "discharge-summary", facts(latest, earlier, *texts)
    ).documents

    assert planned.series == "visit|urn:oid:2.25.77|V1"
    shown = {
        text(resource, "code", "text") for resource in planned.facts.resources.values()
    }
    assert shown - {""} == {"named", "then", "always"}
