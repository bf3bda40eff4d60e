"""ORC, OBR and what belongs to them to DiagnosticReport and ServiceRequest.

Spec:
    HL7 v2-to-FHIR 1.0.0, segment maps OBR[DiagnosticReport], ORC[DiagnosticReport];
    fhir.md T12, T14, T15 and D06 to D10.
"""

from typing import Final

from engine.hl7.datatypes import Ei
from engine.transforms.fhir.attachments import text_data
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    alternate_codes,
    code,
    coded,
    extension,
    put,
)
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.observation import ABSENT, Order, map_observations
from engine.transforms.fhir.observation_values import TEXT_KINDS, joined
from engine.transforms.fhir.order_control import (
    add_label,
    control_of,
    request_identifiers,
)
from engine.transforms.fhir.parties import named_person
from engine.transforms.fhir.request import map_request
from engine.transforms.fhir.specimen import (
    add_collection,
    map_old_specimen,
    map_specimen,
    names_of,
)
from engine.transforms.fhir.systems import HL7
from engine.transforms.fhir.vocabulary import (
    CATEGORY,
    EXACT_REPORT_STATUS,
    NOT_LABORATORY,
    REPORT_STATUS,
    REPORT_TO_OBSERVATION,
    V3_PARTICIPATION,
)

_SECTION: Final = HL7 + "v2-0074"
_OBSERVATION_CATEGORY: Final = HL7 + "observation-category"
_STATUS_TABLE: Final = HL7 + "v2-0123"
_PERFORMERS: Final = ((34, "SPRF"), (35, "TRANS"))


def map_report(conversion: Conversion, obr: Node) -> None:
    """Add report, order, specimens and observations of one OBR."""
    orc = control_of(obr)
    obr.take(1)
    identifiers = request_identifiers(conversion, orc, obr)
    order = Order(key=_order_key(conversion, obr, identifiers))
    request = map_request(conversion, orc, obr, identifiers)
    if not conversion.plan.reports:
        _add_order_details(conversion, obr, order, request)
        return
    report: Element = {"resourceType": "DiagnosticReport"}
    put(report, "identifier", identifiers)
    report["basedOn"] = [request.reference]
    _add_status(conversion, obr, report, order)
    _add_category(obr, report, order)
    report["code"] = conversion.concept(obr, 4) or coded(ABSENT, "unknown")
    subject = conversion.about(obr, report)
    if subject.encounter is not None:
        report["encounter"] = subject.encounter.reference
    _add_times(conversion, obr, report, order)
    _add_people(conversion, obr, report)
    specimens = _specimens(conversion, obr, order)
    put(report, "specimen", [entry.reference for entry in specimens])
    put(request.resource, "specimen", [entry.reference for entry in specimens])
    _add_reasons(conversion, orc, report)
    forms = _presented(obr)
    map_observations(conversion, _results_of(obr), order)
    _link_parent(conversion, obr, order)
    put(report, "result", _distinct(order))
    put(report, "presentedForm", forms)
    made = _add(conversion, obr, report, identifiers, order)
    for entry in (made, *(entry for entry, _ in order.results)):
        entry.as_of = order.as_of


def _add_order_details(
    conversion: Conversion, obr: Node, order: Order, request: Entry
) -> None:
    """Add specimens and observations that come with an order: they support it."""
    specimens = _specimens(conversion, obr, order)
    put(request.resource, "specimen", [entry.reference for entry in specimens])
    map_observations(conversion, _results_of(obr), order)
    put(request.resource, "supportingInfo", _distinct(order))


def _distinct(order: Order) -> list[Element]:
    seen: dict[str, Element] = {}
    for entry, _ in order.results:
        seen.setdefault(entry.full_url, entry.reference)
    return list(seen.values())


def _order_key(conversion: Conversion, obr: Node, identifiers: list[Element]) -> str:
    """Return what names the order in the keys of its parts: filler, else placer."""
    for kind in ("FILL", "PLAC"):
        for one in identifiers:
            if type_of(one) == kind:
                return f"{one['system']}|{one['value']}|{obr.segment.raw(4)}"
    subject = conversion.subject_of(obr)
    when = obr.segment.raw(7)
    if when:
        return f"{subject.key}|{obr.segment.raw(4)}|{when}"
    return f"{conversion.message_key}|{obr.number}"


def type_of(one: Element) -> str:
    """Return the type code of an identifier made here."""
    kind = one.get("type")
    return str(kind["coding"][0]["code"]) if isinstance(kind, dict) else ""


def _add(
    conversion: Conversion,
    obr: Node,
    report: Element,
    identifiers: list[Element],
    order: Order,
) -> Entry:
    """Add the report under its filler number; another one of the same gets a key."""
    for kind in ("FILL", "PLAC"):
        for one in identifiers:
            system, value = str(one["system"]), str(one["value"])
            if type_of(one) == kind and not conversion.holds(
                "DiagnosticReport", system, value
            ):
                return conversion.upsert(obr, report, system, value)
    return conversion.upsert_own(obr, report, order.key, str(obr.number))


def _add_status(
    conversion: Conversion, obr: Node, report: Element, order: Order
) -> None:
    """OBR-25 through the guide's table (T12)."""
    sent = code(obr.text(25))
    status = REPORT_STATUS.get(sent, "unknown")
    if not sent:
        conversion.find("report_without_status", obr, 25, "OBR-25 is empty")
    report["status"] = status
    if sent and sent not in EXACT_REPORT_STATUS:
        value = coded(_STATUS_TABLE, sent)
        report["_status"] = alternate_codes(value)
    order.status = REPORT_TO_OBSERVATION.get(status, "unknown")


