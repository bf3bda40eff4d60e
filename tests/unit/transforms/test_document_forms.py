"""What kind of document some bytes are."""

import pytest

from engine.transforms.document_forms import format_of, looks_like_document

CODE = "urn:hl7-org:sdwg:ccda-"


def written(*templates, body="structuredBody", prefix=""):
    tags = "".join(f"<{prefix}templateId {each}/>" for each in templates)
    inside = f"{tags}<{prefix}component><{prefix}{body}/></{prefix}component>"
    return f"<{prefix}ClinicalDocument>{inside}</{prefix}ClinicalDocument>".encode()


REALM = 'root="2.16.840.1.113883.10.20.22.1.1"'
CCD = 'root="2.16.840.1.113883.10.20.22.1.2" extension="2015-08-01"'


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (written(REALM, f'{REALM} extension="2015-08-01"'), "structuredBody:2.1"),
        (written(f"extension='2023-05-01' {REALM}"), "structuredBody:2.1"),
        (written(f'{REALM} extension="2015-08-01"', prefix="n:"), "structuredBody:2.1"),
        (written(f'{REALM} extension="2015-08-01"').decode().encode("utf-16"),
         "structuredBody:2.1"),
        (written(REALM), "structuredBody:1.1"),
        (written(REALM, CCD, body="nonXMLBody"), "nonXMLBody:1.1"),
    ],
)  # fmt: skip
def test_a_consolidated_document_names_its_release_and_its_body(document, code):
    assert format_of(document) == CODE + code


@pytest.mark.parametrize(
    "document",
    [
        written(),
        written(CCD),
        written(f'{REALM} extension="2014-06-09"'),
        written(REALM, body="other"),
        b"<html>ClinicalDocument</html>",
        b"%PDF-1.7",
        b"",
    ],
)
def test_what_says_no_release_we_know_has_no_code(document):
    assert format_of(document) == ""


def test_only_the_start_is_looked_at():
    assert looks_like_document(b"<!-- x --><ClinicalDocument/>")
    assert not looks_like_document(b" " * 20 + b"<ClinicalDocument/>")
    assert not looks_like_document(b"<a/>" + b" " * 70_000 + b"<ClinicalDocument/>")
