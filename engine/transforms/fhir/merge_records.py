"""MRG-3, 5 and 6: accounts and visits merged, moved or given another number.

Spec:
    fhir.md T28; HL7 v2-to-FHIR 1.0.0, segment map MRG[Account].
"""

from typing import Final

from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import identifier_of
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.keys import criteria, key
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.patient import add_new
from engine.transforms.fhir.systems import HL7

_ACCOUNT, _VISIT, _OTHER_VISIT = 3, 5, 6
_UNKNOWN_CLASS: Final[Element] = {"system": HL7 + "v3-NullFlavor", "code": "UNK"}


def _prior(conversion: Conversion, mrg: Node, field: int, kind: str) -> Element:
    source = mrg.first(field) if mrg.has(field) else None
    return identifier_of(conversion.feed, source, kind) if source else {}


def _account(conversion: Conversion, mrg: Node, person: Entry, status: str) -> Entry:
    """Add the Account of MRG-3; call it only where there is one."""
    one = _prior(conversion, mrg, _ACCOUNT, "AN")
    resource: Element = {
        "resourceType": "Account",
        "identifier": [one],
        "status": status,
        "subject": [person.reference],
    }
    return conversion.upsert(mrg, resource, str(one["system"]), str(one["value"]))


def map_prior_account(conversion: Conversion, mrg: Node, survivor: Entry) -> None:
    """MRG-3: an account of the patient, of which no more is known."""
    if _prior(conversion, mrg, _ACCOUNT, "AN"):
        _account(conversion, mrg, survivor, "unknown")


def merge_accounts(conversion: Conversion, mrg: Node, survivor: Entry) -> None:
    """Close the prior account in favour of that of PID-18, which keeps its number."""
    kept = conversion.subject_of(mrg).account
    one = _prior(conversion, mrg, _ACCOUNT, "AN")
    if not one or kept is None:
        mrg.leave(_ACCOUNT)
        return
    if conversion.holds("Account", str(one["system"]), str(one["value"])):
        conversion.find("merge_with_itself", mrg, 3, "MRG-3 is the account of PID")
        return
    prior = _account(conversion, mrg, survivor, "inactive")
    prior.resource["identifier"] = [{**one, "use": "old"}]
    prior.resource["partOf"] = kept.reference
    _keep_old(kept, one)


def move_account(conversion: Conversion, mrg: Node, survivor: Entry) -> None:
    """The account is this patient's now: that of PID-18, else the one of MRG-3."""
    if _prior(conversion, mrg, _ACCOUNT, "AN") and (
        conversion.subject_of(mrg).account is None
    ):
        _account(conversion, mrg, survivor, "active")


def rename_account(conversion: Conversion, mrg: Node, _survivor: Entry) -> None:
    """Keep the old number of the account; by it the account is still known."""
    account = conversion.subject_of(mrg).account
    one = _prior(conversion, mrg, _ACCOUNT, "AN")
    if account is None or not one:
        mrg.leave(_ACCOUNT)
        return
    rename(conversion, account, one)


def merge_visits(conversion: Conversion, mrg: Node, survivor: Entry) -> None:
    """Withdraw the prior visit in favour of the one of PV1-19."""
    kept = conversion.subject_of(mrg).encounter
    one = _prior(conversion, mrg, _VISIT, "VN")
    if kept is None or not one:
        mrg.leave(_VISIT)
        return
    system, value = str(one["system"]), str(one["value"])
    if conversion.holds("Encounter", system, value):
        conversion.find("merge_with_itself", mrg, 5, "MRG-5 is the visit of PV1")
        return
    resource: Element = {
        "resourceType": "Encounter",
        "identifier": [{**one, "use": "old"}],
        "status": "entered-in-error",
        "class": _UNKNOWN_CLASS,
        "subject": survivor.reference,
        "partOf": kept.reference,
    }
    conversion.upsert(mrg, resource, system, value).presumed = ("class",)
    _keep_old(kept, one)


def rename_visit(conversion: Conversion, mrg: Node, _survivor: Entry) -> None:
    """Keep the old number of the visit, or its old alternate number."""
    visit = conversion.subject_of(mrg).encounter
    one = _prior(conversion, mrg, _VISIT, "VN")
    other = _prior(conversion, mrg, _OTHER_VISIT, "")
    if visit is None:
        mrg.leave(_VISIT)
        mrg.leave(_OTHER_VISIT)
        return
    if one and not _is_known_by(visit, one):
        rename(conversion, visit, one)
    pv1 = conversion.tree.first("PV1")
    if other and pv1 is not None and not pv1.has(19):
        rename(conversion, visit, other)  # known by its alternate number alone
    elif other:
        _keep_old(visit, other)


def _is_known_by(entry: Entry, one: Element) -> bool:
    known = entry.resource.get("identifier")
    return isinstance(known, list) and any(
        (each["system"], each["value"]) == (one["system"], one["value"])
        for each in known
    )


def rename(conversion: Conversion, entry: Entry, old: Element) -> None:
    """Keep the old number, by which servers know the resource until now."""
    if _is_known_by(entry, old):
        return
    _keep_old(entry, old)
    entry.renamed = entry.criteria
    system, value = str(old["system"]), str(old["value"])
    url = "urn:uuid:" + key(conversion.context.site, entry.kind, system, value)
    entry.move(url, criteria(system, value))


def _keep_old(entry: Entry, one: Element) -> None:
    known = entry.resource.get("identifier")
    if isinstance(known, list):
        entry.resource["identifier"] = kept = [*known]
        add_new(kept, {**one, "use": "old"})
