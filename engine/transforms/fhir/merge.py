"""MRG: what happens to the patient, account or visit named in it.

Spec:
    fhir.md T28. The guide maps only MRG[Account]; Patient.link is a choice of ours.
"""

from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import append, identifier_of, put
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.patient import add_new, preferred
from engine.transforms.fhir.plan import Merge
from engine.transforms.fhir.related import names


def map_merge(conversion: Conversion, mrg: Node) -> None:
    """Do to the patient of the PID before it what the event says about the MRG."""
    kind = conversion.plan.merge
    if kind is Merge.NONE:
        return
    survivor = conversion.subject_of(mrg).patient
    prior = _prior_identifiers(conversion, mrg)
    if survivor is None or not prior:
        return
    if kind is Merge.PERSON:
        _retire(conversion, mrg, survivor, prior)
    _keep_old(survivor, prior)
    _map_prior_account(conversion, mrg, survivor)


def _prior_identifiers(conversion: Conversion, mrg: Node) -> list[Element]:
    """Return MRG-1 and MRG-4, the numbers the patient had."""
    found: list[Element] = []
    for field in (1, 4, 2):
        for source in mrg.all(field) if mrg.has(field) else ():
            add_new(found, identifier_of(conversion.feed, source))
    return found


def _retire(
    conversion: Conversion, mrg: Node, survivor: Entry, prior: list[Element]
) -> None:
    """Add the prior Patient, inactive, and link the two."""
    best = preferred(prior, conversion.context.options.identifier)
    if best is None:
        return
    resource: Element = {
        "resourceType": "Patient",
        "identifier": [{"use": "old", **one} for one in prior],
        "active": False,
    }
    put(resource, "name", names(conversion, mrg, 7))
    system, value = str(best["system"]), str(best["value"])
    if conversion.holds("Patient", system, value):
        conversion.find("merge_with_itself", mrg, 1, "MRG-1 is the patient of PID")
        return
    retired = conversion.upsert(mrg, resource, system, value)
    if conversion.context.options.merge == "linkage":
        items = [
            {"type": "source", "resource": survivor.reference},
            {"type": "historical", "resource": retired.reference},
        ]
        linkage: Element = {"resourceType": "Linkage", "active": True, "item": items}
        conversion.upsert_unnamed(mrg, linkage, survivor.full_url, retired.full_url)
        return
    resource["link"] = [{"other": survivor.reference, "type": "replaced-by"}]
    link: Element = {"other": retired.reference, "type": "replaces"}
    append(survivor.resource, "link", link)


def _keep_old(survivor: Entry, prior: list[Element]) -> None:
    """Let the survivor be found by the old numbers too."""
    known = survivor.resource.get("identifier")
    if isinstance(known, list):
        for one in prior:
            add_new(known, {"use": "old", **one})


def _map_prior_account(conversion: Conversion, mrg: Node, survivor: Entry) -> None:
    """MRG-3: an account of the patient, of which no more is known."""
    source = mrg.first(3) if mrg.has(3) else None
    one = identifier_of(conversion.feed, source, "AN") if source else {}
    if not one:
        return
    resource: Element = {
        "resourceType": "Account",
        "identifier": [one],
        "status": "unknown",
        "subject": [survivor.reference],
    }
    conversion.upsert(mrg, resource, str(one["system"]), str(one["value"]))
