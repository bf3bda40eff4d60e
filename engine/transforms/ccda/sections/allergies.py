"""Allergies and intolerances, with reactions, severity and criticality."""

from dataclasses import replace
from typing import Final

from engine.transforms.ccda.codes import (
    ACT_CLASS,
    ACT_CODE,
    LOINC,
    OBSERVATION_VALUE,
    RXNORM,
    SNOMED,
    UNII,
    Code,
    Concept,
    concept,
)
from engine.transforms.ccda.elements import Element, element, null
from engine.transforms.ccda.facts import (
    Resource,
    child,
    children,
    codes,
    newest_first,
    text,
    texts,
)
from engine.transforms.ccda.narrative import Table, joined, reference
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.section import (
    Section,
    authored,
    concern_state,
    concern_time,
    entry,
    related,
    status,
)
from engine.transforms.ccda.templates import (
    ALLERGIES as ALLERGIES_TEMPLATE,
)
from engine.transforms.ccda.templates import (
    ALLERGIES_OPTIONAL,
    ALLERGY,
    ALLERGY_CONCERN,
    CRITICALITY,
    REACTION,
    SEVERITY,
)
from engine.transforms.ccda.times import Moment, Span, known, when

CONCERN: Final = Code("CONC", ACT_CLASS, "Concern")
ASSERTION: Final = Code("ASSERTION", ACT_CODE)
SEVERITY_CODE: Final = Code("SEV", ACT_CODE, "Severity")
CRITICALITY_CODE: Final = Code("82606-5", LOINC, "Criticality")

_KINDS: Final = {
    "allergy": ("416098002", "414285001", "426232007", "609328004"),
    "intolerance": ("59037007", "235719002", "420134006", "420134006"),
    "": ("419511003", "418471000", "420134006", "420134006"),
}
_CATEGORIES: Final = ("medication", "food", "environment")
_KIND_NAMES: Final = {
    "416098002": "Allergy to drug",
    "414285001": "Allergy to food",
    "426232007": "Environmental allergy",
    "609328004": "Allergic disposition",
    "59037007": "Intolerance to drug",
    "235719002": "Intolerance to food",
    "420134006": "Propensity to adverse reaction",
    "419511003": "Propensity to adverse reaction to drug",
    "418471000": "Propensity to adverse reaction to food",
}
NO_KNOWN: Final = {
    "716186003": "609328004",
    "409137002": "416098002",
    "429625007": "414285001",
}
"""SNOMED CT statements that nothing is known, to the kind of allergy they deny."""
SEVERITIES: Final = {
    "mild": Code("255604002", SNOMED, "Mild"),
    "moderate": Code("6736007", SNOMED, "Moderate"),
    "severe": Code("24484000", SNOMED, "Severe"),
}
CRITICALITIES: Final = {
    "low": Code("CRITL", OBSERVATION_VALUE, "Low criticality"),
    "high": Code("CRITH", OBSERVATION_VALUE, "High criticality"),
    "unable-to-assess": Code(
        "CRITU", OBSERVATION_VALUE, "Unable to assess criticality"
    ),
}


def _fill(rendering: Rendering, table: Table) -> list[Element]:
    found = rendering.facts.of("AllergyIntolerance")
    return [
        _concern(rendering, table, url, resource)
        for url, resource in newest_first(found, "recordedDate", "onsetDateTime")
    ]


def allergy_kind(rendering: Rendering, resource: Resource) -> Code:
    """Return the kind of allergy by type and category."""
    denied = NO_KNOWN.keys() & rendering.statements(child(resource, "code"))
    if denied:
        code = NO_KNOWN[min(denied)]
        return Code(code, SNOMED, _KIND_NAMES[code])
    named = [name for name in texts(resource, "category") if name in _CATEGORIES]
    place = _CATEGORIES.index(named[0]) if named else len(_CATEGORIES)
    code = _KINDS.get(text(resource, "type"), _KINDS[""])[place]
    return Code(code, SNOMED, _KIND_NAMES[code])


def _concern(
    rendering: Rendering, table: Table, url: str, resource: Resource
) -> Element:
    row = table.new_id()
    state = concern_state(resource)
    recorded = known(resource.get("recordedDate"), rendering, "AllergyIntolerance")
    onset = when(resource, "onset", rendering)
    rendering.originate(table.prefix, row, url)
    observation = _observation(rendering, table, row, url, resource)
    return entry(
        "act",
        "EVN",
        rendering,
        ALLERGY_CONCERN,
        rendering.derived_id(url, "concern"),
        CONCERN.element("code"),
        reference(row),
        status(state),
        concern_time(state, recorded or onset.low, None),
        authored(rendering, recorded),
        related("SUBJ", observation),
    )


