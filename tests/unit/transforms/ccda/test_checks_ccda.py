"""The built-in checks: a good document passes, each way of breaking it is found."""

import pytest
from lxml import etree

from engine.transforms.ccda.checks import check
from engine.transforms.ccda.document import render
from engine.transforms.ccda.facts import Facts
from engine.transforms.ccda.faithfulness import unfounded
from engine.transforms.ccda.rendering import Origin
from engine.transforms.ccda.templates import CCD
from engine.transforms.ccda.versions import Version
from tests.ccda_facts import (
    ENTERPRISE,
    NOON,
    SITE,
    document,
    note,
    tree,
)
from tests.ccda_person import everything

H = "{urn:hl7-org:v3}"


@pytest.fixture(scope="module")
def written():
    facts = Facts(everything(), ENTERPRISE)
    return render("ccd", facts, SITE, Version("s"), NOON).document


def codes(root):
    return {finding.code for finding in check(root, companion_guide=True)}


def test_a_good_document_has_no_findings(written):
    assert codes(tree(written)) == set()


def spoil(path, **attributes):
    def change(root):
        for name, value in attributes.items():
            root.find(path).set(name.rstrip("_"), value)

    return change


def drop(path):
    def change(root):
        found = root.find(path)
        found.getparent().remove(found)

    return change


def drop_all(path):
    def change(root):
        for found in root.findall(path):
            found.getparent().remove(found)

    return change


def spoil_second_id(root):
    first, second, *_ = root.iterfind(f".//{H}text//{H}tr[@ID]")
    second.set("ID", first.get("ID"))


PROBLEM_CODE = f".//{H}observation[{H}templateId]/{H}code/{H}translation"
PROBLEM_TIME = f".//{H}observation/{H}effectiveTime[{H}high]"


def empty(path):
    def change(root):
        found = root.find(path)
        for child in list(found):
            found.remove(child)
        found.text = " "

    return change


BREAKAGES = {
    "dashed date": ("V01", spoil(f"{H}effectiveTime", value="2030-01-01")),
    "impossible date": ("V01", spoil(f"{H}effectiveTime", value="20301399")),
    "nine digits": ("V01", spoil(f"{H}effectiveTime", value="203001013")),
    "impossible zone": ("V01", spoil(f"{H}effectiveTime", value="20300101+1500")),
    "reversed interval": (
        "V02",
        spoil(f".//{H}encounter/{H}effectiveTime/{H}low", value="20400101"),
    ),
    "bogus LOINC": ("V03", spoil(f"{H}code", code="34133-8")),
    "bogus unit": ("V04", spoil(f".//{H}value[@unit]", unit="mmHg")),
    "bogus gender": ("V05", spoil(f".//{H}administrativeGenderCode", code="X")),
    "bogus race": ("V05", spoil(f".//{H}raceCode", code="X")),
    "empty name": ("V06", empty(f".//{H}patient/{H}name/{H}family")),
    "no family": ("V06", drop(f".//{H}patient/{H}name/{H}family")),
    "malformed root": ("V07", spoil(f"{H}id", root="NORTH")),
    "template extension": (
        "V08",
        spoil(f"{H}templateId[@extension]", extension="2014-06-09"),
    ),
    "template alone": ("V08", drop(f".//{H}section/{H}templateId[@extension]")),
    "null beside value": ("V09", spoil(f".//{H}value[@value]", nullFlavor="UNK")),
    "null with entries": ("V09", spoil(f".//{H}section", nullFlavor="NI")),
    "section text": ("V11", empty(f".//{H}section/{H}text")),
    "dangling reference": ("V11", spoil(f".//{H}reference", value="#nowhere")),
    "other author": ("V13", spoil(f".//{H}entry//{H}assignedAuthor/{H}id", root="1.2")),
    "odd participant": ("V13", spoil(f".//{H}associatedEntity", classCode="X")),
    "other value": ("V15", spoil(f".//{H}value[@unit]", value="99.75")),
    "other unit": ("V15", spoil(f".//{H}value[@unit]", unit="kg")),
    "other display": ("V15", spoil(f".//{H}value[@displayName]", displayName="Other")),
    "of no type": ("V10", drop_all(f"{H}templateId[@root='{CCD.root}']")),
    "header element": ("V10", drop(f"{H}confidentialityCode")),
    "set without number": ("V10", drop(f"{H}versionNumber")),
    "document code": ("V10", spoil(f"{H}code", codeSystem="2.25.1")),
    "required section": ("V10", drop(f".//{H}structuredBody/{H}component")),
    "ID twice": ("V11", spoil_second_id),
    "problem kind": ("V13", drop_all(PROBLEM_CODE)),
    "vital signs code": (
        "V13",
        drop(f".//{H}organizer[@classCode='CLUSTER']/{H}code/{H}translation"),
    ),
    "end to come": ("V14", spoil(f"{PROBLEM_TIME}/{H}high", value="20991231")),
    "other date": ("V15", spoil(f"{PROBLEM_TIME}/{H}low", value="20010101")),
    "active with end": (
        "V14",
        lambda root: etree.SubElement(
            root.find(f".//{H}act[{H}statusCode][{H}effectiveTime]/{H}effectiveTime"),
            f"{H}high",
        ),
    ),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_each_way_of_breaking_a_document_is_found(name, written):
    expected, change = BREAKAGES[name]
    root = tree(written)

    change(root)

    assert expected in codes(root)


@pytest.mark.parametrize(
    "change",
    [
        spoil(f".//{H}nonXMLBody/{H}text", mediaType="application/zip"),
        spoil(f".//{H}nonXMLBody/{H}text", mediaType="application/pdf"),
        spoil(f".//{H}nonXMLBody/{H}text", representation="TXT"),
        empty(f".//{H}nonXMLBody/{H}text"),
    ],
)
def test_embedded_content_is_what_it_says(change):
    root = tree(document("unstructured", note()).document)
    assert codes(root) == set()

    change(root)

    assert codes(root) == {"V12"}


def test_findings_name_the_place_and_no_value(written):
    root = tree(written)
    spoil(f".//{H}patient/{H}birthTime", value="secret")(root)

    [finding] = check(root, companion_guide=True)

    assert finding.path == "recordTarget/patientRole/patient/birthTime"
    assert "secret" not in finding.text


def test_a_denial_needs_a_fact_of_this_person_that_denies(written):
    facts = Facts(everything(), ENTERPRISE)
    spoiled = tree(written)
    for one in spoiled.iterfind(f".//{H}act/{H}entryRelationship/{H}observation"):
        one.set("negationInd", "true")

    assert list(unfounded(tree(written), facts, [])) == []
    assert list(unfounded(spoiled, facts, [])) == ["a denial has no fact behind it"]


def test_words_of_denial_need_a_fact_that_says_them(written):
    facts = Facts(everything(), ENTERPRISE)
    spoiled = tree(written)
    spoiled.find(f".//{H}section/{H}text").text = "No known allergies"

    [sentence] = unfounded(spoiled, facts, [])

    assert sentence == "the text says that nothing is known and no fact does"


def test_a_row_shows_facts_of_this_person_only(written):
    facts = Facts(everything(), ENTERPRISE)

    [sentence] = unfounded(tree(written), facts, [Origin("alg", "alg1", "urn:other")])

    assert sentence == "a row shows a fact that is not this person's"