def _add_category(obr: Node, report: Element, order: Order) -> None:
    """OBR-24 as sent on the report, its kind on every observation (D08)."""
    section = code(obr.text(24))
    if not section:
        return
    report["category"] = [coded(_SECTION, section)]
    kind = CATEGORY.get(section)
    if kind is None and section not in NOT_LABORATORY:
        kind = "laboratory"
    if kind is not None:
        order.category = [coded(_OBSERVATION_CATEGORY, kind)]


def _add_times(
    conversion: Conversion, obr: Node, report: Element, order: Order
) -> None:
    start = conversion.when(obr, 7) if obr.has(7) else ""
    end = conversion.when(obr, 8) if obr.has(8) else ""
    span: Element = {}
    if end:
        put(span, "start", start)
        order.effective = {"effectivePeriod": {**span, "end": end}}
    elif start:
        order.effective = {"effectiveDateTime": start}
    report.update(order.effective)
    if obr.has(22):
        issued = conversion.moment(obr, 22)
        put(report, "issued", issued.instant)
        order.as_of = issued.instant
        if issued.text and not issued.instant and not issued.cut:
            conversion.lose(obr, 22, "cut-to-date")


def _people(conversion: Conversion, obr: Node, field: int) -> list[Element]:
    """Return references to the people of an NDL field."""
    if not obr.has(field):
        return []
    found = (named_person(conversion, obr, source) for source in obr.all(field))
    return [entry.reference for entry in found if entry is not None]


def _add_people(conversion: Conversion, obr: Node, report: Element) -> None:
    """OBR-32 and 33 interpret; OBR-34 and 35 perform."""
    interpreters = _people(conversion, obr, 32) + _people(conversion, obr, 33)
    put(report, "resultsInterpreter", interpreters)
    performers: list[Element] = []
    for field, function in _PERFORMERS:
        role = coded(V3_PARTICIPATION, function)
        one = extension("event-performerFunction", "CodeableConcept", role)
        performers += [
            {**reference, "extension": [one]}
            for reference in _people(conversion, obr, field)
        ]
    put(report, "performer", performers)


def _add_reasons(conversion: Conversion, orc: Node | None, report: Element) -> None:
    """ORC-16 explains the status; ORC-28 says who may see it."""
    if orc is None:
        return
    if orc.has(16) and (reason := conversion.concept(orc, 16)):
        one = extension("event-statusReason", "CodeableConcept", reason)
        report["extension"] = [one]
    add_label(conversion, orc, report)


def _specimens(conversion: Conversion, obr: Node, order: Order) -> list[Entry]:
    found: list[Entry] = []
    for spm in [*obr.all_below("SPM"), *_beside(obr)]:
        entry = map_specimen(conversion, spm, order.key)
        order.specimens.update(names_of(spm, entry))
        found.append(entry)
    if found:
        add_collection(conversion, obr, found[0])
    else:
        old = map_old_specimen(conversion, obr, order.key)
        if old is not None:
            order.specimens["OBR-15"] = old
            found.append(old)
    return found


def _beside(obr: Node) -> list[Node]:
    """Return the specimen an order stands below, where the specimen comes first."""
    above = obr.above("SPM")
    return [above] if above is not None else []


def _results_of(obr: Node) -> list[Node]:
    """Return the OBX of an order, those below its specimens too, in message order."""
    found = [node for node in obr.children if node.id == "OBX" and not node.taken]
    for spm in obr.all_below("SPM"):
        found += spm.all_below("OBX")
    return found


def _presented(obr: Node) -> list[Element]:
    """Return text OBX without OBX-3 as presented form (T08)."""
    lines = [
        node
        for node in obr.all_below("OBX")
        if not node.has(3) and node.segment.raw(2) in TEXT_KINDS
    ]
    if not lines:
        return []
    for line in lines:
        line.take(1, 2, 11)
    text = joined(lines)
    return [{"contentType": "text/plain", "data": text_data(text)}] if text else []


def _link_parent(conversion: Conversion, obr: Node, order: Order) -> None:
    """OBR-26 and OBR-29 name the result this order grew from (T14)."""
    source = obr.first(26) if obr.has(26) else None
    if source is None:
        return
    wanted = [*source.sub(1), ""][0], source.text(2)
    numbers = {
        part.identifier
        for field in (29, 50)
        if obr.has(field) and (pair := obr.first(field))
        for part in (Ei.within(pair.sub(1)), Ei.within(pair.sub(2)))
        if part.identifier
    }
    parent = _parent_result(conversion, obr, wanted, numbers)
    if parent is None:
        obr.leave(26)
        return
    members = parent.resource.setdefault("hasMember", [])
    for entry, _ in order.results:
        entry.resource["derivedFrom"] = [parent.reference]
        if isinstance(members, list) and entry.reference not in members:
            members.append(entry.reference)


def _parent_result(
    conversion: Conversion, obr: Node, wanted: tuple[str, str], numbers: set[str]
) -> Entry | None:
    """Return the Observation of this message with that code and sub-identifier."""
    by_position = {
        entry.segment: entry for entry in conversion.mapped.all("Observation")
    }
    for node in conversion.tree.each("OBX"):
        above = node.above("OBR")
        if above is None or above is obr or node.position not in by_position:
            continue
        if numbers and not numbers & {above.text(2), above.text(3)}:
            continue
        if node.segment.text(3) == wanted[0] and wanted[1] in (
            "", node.segment.text(4),
        ):  # fmt: skip
            return by_position[node.position]
    return None
