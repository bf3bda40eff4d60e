"""MRG: what happens to the patient, account or visit named in it.

Spec:
    fhir.md T28. The guide maps only MRG[Account]; Patient.link is a choice of ours.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import append, identifier_of, listed, put
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.merge_records import (
    map_prior_account,
    merge_accounts,
    merge_visits,
    move_account,
    rename,
    rename_account,
    rename_visit,
)
from engine.transforms.fhir.patient import add_new, preferred
from engine.transforms.fhir.plan import Merge
from engine.transforms.fhir.related import names

Act: TypeAlias = Callable[[Conversion, Node, Entry], None]


def map_merge(conversion: Conversion, mrg: Node) -> None:
    """Do to the patient of the PID before it what the event says about the MRG."""
    survivor = conversion.subject_of(mrg).patient
    if survivor is None:
        return
    for act in _ACTS[conversion.plan.merge]:
        act(conversion, mrg, survivor)


def _prior_identifiers(conversion: Conversion, mrg: Node) -> list[Element]:
    """Return MRG-1 and MRG-4, the numbers the patient had."""
    found: list[Element] = []
    for field in (1, 4, 2):
        for source in mrg.all(field) if mrg.has(field) else ():
            add_new(found, identifier_of(conversion.feed, source))
    return found


def _merge_persons(conversion: Conversion, mrg: Node, survivor: Entry) -> None:
    """Retire the prior patient in favour of this one."""
    prior = _prior_identifiers(conversion, mrg)
    if prior:
        _retire(conversion, mrg, survivor, prior)
        _keep_old(survivor, prior)


def _rename(conversion: Conversion, mrg: Node, survivor: Entry) -> None:
    """Keep the numbers the patient had before; by one of them servers know it."""
    prior = _prior_identifiers(conversion, mrg)
    best = preferred(prior, conversion.context.options.identifier)
    if best is not None:
        rename(conversion, survivor, best)
    _keep_old(survivor, prior)


def _move_numbers(conversion: Conversion, mrg: Node, survivor: Entry) -> None:
    """MRG-1 are this patient's numbers now; whoever MRG-4 names had them wrongly."""
    moved: list[Element] = []
    for source in mrg.all(1):
        add_new(moved, identifier_of(conversion.feed, source))
    _know_also(survivor, moved)
    source_4 = mrg.first(4) if mrg.has(4) else None
    wrong = identifier_of(conversion.feed, source_4) if source_4 else {}
    system, value = str(wrong.get("system")), str(wrong.get("value"))
    if not wrong or conversion.holds("Patient", system, value):
        return
    identifiers = [wrong, *({**one, "use": "old"} for one in moved if one != wrong)]
    resource: Element = {"resourceType": "Patient", "identifier": identifiers}
    put(resource, "name", names(conversion, mrg, 7))
    conversion.upsert(mrg, resource, system, value)


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
    _know_also(survivor, [{"use": "old", **one} for one in prior])


def _know_also(patient: Entry, numbers: list[Element]) -> None:
    """Add numbers to a Patient that has some; its list of them may be shared."""
    if known := [*listed(patient.resource, "identifier")]:
        for one in numbers:
            add_new(known, one)
        patient.resource["identifier"] = known


_ACTS: Final[Mapping[Merge, tuple[Act, ...]]] = MappingProxyType(
    {
        Merge.NONE: (),
        Merge.PERSON: (_merge_persons, map_prior_account),
        Merge.NUMBER: (_rename, map_prior_account),
        Merge.PERSON_AND_ACCOUNT: (_merge_persons, merge_accounts),
        Merge.ACCOUNT: (merge_accounts,),
        Merge.VISIT: (merge_visits,),
        Merge.MOVED_NUMBERS: (_move_numbers,),
        Merge.MOVED_ACCOUNT: (move_account,),
        Merge.MOVED_VISIT: (),
        Merge.ACCOUNT_NUMBER: (rename_account,),
        Merge.VISIT_NUMBER: (rename_visit,),
        Merge.OTHER_VISIT_NUMBER: (rename_visit,),
    }
)
"""What each kind of merge does, in order."""
