"""From a document back to resources by ccda-to-fhir, and what did not come back."""

import re
from typing import cast

from engine.cli.inside import resources_in
from engine.transforms.ccda.document import render
from engine.transforms.ccda.facts import Facts
from engine.transforms.ccda.reading import read_document
from engine.transforms.ccda.versions import Version
from tests.ccda_facts import ENTERPRISE, NOON, SITE

READ = {
    "Patient": ("identifier", "name", "gender", "birthDate", "address", "telecom"),
    "AllergyIntolerance": ("code", "onsetDateTime", "criticality"),
    "Condition": ("code", "onsetDateTime", "abatementDateTime"),
    "Encounter": ("identifier", "period"),
    "Immunization": ("vaccineCode", "occurrenceDateTime", "lotNumber"),
    "MedicationRequest": ("medicationCodeableConcept",),
    "Observation": ("code", "valueQuantity", "valueString", "effectiveDateTime"),
    "Procedure": ("code", "performedDateTime"),
}
"""Elements of each type that both sides carry in one form."""

LEAVES = ("code", "value", "unit", "family", "city", "postalCode", "start", "end")


def leaves(resource):
    """The facts in a resource: (element, leaf, value), values without punctuation."""
    found: set[tuple[str, str, str]] = set()
    for name in READ.get(resource["resourceType"], ()):
        _walk(resource.get(name), name, "", found)
    return found


def _walk(value, name, leaf, found):
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in ("extension", "type", "assigner", "use", "system", "text"):
                _walk(item, name, key, found)
    elif isinstance(value, list):
        for item in value:
            _walk(item, name, leaf, found)
    elif value is not None and (not leaf or leaf in LEAVES):
        found.add((name, leaf, _plain(value)))


def _plain(value):
    text = re.sub(r"[^a-z0-9]", "", str(value).casefold().replace("z", "0000"))
    return text.rstrip("0") or text


def facts(resources):
    return {
        (resource["resourceType"], *leaf)
        for resource in resources
        if resource.get("resourceType") in READ
        for leaf in leaves(resource)
    }


def missing(resources):
    """The facts of resources by full URL that do not come back from their CCD."""
    known = Facts(resources, ENTERPRISE)
    document = render("ccd", known, SITE, Version("s"), NOON).document
    bundle = resources_in(read_document(document))
    entries = cast("list[dict[str, dict[str, object]]]", bundle["entry"])
    back = facts(entry["resource"] for entry in entries)
    return facts(resources.values()) - back
