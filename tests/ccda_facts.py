"""FHIR resources of invented people, a site to render for, and the validator."""

import base64
import sys
import types
from datetime import UTC, datetime
from functools import cache

from lxml import etree

from engine.transforms.ccda.document import render
from engine.transforms.ccda.facts import Facts
from engine.transforms.ccda.site import CdaSite, Custodian
from engine.transforms.ccda.versions import Version
from tests.shared_data import shared

NOON = datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
ROOT = "2.25.4711"
ENTERPRISE = "urn:id:site:enterprise"
PATIENT = "urn:uuid:00000000-0000-5000-8000-000000000001"
SCT = "http://snomed.info/sct"
LN = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
SITE = CdaSite(
    root=ROOT,
    enterprise=f"{ROOT}.1",
    enterprise_system=ENTERPRISE,
    custodian=Custodian(
        name="General Hospital",
        id=ROOT,
        phone="tel:+1-555-555-1000",
        street="1 Main St",
        city="Ann Arbor",
        state="MI",
        postal_code="48104",
        country="US",
    ),
)


def coded(system, code, display="", text=""):
    coding = {"system": system, "code": code}
    if display:
        coding["display"] = display
    return {"coding": [coding], **({"text": text} if text else {})}


def patient(**more):
    return {
        "resourceType": "Patient",
        "identifier": [{"system": ENTERPRISE, "value": "E1"}],
        "name": [{"family": "Doe", "given": ["Ann"]}],
        **more,
    }


def about(kind, **more):
    return {"resourceType": kind, "subject": {"reference": PATIENT}, **more}


def facts(*resources, person=None, focus=None):
    """Resources under invented full URLs: the patient first, then urn:fact:1, 2, ..."""
    numbered = {f"urn:fact:{n}": r for n, r in enumerate(resources, 1)}
    everything = {PATIENT: patient() if person is None else person, **numbered}
    return Facts(everything, ENTERPRISE, focus)


def document(
    template="ccd", *resources, person=None, site=SITE, version=None, focus=None
):
    return render(
        template,
        facts(*resources, person=person, focus=focus),
        site,
        version or Version("series-1", 1, "message-1", "revision-1"),
        NOON,
    )


def tree(document):
    """The document as it is read back."""
    return etree.fromstring(document)


def note(data=b"All is well.", media_type="text/plain", **more):
    content = base64.b64encode(data).decode()
    return about(
        "DocumentReference",
        **{
            "status": "current",
            "type": coded("http://terminology.hl7.org/CodeSystem/v2-0270", "PR"),
            "content": [{"attachment": {"contentType": media_type, "data": content}}],
            **more,
        },
    )


@cache
def validator():
    path = shared("tools", "validate_cda.py")
    module = types.ModuleType("validate_cda")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # its dataclasses look themselves up there
    exec(compile(path.read_text("utf-8"), path, "exec"), vars(module))  # noqa: S102 - the reference tool, read like a module
    return module


def errors(document, tmp_path):
    """What the reference validator says with both rule files, entries unlinked too."""
    path = tmp_path / "document.xml"
    path.write_bytes(document)
    found = []
    for rules in ("r2.1", "r2.1cg"):
        report = validator().validate(path, rules)
        found += [
            f"{rules} {item.check}: {item.message} {item.path}"
            for item in (*report.errors, *report.warnings)
        ]
    return found
