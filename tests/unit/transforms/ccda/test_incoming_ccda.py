"""Documents that come in: refused when hostile, else read as far as their header."""

import base64
import time
from datetime import UTC, datetime

import pytest

from engine.errors import TransformError
from engine.hl7 import parse
from engine.transforms.ccda.enclosing import enclosed
from engine.transforms.ccda.incoming import opened
from engine.transforms.ccda.reading import MAX_BYTES, MAX_TAGS, read_document
from engine.transforms.document_forms import looks_like_document
from tests.builders import er7, msh
from tests.ccda_facts import document, note
from tests.ccda_person import ann, visit

AT = datetime(2030, 1, 2, tzinfo=UTC)
ROOT = "urn:hl7-org:v3"
EMPTY = f'<ClinicalDocument xmlns="{ROOT}"/>'.encode()


def carried(content):
    return opened(parse(enclosed(content, AT)))


def written(template="ccd", *resources, person=None):
    return document(template, *resources, person=person).document


def entity(value):
    head = f"<!DOCTYPE ClinicalDocument [<!ENTITY x {value}>]>"
    return f'{head}<ClinicalDocument xmlns="{ROOT}">&x;</ClinicalDocument>'.encode()


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
HOSTILE = {
    "external entity": (entity('SYSTEM "file:///etc/passwd"'), "document-type"),
    "entity from the network": (
        entity('SYSTEM "http://127.0.0.1:9/x"'),
        "document-type",
    ),
    "billion laughs": (
        f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>'
        f'<ClinicalDocument xmlns="{ROOT}">&l9;</ClinicalDocument>'.encode(),
        "document-type",
    ),
    "parameter entity": (
        b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]>' + EMPTY,
        "document-type",
    ),
    "document type in UTF-16": (
        entity('"x"').decode().encode("utf-16"),
        "document-type",
    ),
    "not well-formed": (b"<ClinicalDocument>", "document-xml"),
    "another root": (b"<ClinicalDocument xmlns='urn:other'/>", "document-root"),
    "too many tags": (
        b"<ClinicalDocument>" + b"<a/>" * (MAX_TAGS + 1),
        "document-size",
    ),
    "too large": (b"<ClinicalDocument>" + b" " * MAX_BYTES, "document-size"),
    "too deep": (
        b"<ClinicalDocument>" + b"<a>" * 2000 + b"</a>" * 2000 + b"</ClinicalDocument>",
        "document-xml",
    ),
    "a text too long": (
        b"<ClinicalDocument>" + b"x" * 11_000_000 + b"</ClinicalDocument>",
        "document-xml",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused_before_anything_is_done_with_it(name):
    content, code = HOSTILE[name]
    assert looks_like_document(content) or name == "billion laughs"
    start = time.process_time()

    with pytest.raises(TransformError) as caught:
        read_document(content)

    assert caught.value.code == code
    assert time.process_time() - start < 2


def test_an_inclusion_is_not_followed():
    include = (
        "<x:include xmlns:x='http://www.w3.org/2001/XInclude' href='/etc/passwd'/>"
    )
    body = f'<ClinicalDocument xmlns="{ROOT}">{include}</ClinicalDocument>'

    assert "".join(map(str, read_document(body.encode()).itertext())) == ""


def test_the_header_becomes_the_patient_the_visit_and_the_document():
    stay = visit("urn:none")
    message = carried(written("unstructured", note(), stay, person=ann()))

    assert message["MSH-4"] == "General Hospital"
    assert message["PID-3.1"] == "E1"
    assert message["PID-3.4.2"] == "2.25.4711.1"
    assert (message["PID-5.1"], message["PID-5.2"]) == ("Doe", "Ann")
    assert (message["PID-7"], message["PID-8"]) == ("19800203", "F")
    assert message["PID-10[2].1"] == "2108-9"
    assert message["PID-11.1"] == "1 Elm St"
    assert message["PID-13[2].4"] == "ann@example.org"
    assert message["PID-30"] == "Y"
    assert message["PV1-19"] == "V1"
    assert message["PV1-44"] == "20291228080000+0000"
    assert message["TXA-2.1"] == "11506-3"
    assert message["TXA-12.1"]
    assert [each.id for each in message.segments] == [
        *("MSH", "EVN", "PID", "PV1", "TXA", "OBX")
    ]
    assert message["EVN-2"] == message["MSH-7"] != ""


def test_a_document_keeps_every_byte():
    content = written()

    message = parse(carried(content).encode())

    assert base64.b64decode(message["OBX-5.5"]) == content


@pytest.mark.parametrize(("kind", "event"), [("RPLC", "T10"), ("APND", "T06")])
def test_a_document_that_follows_another_says_so(kind, event):
    parent = '<parentDocument><id root="2.25.1" extension="P1"/></parentDocument>'
    related = f'<relatedDocument typeCode="{kind}">{parent}</relatedDocument>'
    body = f'<ClinicalDocument xmlns="{ROOT}">{related}</ClinicalDocument>'

    message = carried(body.encode())

    assert message.trigger_event == event
    assert message["TXA-13.1"] == "P1"


def test_a_signer_is_the_authenticator_and_a_name_in_one_piece_is_kept():
    body = f"""<ClinicalDocument xmlns="{ROOT}"><recordTarget><patientRole>
      <id nullFlavor="UNK"/><id root="2.25.9"/>
      <telecom value="nothing"/><telecom value="tel:555" use="MC"/>
      <patient><name>Ann Doe</name></patient></patientRole></recordTarget>
      <author><assignedAuthor><id root="2.25.7" extension="77"/><assignedPerson>
        <name><given>Jo</given><family>Smith</family></name>
      </assignedPerson></assignedAuthor></author>
      <legalAuthenticator><assignedEntity><assignedPerson><name>Signer</name>
      </assignedPerson></assignedEntity></legalAuthenticator></ClinicalDocument>"""

    message = carried(body.encode())

    assert message["PID-5.1"] == "Ann Doe"
    assert (message["PID-13.1"], message["PID-13.3"]) == ("555", "CP")
    assert (message["TXA-9.1"], message["TXA-9.2"]) == ("77", "Smith")
    assert (message["TXA-17"], message["TXA-22.2"]) == ("LA", "Signer")
    assert message["PID-3"] == ""
    assert [each.code for each in message.findings] == ["id-incomplete"]


def sent(content, *, pid="E1^^^&2.25.4711.1&ISO", kind="ED", encoding="Base64"):
    data = base64.b64encode(content).decode()
    return parse(
        er7(
            msh(f9="MDM^T02^MDM_T02"),
            f"PID|1||{pid}||Roe^Jane",
            "TXA|1|CN",
            f"OBX|1|{kind}|||^application^xml^{encoding}^{data}||||||F",
        )
    )


def test_a_message_that_names_its_patient_keeps_what_it_says():
    message = opened(sent(written()))

    assert message["PID-5"] == "Roe"
    assert not message.is_changed


def test_a_document_about_another_patient_than_its_message_is_refused():
    with pytest.raises(TransformError) as caught:
        opened(sent(written(), pid="E2^^^&2.25.4711.1&ISO"))

    assert caught.value.code == "document-other-patient"
    assert "E2" not in str(caught.value)


def test_numbers_of_other_authorities_cannot_be_compared():
    assert opened(sent(written(), pid="E2^^^HOSP"))["PID-3"] == "E2"


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (b"%PDF-1.4", {}),
        (EMPTY, {"kind": "TX"}),
        (EMPTY, {"encoding": "A"}),
        (b"<html><body/></html>", {}),
    ],
)
def test_what_is_no_document_in_a_message_stays_as_it_is(content, more):
    message = sent(content, **more)

    assert not opened(message).is_changed


def test_other_messages_are_not_looked_into():
    message = parse(er7(msh(f9="ORU^R01"), "OBX|1|ED|||^application^xml^Base64^eA=="))

    assert opened(message) is message
