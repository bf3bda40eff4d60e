"""MDM: documents, their status, content and relations (T09, D19)."""

from base64 import b64decode, b64encode

import pytest

from tests.builders import er7
from tests.fhir_messages import (
    losses,
    mapped,
    msh,
    obr,
    obx,
    pid,
    pv1,
    resources,
    segment,
)

TXA = {
    "f1": "1",
    "f2": "DS^Discharge summary^L",
    "f3": "TX",
    "f6": "20240102030405-0500",
    "f9": "7^Author^A",
    "f12": "DOC1^HOSP",
    "f17": "AU",
    "f19": "AV",
}


def mdm(event="T02", *contents, **fields):
    return er7(
        msh(f"MDM^{event}^MDM_T02"),
        f"EVN|{event}|20240102030405-0500",
        pid(),
        pv1(),
        segment("TXA", **{**TXA, **fields}),
        *contents,
    )


def document(*arguments, **fields):
    found = resources(mdm(*arguments, **fields), "DocumentReference")
    return next(one for one in found if "hl7-v2" not in str(one["content"]))


def test_d19_a_document_says_what_it_is_and_who_wrote_it():
    found = document("T02", obx("TX", "Text"))

    assert found["masterIdentifier"]["value"] == "DOC1"
    assert (found["status"], found["docStatus"]) == ("current", "final")
    assert found["date"] == "2024-01-02T03:04:05-05:00"
    assert len(found["author"]) == 1


def test_text_is_one_attachment_in_order():
    found = document(
        "T02",
        obx("TX", "One"),
        obx("ST", "Two", f3="2"),
        "NTE|1||aside",
        obx("FT", "x\\.br\\y"),
    )

    [content] = found["content"]

    assert b64decode(content["attachment"]["data"]) == b"One\nTwo\naside\nx\ny"


def test_files_are_attachments_of_their_own():
    pdf = obx("ED", "^application^pdf^Base64^JVBERi0xLjQK", f3="PDF^Report^L")
    found = document("T02", obx("TX", "Cover"), pdf)

    kinds = [one["attachment"]["contentType"] for one in found["content"]]
    assert kinds == ["text/plain", "application/pdf"]
    assert found["content"][1]["attachment"]["title"] == "Report"


def test_an_event_without_content_has_metadata_only():
    found = document("T01")

    assert "data" not in found["content"][0]["attachment"]


@pytest.mark.parametrize(
    ("event", "code"), [("T06", "appends"), ("T10", "replaces"), ("T09", "replaces")]
)
def test_a_document_relates_to_the_one_before(event, code):
    [relation] = document(event, f13="DOC0^HOSP")["relatesTo"]

    assert (relation["code"], relation["target"]["identifier"]["value"]) == (
        code,
        "DOC0",
    )


@pytest.mark.parametrize(
    ("event", "sent", "status"),
    [
        ("T11", "AV", "entered-in-error"),
        ("T02", "OB", "superseded"),
        ("T02", "", "current"),
    ],
)
def test_d19_status_of_a_document(event, sent, status):
    assert document(event, f19=sent)["status"] == status


def test_an_order_beside_a_document_makes_no_report():
    order = segment("ORC", f1="RE", f2="P1^ADT1")
    data = er7(msh("MDM^T02^MDM_T02"), pid(), pv1(), order, obr(),
               segment("TXA", **TXA), obx("TX", "Text"))  # fmt: skip

    found = mapped(data)

    assert not found.all("DiagnosticReport")
    [document] = [e for e in found.all("DocumentReference") if "context" in e.resource]
    related = document.resource["context"]["related"]
    assert related == [found.all("ServiceRequest")[0].reference]


def test_data_that_cannot_be_read_is_listed():
    assert losses(mdm("T02", obx("ED", "^a^b^Base64^")))["OBX-5"] == "unreadable"


def encoded(text):
    return f"^application^xml^Base64^{b64encode(text.encode()).decode()}"


def test_a_consolidated_document_is_named_by_its_format_and_other_xml_is_not():
    realm = 'root="2.16.840.1.113883.10.20.22.1.1" extension="2015-08-01"'
    inside = f"<templateId {realm}/><component><structuredBody/></component>"
    ccda = f"<ClinicalDocument>{inside}</ClinicalDocument>"

    found = document("T02", obx("ED", encoded(ccda)), obx("ED", encoded("<a/>")))

    formats = [one.get("format", {}).get("code") for one in found["content"]]
    assert formats == ["urn:hl7-org:sdwg:ccda-structuredBody:2.1", None]
