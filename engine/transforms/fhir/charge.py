"""FT1 to ChargeItem.

Spec:
    fhir.md D14; the guide has no map for FT1.
"""

from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Hd
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    alternate_codes,
    append,
    code,
    coded,
    plain,
    put,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.notes import notes_of
from engine.transforms.fhir.observation import ABSENT
from engine.transforms.fhir.parties import organization_of_code, practitioners
from engine.transforms.fhir.quantities import number, quantity
from engine.transforms.fhir.systems import HL7

_TYPE_TABLE: Final = HL7 + "v2-0017"
_STATUSES: Final = {"CG": "billable", "CD": "aborted", "CO": "not-billable"}
_EXACT: Final = "CG"
_NO_CHARGES: Final = frozenset(("PY", "AJ"))
_CURRENCY_LETTERS: Final = 3


def map_charge(conversion: Conversion, ft1: Node) -> None:
    """Add the ChargeItem of an FT1; payments and adjustments have no home in FHIR."""
    kind = code(ft1.text(6))
    if kind in _NO_CHARGES:
        conversion.lose_all(ft1, "no-fhir-home")
        return
    resource: Element = {"resourceType": "ChargeItem"}
    number_of = _identifier(conversion, ft1)
    put(resource, "identifier", [number_of] if number_of else [])
    resource["status"] = _STATUSES.get(kind, "unknown")
    if kind and kind != _EXACT:
        resource["_status"] = alternate_codes(coded(_TYPE_TABLE, kind))
    resource["code"] = _code(conversion, ft1)
    subject = conversion.about(ft1, resource)
    if "subject" not in resource:
        resource["subject"] = {"display": "unknown"}
    if subject.encounter is not None:
        resource["context"] = subject.encounter.reference
    _add_time(conversion, ft1, resource)
    _add_people(conversion, ft1, resource)
    _add_amounts(ft1, resource)
    if ft1.has(19):
        put(resource, "reason", conversion.concepts(ft1, 19))
    conversion.put_concept(resource, "productCodeableConcept", ft1, 29)
    if subject.account is not None:
        resource["account"] = [subject.account.reference]
    put(resource, "note", notes_of(conversion, ft1))
    ft1.take(1)
    _add(conversion, ft1, resource, number_of)


def _add(
    conversion: Conversion, ft1: Node, resource: Element, number_of: Element
) -> None:
    """Add it under the transaction's number, unless the message used it before."""
    if number_of:
        system, value = str(number_of["system"]), str(number_of["value"])
        if not conversion.holds("ChargeItem", system, value):
            conversion.upsert(ft1, resource, system, value)
            return
    conversion.upsert_own(ft1, resource, conversion.message_key, str(ft1.number))


def _identifier(conversion: Conversion, ft1: Node) -> Element:
    """Return FT1-2 as identifier of the sender's transactions."""
    value = conversion.string(ft1, 2)
    if not value:
        return {}
    system = conversion.feed.identifier_system(Hd("transactions"))
    return {"system": system, "value": value}


def _code(conversion: Conversion, ft1: Node) -> Element:
    """FT1-7, the charge; FT1-25, the procedure, where there is none; FT1-8 in words."""
    found = {**conversion.concept(ft1, 7)}
    other = conversion.concept(ft1, 25) if ft1.has(25) else {}
    known, more = found.get("coding"), other.get("coding")
    if not found:
        found = {**other}
    elif isinstance(known, list) and isinstance(more, list):
        found["coding"] = [*known, *(one for one in more if one not in known)]
    if words := conversion.string(ft1, 8):
        found["text"] = words
    return found or coded(ABSENT, "unknown")


def _add_time(conversion: Conversion, ft1: Node, resource: Element) -> None:
    """FT1-4, a moment or a range."""
    source = ft1.first(4) if ft1.has(4) else None
    if source is None:
        return
    start, end = (conversion.feed.date_time(text) for text in source.texts(2))
    if end:
        span: Element = {}
        put(span, "start", start)
        resource["occurrencePeriod"] = {**span, "end": end}
    elif start:
        resource["occurrenceDateTime"] = start
    else:
        conversion.lose(ft1, 4, "unreadable")


def _add_people(conversion: Conversion, ft1: Node, resource: Element) -> None:
    for entry in practitioners(conversion, ft1, 20):
        append(resource, "performer", {"actor": entry.reference})
    source = ft1.first(13) if ft1.has(13) else None
    firm = organization_of_code(conversion, ft1, source) if source else None
    if firm is not None:
        resource["performingOrganization"] = firm.reference
    enterers = practitioners(conversion, ft1, 24)
    if enterers:
        resource["enterer"] = enterers[0].reference


def _add_amounts(ft1: Node, resource: Element) -> None:
    """FT1-10: how many; FT1-11, else FT1-12: the price."""
    sent = ft1.text(10)
    count = number(sent)
    if count is not None:
        resource["quantity"] = quantity(count, {})
    elif sent:
        ft1.leave(10)
    for field in (11, 12):
        source = ft1.first(field) if ft1.has(field) else None
        price = money(source) if source else {}
        if price and "priceOverride" not in resource:
            resource["priceOverride"] = price
        elif source is not None:
            ft1.leave(field)


def money(source: Repetition) -> Element:
    """Return one CP, or MO, as Money; ``{}`` without an amount."""
    parts = [*source.sub(1), "", ""]
    value = number(parts[0])
    if value is None:
        return {}
    found: Element = {"value": value}
    currency = plain(parts[1]) or plain(source.text(2))
    if len(currency) == _CURRENCY_LETTERS and currency.isalpha() and currency.isupper():
        found["currency"] = currency
    return found
