"""From an HL7 v2 message to a document: each fact is told, or in the loss report.

The oracle knows nothing of the resources between: it looks for the values of the
message in the text and the attributes of the document.
"""

import re

import pytest

from engine.hl7 import parse
from engine.transforms.ccda.document import render
from engine.transforms.ccda.documents import documents_of
from engine.transforms.ccda.facts import Facts
from engine.transforms.ccda.versions import Version
from engine.transforms.fhir import MapContext, map_message, stamp_person
from tests.builders import er7, msh
from tests.ccda_facts import (
    ENTERPRISE,
    NOON,
    SITE,
    errors,
    tree,
)

ZONED = "20300101120000-0500"


def segment(name, **fields):
    """A segment by field numbers: ``segment("PID", f3="1")``."""
    numbered = {int(key[1:]): value for key, value in fields.items()}
    values = [numbered.get(number, "") for number in range(1, max(numbered) + 1)]
    return "|".join([name, *values])


PID = segment(
    "PID",
    f1="1",
    f3="4711^^^NORTH&2.25.51&ISO^MR~88^^^SOUTH^PI",
    f5="Doe^Ann^Mary^Jr^Dr^^L",
    f7="19800203",
    f8="F",
    f10="2106-3^White^CDCREC",
    f11="1 Elm St^Apt 2^Ann Arbor^MI^48104^USA^H",
    f13="^PRN^PH^^1^555^5551234",
    f15="en^English^ISO639",
    f16="M^Married^HL70002",
    f22="2186-5^Not Hispanic or Latino^CDCREC",
    f29="20291231",
    f30="Y",
)
VISIT = segment(
    "PV1",
    f1="1",
    f2="I",
    f3="4W^401^A^NORTH&2.25.50&ISO",
    f19="V100^^^NORTH&2.25.52&ISO",
    f36="01",
    f44="20291228080000-0500",
    f45="20291231100000-0500",
)
ADMISSION = (
    msh(f4="NORTH^2.25.50^ISO", f7=ZONED, f9="ADT^A03^ADT_A03"),
    f"EVN|A03|{ZONED}",
    PID,
    segment("NK1", f1="1", f2="Roe^Bob", f3="HUSB^husband^HL70063"),
    VISIT,
    segment(
        "AL1",
        f1="1",
        f2="DA",
        f3="7980^Penicillin G^RXNORM",
        f4="SV",
        f5="Hives",
        f6="20200101",
    ),
    segment("DG1", f1="1", f3="J18.9^Pneumonia^I10C", f5="20291228", f6="F"),
    segment("PR1", f1="1", f3="99213^Office visit^C4", f5="20291229"),
)
RESULT = (
    msh(f4="NORTH^2.25.50^ISO", f7=ZONED, f9="ORU^R01^ORU_R01"),
    PID,
    segment(
        "OBR",
        f1="1",
        f2="P1^LAB^2.25.60^ISO",
        f3="F1^LAB^2.25.61^ISO",
        f4="58410-2^CBC panel^LN",
        f7="20291229081500-0500",
        f25="F",
    ),
    segment(
        "OBX",
        f1="1",
        f2="NM",
        f3="718-7^Hemoglobin^LN",
        f5="9.10",
        f6="g/dL^^UCUM",
        f7="12.0-16.0",
        f8="L",
        f11="F",
        f14="20291229081500-0500",
    ),
)
NOTE = (
    msh(f4="NORTH^2.25.50^ISO", f7=ZONED, f9="MDM^T02^MDM_T02"),
    f"EVN|T02|{ZONED}",
    PID,
    VISIT,
    segment(
        "TXA",
        f1="1",
        f2="PR",
        f3="TX",
        f4="20291230090000-0500",
        f6="20291230090000-0500",
        f9="77^Smith^Jo^^^Dr^^^DOC&2.25.80&ISO",
        f12="N55^DOC^2.25.81^ISO",
        f17="LA",
        f22="78^Signer^Er^^^Dr^^^DOC&2.25.80&ISO",
    ),
    segment("OBX", f1="1", f2="TX", f3="11506-3^Progress note^LN", f5="Ann is well."),
)
PERSON = (
    *("E1", "4711", "Doe", "Ann", "Mary", "Jr", "Dr", "19800203", "F", "2106-3"),
    *("1 Elm St", "Apt 2", "Ann Arbor", "MI", "48104", "USA", "5551234", "en"),
    *("M", "2186-5", "20291231"),
)
TOLD = {
    "ccd admission": (
        ADMISSION,
        "ccd",
        (
            *PERSON,
            *("Roe", "V100", "4W", "401", "20291228080000-0500", "01"),
            *("20291231100000-0500", "7980", "Penicillin G", "CRITH", "Hives"),
            *("20200101", "J18.9", "Pneumonia", "20291228", "99213", "20291229"),
        ),
    ),
    "ccd result": (
        RESULT,
        "ccd",
        (
            *PERSON,
            *("F1", "58410-2", "20291229081500-0500", "718-7", "9.10", "g/dL"),
            *("12.0-16.0", "L", "completed"),
        ),
    ),
    "unstructured note": (
        NOTE,
        "unstructured",
        (
            *PERSON,
            *("11506-3", "Smith", "77", "N55", "20291230090000-0500", "Signer"),
            *("V100", "20291228080000-0500"),
        ),
    ),
    "progress note": (
        NOTE,
        "progress-note",
        (*PERSON, "11506-3", "Smith", "N55", "Ann is well.", "V100"),
    ),
    "discharge summary": (
        ADMISSION,
        "discharge-summary",
        (*PERSON, "V100", "20291231100000-0500", "Pneumonia", "Penicillin G"),
    ),
}


def written(message, template):
    mapped = map_message(parse(er7(*message)), MapContext(site="north"))
    stamp_person(mapped, ENTERPRISE, "E1")
    resources = {entry.full_url: entry.resource for entry in mapped.entries}
    [planned] = documents_of(template, Facts(resources, ENTERPRISE)).documents
    version = Version(planned.series)
    return render(planned.template, planned.facts, SITE, version, NOON)


def said(document):
    """Every text and attribute value of a document, and the words in them."""
    root = tree(document)
    whole = [
        *root.itertext(),
        *(value for node in root.iter() for value in node.values()),
    ]
    return {*whole, *(word for text in whole for word in re.split(r"[\s,:-]+", text))}


@pytest.mark.parametrize("name", TOLD)
def test_each_fact_of_a_message_is_told(name, tmp_path):
    message, template, facts = TOLD[name]

    rendered = written(message, template)

    assert set(facts) - said(rendered.document) == set()
    assert errors(rendered.document, tmp_path) == []
    assert rendered.faults == ()


def test_an_identifier_whose_authority_has_no_oid_is_in_the_loss_report():
    rendered = written(RESULT, "ccd")

    assert "88" not in said(rendered.document)
    assert ("no-oid", "88") in {(loss.reason, loss.value) for loss in rendered.losses}


def test_a_note_of_a_message_is_signed_only_when_it_is_legally_authenticated():
    unsigned = [part.replace("|LA|", "|AU|") for part in NOTE]

    assert b"legalAuthenticator" in written(NOTE, "unstructured").document
    assert b"legalAuthenticator" not in written(unsigned, "unstructured").document
