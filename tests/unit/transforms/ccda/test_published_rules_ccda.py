"""What a site's copy of schema and Schematron says, and how a site names its copy."""

import hashlib
import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from lxml import etree

from engine.channels.format.cda_rules import published_rules
from engine.channels.format.load import load_site
from engine.channels.processing.assemble import lines_of
from engine.channels.processing.trial import bench
from engine.cli.root import interop
from engine.errors import ConfigurationError
from engine.settings import Settings
from engine.transforms.ccda.published_rules import PublishedRules
from engine.transforms.ccda.schematron import Schematron
from tests.builders import adt_a01
from tests.ccda_facts import SITE, document
from tests.channel_files import SITE_WITH_DOCUMENTS, checked, write_site

XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
 targetNamespace="urn:hl7-org:v3" elementFormDefault="qualified">
 <xs:element name="ClinicalDocument"><xs:complexType><xs:sequence>
 <xs:any maxOccurs="unbounded" processContents="skip"/></xs:sequence>
 </xs:complexType></xs:element></xs:schema>"""
STRICT_XSD = XSD.replace(
    '<xs:any maxOccurs="unbounded" processContents="skip"/>',
    '<xs:element name="id" type="xs:integer"/>',
)
SCH = """<schema xmlns="http://purl.oclc.org/dsdl/schematron">
 <ns prefix="h" uri="urn:hl7-org:v3"/><pattern id="p"><rule context="h:patientRole">
 <assert id="s-1" test="not(h:addr)">An address SHALL NOT be there</assert>
 </rule></pattern></schema>"""
CHANNEL = """\
channel: adt
source:
  mllp: {port: 2575}
destinations:
  - name: ccd
    cda: {template: ccd, path: "out/{document.id}.xml", validate: VALIDATE}
"""


def rules(schema=XSD, schematron=SCH):
    return PublishedRules(
        etree.XMLSchema(etree.fromstring(schema)),
        (Schematron(schematron.encode(), {}),),
    )


def copy_of(folder, **files):
    """A copy of schema and rules in a folder, and the settings that name it."""
    place = folder / "rules"
    place.mkdir(parents=True)
    files = files or {"CDA.xsd": XSD, "a.sch": SCH}
    for name, text in files.items():
        (place / name).write_text(text)
    digests = {n: hashlib.sha256(t.encode()).hexdigest() for n, t in files.items()}
    cda = {"rules": "rules", "rules-sha256": digests}
    return Settings(folder=folder, cda=cda)


def test_a_rule_that_does_not_hold_is_a_fault_of_the_document():
    made = document(site=replace(SITE, rules=rules()))

    [fault] = made.faults
    assert (fault.code, fault.path) == ("cda-schematron", "patientRole")
    assert fault.text == "s-1 An address SHALL NOT be there"


def test_what_the_schema_refuses_is_told_without_the_value():
    found = rules(STRICT_XSD).judged(
        etree.fromstring(
            '<ClinicalDocument xmlns="urn:hl7-org:v3"><id>DOE</id></ClinicalDocument>'
        )
    )

    assert {each.code for each in found} == {"cda-schema"}
    assert "DOE" not in str(found)
    assert "the schema refuses id" in str(found)


def test_a_very_large_document_is_judged_by_the_schema_alone():
    many = "<id/>" * 5_000
    root = etree.fromstring(
        f'<ClinicalDocument xmlns="urn:hl7-org:v3">{many}</ClinicalDocument>'
    )

    [finding] = rules().judged(root)

    assert finding.code == "cda-rules-skipped"


def test_a_copy_is_read_once_its_digests_are_named(tmp_path):
    found = published_rules(copy_of(tmp_path))

    assert found is not None
    assert len(found.schematrons) == 1
    assert published_rules(Settings(folder=tmp_path)) is None


def test_a_file_that_is_not_the_named_one_is_refused_with_the_lines_to_write(tmp_path):
    settings = copy_of(tmp_path)
    (tmp_path / "rules" / "a.sch").write_text(SCH + " ")
    (tmp_path / "rules" / "CDA.xsd").unlink()

    with pytest.raises(ConfigurationError) as caught:
        published_rules(settings)

    assert "CDA.xsd is missing" in str(caught.value)
    assert '"a.sch" = "' in str(caught.value)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a.sch": SCH}, "no CDA_SDTC.xsd"),
        ({"CDA.xsd": "<x"}, "CDA.xsd"),
        ({"CDA.xsd": XSD, "a.sch": "<x/>"}, "a.sch: the file is no Schematron"),
    ],
)
def test_a_copy_that_cannot_be_used_is_refused(tmp_path, files, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        published_rules(copy_of(tmp_path, **files))


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="is no folder"):
        published_rules(Settings(folder=tmp_path, cda={"rules": "rules"}))


def of_a_site(tmp_path, validate):
    settings = copy_of(tmp_path)
    named = "".join(
        f'"{name}" = "{digest}"\n'
        for name, digest in settings.cda["rules-sha256"].items()
    )
    toml = SITE_WITH_DOCUMENTS.replace("[cda]\n", '[cda]\nrules = "rules"\n')
    text = f"{toml}[cda.rules-sha256]\n{named}"
    return {"interop.toml": text}, CHANNEL.replace("VALIDATE", validate)


@pytest.mark.parametrize("validate", ["error", "warn"])
def test_a_channel_judges_its_documents_by_the_site_s_rules(tmp_path, validate):
    files, channel = of_a_site(tmp_path, validate)
    found = checked(tmp_path, files, adt=channel)
    assert [each for each in found.faults if each.level == "error"] == []

    with bench(lines_of(load_site(tmp_path, variables={}))["adt"]) as place:
        made = place.put(adt_a01())

    if validate == "warn":
        assert len(made.deliveries["ccd"]) == 1
        assert "s-1 An address" in made.outcome.report.decode()
    else:
        assert "ccd" not in made.deliveries


@pytest.mark.parametrize("named", ["nothing", "a copy", "a changed copy"])
def test_interop_doctor_says_what_judges_documents(tmp_path, named):
    files, _ = of_a_site(tmp_path, "error")
    toml = SITE_WITH_DOCUMENTS if named == "nothing" else files["interop.toml"]
    write_site(tmp_path, {"interop.toml": toml})
    if named == "a changed copy":
        (tmp_path / "rules" / "a.sch").write_text("changed")

    asked = ["doctor", "--config", str(tmp_path), "-o", "json"]
    rows = json.loads(CliRunner().invoke(interop, asked).stdout)

    [row] = [each for each in rows if each["area"] == "documents"]
    assert row["result"] == ("problem" if named == "a changed copy" else "ok")
    words = {"nothing": "alone", "a copy": "1 Schematron", "a changed copy": "sha256"}
    assert words[named] in row["says"]


def test_a_wrong_copy_is_a_fault_of_the_check(tmp_path):
    files, channel = of_a_site(tmp_path, "error")
    (tmp_path / "rules" / "a.sch").write_text("changed")

    found = checked(tmp_path, files, adt=channel)

    assert any("[cda.rules-sha256]" in each.sentence for each in found.faults)
