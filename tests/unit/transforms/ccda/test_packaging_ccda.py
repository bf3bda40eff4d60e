"""XDM packages: the same bytes for the same document, metadata that repeat it."""

import hashlib
import zipfile
from io import BytesIO

import pytest
from lxml import etree

from engine.transforms.ccda.packaging import metadata, xdm
from tests.ccda_facts import document, note, patient
from tests.ccda_person import everything
from tests.unit.transforms.ccda.test_document_ccda import full

NS = {"r": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"}
CLASS = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
FORMAT = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
SECRECY = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
AUTHOR = "urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d"


def told(content):
    return etree.fromstring(metadata(content))


def slots(root):
    return {
        slot.get("name"): slot.findtext(".//r:Value", namespaces=NS)
        for slot in root.iterfind(".//r:ExtrinsicObject/r:Slot", NS)
    }


def code(root, scheme):
    path = "//r:Classification[@classificationScheme=$scheme]"
    [found] = root.xpath(path, namespaces=NS, scheme=scheme)
    return found


def identifiers(root):
    return {
        each.find(".//r:LocalizedString", NS).get("value"): each.get("value")
        for each in root.iterfind(".//r:ExternalIdentifier", NS)
    }


def test_the_metadata_repeat_what_the_document_says():
    content = full().document

    root = told(content)

    found = slots(root)
    assert found["size"] == str(len(content))
    assert found["hash"] == hashlib.sha1(content, usedforsecurity=False).hexdigest()
    assert found["creationTime"] == "20300102120000"
    assert found["sourcePatientId"] == "E1^^^&2.25.4711.1&ISO"
    assert found["languageCode"] == "en-US"
    assert found["serviceStopTime"] == "20300102120000"
    assert found["URI"] == "DOC0001.XML"
    assert code(root, CLASS).get("nodeRepresentation") == "34133-9"
    assert code(root, SECRECY).get("nodeRepresentation") == "N"
    form = code(root, FORMAT).get("nodeRepresentation")
    assert form == "urn:hl7-org:sdwg:ccda-structuredBody:2.1"
    named = identifiers(root)
    assert named["XDSDocumentEntry.patientId"] == "E1^^^&2.25.4711.1&ISO"
    assert named["XDSDocumentEntry.uniqueId"].startswith("2.25.4711^")
    assert named["XDSSubmissionSet.sourceId"] == "2.25.4711"
    assert named["XDSSubmissionSet.uniqueId"].startswith("2.25.")


def test_entry_and_submission_belong_together():
    root = told(full().document)

    [entry] = root.iterfind(".//r:ExtrinsicObject", NS)
    [package] = root.iterfind(".//r:RegistryPackage", NS)
    [member] = root.iterfind(".//r:Association", NS)
    assert member.get("sourceObject") == package.get("id")
    assert member.get("targetObject") == entry.get("id")
    ids = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(set(ids)) == len(ids)


def test_a_note_names_its_author_and_its_form():
    doctor = everything()["urn:practitioner:smith"]
    sent = note(author=[{"reference": "#d"}], contained=[{**doctor, "id": "d"}])

    root = told(document("unstructured", sent).document)

    form = code(root, FORMAT).get("nodeRepresentation")
    assert form == "urn:hl7-org:sdwg:ccda-nonXMLBody:2.1"
    assert "Smith" in code(root, AUTHOR).findtext(".//r:Value", namespaces=NS)


def test_a_document_without_an_author_person_names_its_keeper():
    slot = code(told(full().document), AUTHOR).find("r:Slot", NS)

    assert slot.get("name") == "authorInstitution"


@pytest.mark.parametrize("person", [{"resourceType": "Patient"}, None])
def test_what_the_document_does_not_say_is_left_out(person):
    root = told(document("ccd", person=person).document)

    assert ("sourcePatientId" in slots(root)) is (person is None)
    assert "serviceStartTime" not in slots(root)


def test_the_same_document_gives_the_same_package_whole_and_stored():
    content = document("ccd", person=patient()).document

    package = xdm(content)

    assert xdm(content) == package
    with zipfile.ZipFile(BytesIO(package)) as opened:
        assert opened.testzip() is None
        assert opened.read("IHE_XDM/SUBSET01/DOC0001.XML") == content
        assert b"Doe" not in opened.read("INDEX.HTM") + opened.read("README.TXT")
        assert {each.compress_type for each in opened.infolist()} == {
            zipfile.ZIP_STORED
        }
