"""Immunizations: given, or not given with the reason."""

from typing import Final

from engine.transforms.ccda.codes import ACT_REASON, CVX, LOINC, Code, Concept, concept
from engine.transforms.ccda.elements import Element, element
from engine.transforms.ccda.facts import Resource, child, children, newest_first, text
from engine.transforms.ccda.narrative import Table, joined, reference
from engine.transforms.ccda.people import name_words, organization
from engine.transforms.ccda.quantities import amount
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.section import Section, authored, entry, related, status
from engine.transforms.ccda.templates import (
    IMMUNIZATION,
    IMMUNIZATION_INFORMATION,
    REFUSAL_REASON,
)
from engine.transforms.ccda.templates import (
    IMMUNIZATIONS as IMMUNIZATIONS_TEMPLATE,
)
from engine.transforms.ccda.times import known, when

REASONS: Final = frozenset(
    {"IMMUNE", "MEDPREC", "OSTOCK", "PATOBJ", "PHILISOP", "RELIG", "VACEFF", "VACSAF"}
)


def _fill(rendering: Rendering, table: Table) -> list[Element]:
    return [
        _immunization(rendering, table, url, resource)
        for url, resource in newest_first(
            rendering.facts.of("Immunization"), "occurrenceDateTime"
        )
    ]


def _immunization(
    rendering: Rendering, table: Table, url: str, resource: Resource
) -> Element:
    """Write the row and return the administration that says the same."""
    row = table.new_id()
    rendering.originate(table.prefix, row, url)
    source = child(resource, "vaccineCode")
    vaccine = concept(source, rendering, "Immunization.vaccineCode", CVX)
    time = when(resource, "occurrence", rendering)
    refused = text(resource, "status") == "not-done"
    reason = concept(
        child(resource, "statusReason"), rendering, "statusReason", ACT_REASON
    )
    dose = amount(child(resource, "doseQuantity"), rendering, "Immunization.dose")
    route = concept(child(resource, "route"), rendering, "Immunization.route")
    maker = rendering.facts.resolve(resource, "manufacturer", resource)
    title = name_words(maker) or text(resource, "manufacturer", "display")
    recorded = known(resource.get("recorded"), rendering, "Immunization.recorded")
    table.add(
        row,
        vaccine.words or "not known",
        joined([time.words, text(resource, "occurrenceString")]),
        "not given" if refused else "",
        reason.words,
        joined([dose.words if dose else "", route.words], ", "),
        text(resource, "lotNumber"),
        title,
        recorded.words if recorded else "",
        joined(text(note, "text") for note in children(resource, "note")),
    )
    made = entry(
        "substanceAdministration",
        "EVN",
        rendering,
        IMMUNIZATION,
        rendering.own_ids(resource, url, "Immunization.identifier"),
        reference(row),
        status("completed"),
        time.element(),
        route.element("routeCode", row) if route else None,
        dose.fill("doseQuantity") if dose else None,
        _consumable(rendering, resource, vaccine.element("code", row), maker, title),
        authored(rendering, recorded),
        _refusal(rendering, url, row, reason) if refused else None,
    )
    made.attributes["negationInd"] = "true" if refused else "false"
    return made


def _consumable(
    rendering: Rendering, resource: Resource, code: Element, maker: Resource, title: str
) -> Element:
    lot = text(resource, "lotNumber")
    material = element(
        "manufacturedMaterial",
        None,
        code,
        element("lotNumberText", text=lot) if lot else None,
    )
    guide = rendering.site.companion_guide
    product = element(
        "manufacturedProduct",
        {"classCode": "MANU"},
        IMMUNIZATION_INFORMATION.ids(companion_guide=guide),
        material,
        organization("manufacturerOrganization", maker, rendering, title),
    )
    return element("consumable", None, product)


def _refusal(
    rendering: Rendering, url: str, row: str, reason: Concept
) -> Element | None:
    """Return why a vaccine was not given; a reason outside the set stays in the row."""
    if not reason.main or reason.main.code not in REASONS:
        return None
    made = entry(
        "observation",
        "EVN",
        rendering,
        REFUSAL_REASON,
        rendering.derived_id(url, "refusal"),
        reason.element("code", row),
        reference(row),
        status("completed"),
    )
    return related("RSON", made)


IMMUNIZATIONS: Final = Section(
    "imm",
    Code("11369-6", LOINC, "History of immunizations"),
    "Immunizations",
    (IMMUNIZATIONS_TEMPLATE,),
    (
        *("Vaccine", "Date", "Status", "Reason", "Dose", "Lot", "Manufacturer"),
        *("Recorded", "Remark (text only)"),
    ),
    _fill,
)