def _observation(
    rendering: Rendering, table: Table, row: str, url: str, resource: Resource
) -> Element:
    """Write the row and return the observation that says the same."""
    path = "AllergyIntolerance.code"
    substance = concept(child(resource, "code"), rendering, path, RXNORM, UNII, SNOMED)
    denied = bool(NO_KNOWN.keys() & rendering.statements(child(resource, "code")))
    refuted = "refuted" in codes(child(resource, "verificationStatus"))
    kind = allergy_kind(rendering, resource)
    onset = when(resource, "onset", rendering)
    recorded = known(resource.get("recordedDate"), rendering, "AllergyIntolerance")
    reactions, cells = _reactions(rendering, table, url, resource)
    criticality = CRITICALITIES.get(text(resource, "criticality"))
    clinical = codes(child(resource, "clinicalStatus")) - {""}
    said = ["refuted" if refuted else "", *sorted(clinical)]
    table.add(
        row,
        substance.words or "not known",
        kind.words,
        cells,
        criticality.words if criticality else "",
        joined(said, ", "),
        joined([onset.words, text(resource, "onsetString")]),
        recorded.words if recorded else "",
    )
    negated = {"negationInd": "true"} if denied or refuted else {}
    made = entry(
        "observation",
        "EVN",
        rendering,
        ALLERGY,
        rendering.own_ids(resource, url, "AllergyIntolerance.identifier"),
        ASSERTION.element("code"),
        reference(row),
        status("completed"),
        element("effectiveTime", None, Span(onset.low).bounds()),
        kind.element("value", "CD"),
        _substance(substance, row, denied=denied),
        reactions,
        _criticality(rendering, row, criticality) if criticality else None,
    )
    made.attributes.update(negated)
    return made


def _substance(substance: Concept, row: str, *, denied: bool) -> Element:
    code = null("code", "NA") if denied else substance.element("code", row)
    playing = element("playingEntity", {"classCode": "MMAT"}, code)
    role = element("participantRole", {"classCode": "MANU"}, playing)
    return element("participant", {"typeCode": "CSM"}, role)


def _reactions(
    rendering: Rendering, table: Table, url: str, resource: Resource
) -> tuple[list[Element], list[Element]]:
    """Return the reaction entries and the pieces of text they refer to."""
    made: list[Element] = []
    cells: list[Element] = []
    for reaction in children(resource, "reaction"):
        severity = SEVERITIES.get(text(reaction, "severity"))
        onset = known(reaction.get("onset"), rendering, "AllergyIntolerance.reaction")
        for source in children(reaction, "manifestation"):
            path = "AllergyIntolerance.reaction"
            found = concept(source, rendering, path, SNOMED)
            if not found:
                continue
            parts = [found.words, severity.words if severity else ""]
            words = joined([*parts, onset.words if onset else ""], ", ")
            piece, cell = table.piece(words)
            cell.tail = " "
            cells.append(cell)
            number = str(len(made))
            made.append(
                related(
                    "MFST",
                    _reaction(rendering, (url, number), piece, found, severity, onset),
                    inverted=True,
                )
            )
    return made, cells


def _reaction(
    rendering: Rendering,
    names: tuple[str, str],
    piece: str,
    found: Concept,
    severity: Code | None,
    onset: Moment | None,
) -> Element:
    inside = None
    if severity:
        graded = entry(
            "observation",
            "EVN",
            rendering,
            SEVERITY,
            SEVERITY_CODE.element("code"),
            reference(piece),
            status("completed"),
            severity.element("value", "CD"),
        )
        inside = related("SUBJ", graded, inverted=True)
    return entry(
        "observation",
        "EVN",
        rendering,
        REACTION,
        rendering.derived_id(*names, "reaction"),
        ASSERTION.element("code"),
        reference(piece),
        status("completed"),
        element("effectiveTime", None, onset.element("low")) if onset else None,
        found.element("value", piece, "CD"),
        inside,
    )


def _criticality(rendering: Rendering, row: str, found: Code) -> Element:
    made = entry(
        "observation",
        "EVN",
        rendering,
        CRITICALITY,
        CRITICALITY_CODE.element("code"),
        reference(row),
        status("completed"),
        found.element("value", "CD"),
    )
    return related("SUBJ", made, inverted=True)


ALLERGIES: Final = Section(
    "alg",
    Code("48765-2", LOINC, "Allergies and adverse reactions"),
    "Allergies and Intolerances",
    (ALLERGIES_TEMPLATE,),
    ("Substance", "Kind", "Reactions", "Criticality", "Status", "Since", "Recorded"),
    _fill,
)
IN_DISCHARGE_SUMMARY: Final = replace(
    ALLERGIES, templates=(ALLERGIES_OPTIONAL, ALLERGIES_TEMPLATE)
)
"""A discharge summary asks for the variant whose entries are optional, by name."""
