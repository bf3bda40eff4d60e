"""Resources to a C-CDA document: which sections in which order, as data.

A document never says more than its resources do: what is not known is written as not
known, and silence is never turned into a statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lxml import etree

from engine.errors import TransformError
from engine.hl7.conformance import Finding
from engine.transforms.ccda.attachments import (
    Attachment,
    attachments,
    body,
    is_source_message,
)
from engine.transforms.ccda.checks import CHECK_CODES, check
from engine.transforms.ccda.codes import LOINC, Code
from engine.transforms.ccda.elements import Element, element, to_xml
from engine.transforms.ccda.facts import NOTHING, Facts
from engine.transforms.ccda.faithfulness import unfounded
from engine.transforms.ccda.header import Heading, header, visit_of
from engine.transforms.ccda.note_types import note_type
from engine.transforms.ccda.published_rules import RULE_CODES
from engine.transforms.ccda.rendering import Origin, Rendering
from engine.transforms.ccda.section import Section, section_component
from engine.transforms.ccda.sections import allergies, medications, problems
from engine.transforms.ccda.sections.allergies import ALLERGIES
from engine.transforms.ccda.sections.encounters import ENCOUNTERS
from engine.transforms.ccda.sections.hospital import (
    ASSESSMENT,
    ASSESSMENT_AND_PLAN,
    HOSPITAL_COURSE,
    PLAN_IN_WORDS,
    is_in_parts,
)
from engine.transforms.ccda.sections.immunizations import IMMUNIZATIONS
from engine.transforms.ccda.sections.medications import MEDICATIONS
from engine.transforms.ccda.sections.notes import NOTES
from engine.transforms.ccda.sections.plan import PLAN
from engine.transforms.ccda.sections.problems import PROBLEMS
from engine.transforms.ccda.sections.procedures import PROCEDURES
from engine.transforms.ccda.sections.results import RESULTS
from engine.transforms.ccda.sections.social_history import SOCIAL_HISTORY
from engine.transforms.ccda.sections.vital_signs import VITAL_SIGNS
from engine.transforms.ccda.site import CdaSite
from engine.transforms.ccda.templates import (
    CCD,
    DISCHARGE_SUMMARY,
    PROGRESS_NOTE,
    UNSTRUCTURED,
    US_REALM_HEADER,
    Template,
)
from engine.transforms.ccda.versions import OWN_DOCUMENTS, Version, content_hash
from engine.transforms.trace import Loss


@dataclass(frozen=True, slots=True)
class Rendered:
    """One document and what is to be said about it.

    ``findings`` hold no patient data; ``losses`` may. ``trace`` tells which resource
    stands in which row.
    """

    document: bytes
    findings: tuple[Finding, ...]
    losses: tuple[Loss, ...]
    trace: tuple[Origin, ...]

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The findings of checks and rules: this document should not be sent."""
        return tuple(found for found in self.findings if found.code in FAULT_CODES)

    def content_hash(self) -> bytes:
        """Return a digest of what the document says, whatever its version and time."""
        return content_hash(self.document)


@dataclass(frozen=True, slots=True)
class Layout:
    """One document type: its template, its code, and its sections in order.

    Without ``code`` the body is an attachment, which decides the code. ``about_note``
    asks for the authors of a note, ``care_period`` and ``visit`` are as in `Heading`.
    ``in_parts`` are the sections where assessment and plan were sent as two.
    The flag beside a section tells whether the document has it even without facts.
    """

    template: Template
    code: Code | None
    title: str
    sections: tuple[tuple[Section, bool], ...] = ()
    in_parts: tuple[tuple[Section, bool], ...] = ()
    care_period: bool = False
    visit: str = ""
    about_note: bool = False


FAULT_CODES: Final = CHECK_CODES | RULE_CODES
REQUIRED: Final = True
WITH_FACTS: Final = False

LAYOUTS: Final[Mapping[str, Layout]] = {
    "unstructured": Layout(UNSTRUCTURED, None, "", visit="known"),
    "ccd": Layout(
        CCD,
        Code("34133-9", LOINC, "Summarization of Episode Note"),
        "Continuity of Care Document",
        (
            (ALLERGIES, REQUIRED),
            (MEDICATIONS, REQUIRED),
            (PROBLEMS, REQUIRED),
            (RESULTS, REQUIRED),
            (VITAL_SIGNS, REQUIRED),
            (SOCIAL_HISTORY, REQUIRED),
            (PROCEDURES, WITH_FACTS),
            (IMMUNIZATIONS, WITH_FACTS),
            (ENCOUNTERS, WITH_FACTS),
            (PLAN, WITH_FACTS),
            (NOTES, WITH_FACTS),
        ),
        care_period=True,
    ),
    "discharge-summary": Layout(
        DISCHARGE_SUMMARY,
        Code("18842-5", LOINC, "Discharge summary"),
        "Discharge Summary",
        (
            (allergies.IN_DISCHARGE_SUMMARY, REQUIRED),
            (HOSPITAL_COURSE, REQUIRED),
            (problems.DISCHARGE, REQUIRED),
            (problems.ADMISSION, WITH_FACTS),
            (medications.DISCHARGE, WITH_FACTS),
            (PROBLEMS, WITH_FACTS),
            (RESULTS, WITH_FACTS),
            (VITAL_SIGNS, WITH_FACTS),
            (PROCEDURES, WITH_FACTS),
            (IMMUNIZATIONS, WITH_FACTS),
            (PLAN, REQUIRED),
            (NOTES, WITH_FACTS),
        ),
        visit="discharge",
    ),
    "progress-note": Layout(
        PROGRESS_NOTE,
        Code("11506-3", LOINC, "Progress note"),
        "Progress Note",
        ((ASSESSMENT_AND_PLAN, REQUIRED), (NOTES, WITH_FACTS)),
        ((ASSESSMENT, REQUIRED), (PLAN_IN_WORDS, REQUIRED), (NOTES, WITH_FACTS)),
        visit="demanded",
        about_note=True,
    ),
}


def render(
    template: str, facts: Facts, site: CdaSite, version: Version, now: datetime
) -> Rendered:
    """Return one document made from the facts.

    Args:
        template: a key of `LAYOUTS`.
        facts: one person's resources; a note document takes the attachment in focus,
            else the first there is.
        site: what the site says about all its documents.
        version: which document of which series this is.
        now: aware accept time of the message that causes the rendering.

    Raises:
        TransformError: there is no such template, no patient, or no attachment that
            can be sent.
    """
    layout = LAYOUTS.get(template)
    if layout is None:
        raise TransformError(f"there is no document template {template!r}", "template")
    if not facts.patient_url:
        raise TransformError("a document needs a Patient among its facts", "no-patient")
    rendering = Rendering(site, facts, now)
    if facts.strangers:
        rendering.find(
            "other-person",
            "",
            f"{facts.strangers} resources of another person left out",
        )
    noted = layout.code is None or layout.about_note
    attachment = _attachment(facts, layout) if noted else None
    root = _root(layout, rendering, version, attachment)
    _account(rendering, layout, attachment)
    return _finish(root, rendering)


IN_HEADER: Final = frozenset(
    (
        *("Binary", "Device", "Location", "Medication", "MessageHeader"),
        *("Organization", "Patient", "Practitioner", "PractitionerRole"),
        *("Provenance", "RelatedPerson"),
    )
)
"""Types that are no facts of their own: the header or other facts speak of them."""


def _account(
    rendering: Rendering, layout: Layout, attachment: Attachment | None
) -> None:
    """Report each fact that no section carries; nothing is left out in silence."""
    told = {origin.url for origin in rendering.origins}
    note = attachment.holder if attachment else NOTHING
    visit = visit_of(rendering, note) if layout.visit else NOTHING
    if attachment is not None:
        told.add(attachment.focus.url)
    for url, resource in rendering.facts.resources.items():
        kind = resource.get("resourceType")
        if url in told or kind in IN_HEADER or resource is visit:
            continue
        if is_source_message(resource):
            continue
        rendering.lose(str(kind), "no-cda-home", url)


def _attachment(facts: Facts, layout: Layout) -> Attachment:
    """Return what a note document is about; one with sections needs a note for them."""
    for attachment in attachments(facts):
        wanted = facts.focus in (None, attachment.focus)
        if wanted and (attachment.is_note or not layout.about_note):
            return attachment
    raise TransformError("there is no attachment to send", "nothing-to-say")


def _root(
    layout: Layout,
    rendering: Rendering,
    version: Version,
    attachment: Attachment | None,
) -> Element:
    note = attachment.holder if attachment else NOTHING
    inside = (
        body(attachment, rendering.site)
        if attachment and layout.code is None
        else _structured_body(layout, rendering)
    )
    return element(
        "ClinicalDocument",
        None,
        header(_heading(layout, rendering, note), rendering, version, note),
        element("component", None, inside),
    )


def _heading(
    layout: Layout, rendering: Rendering, note: Mapping[str, object]
) -> Heading:
    guide = rendering.site.companion_guide
    templates = [
        *US_REALM_HEADER.ids(companion_guide=guide),
        *layout.template.ids(companion_guide=guide),
    ]
    code, translation, title = layout.code, None, layout.title
    if code is None:
        code, translation, title = note_type(note, rendering)
    return Heading(
        templates, code, title, translation, layout.care_period, layout.visit
    )


def _structured_body(layout: Layout, rendering: Rendering) -> Element:
    parted = layout.in_parts and is_in_parts(rendering.facts)
    return element(
        "structuredBody",
        None,
        *(
            section_component(section, rendering, required=required)
            for section, required in (layout.in_parts if parted else layout.sections)
        ),
    )


def _finish(root: Element, rendering: Rendering) -> Rendered:
    document, replaced = to_xml(root)
    if replaced:
        rendering.find(
            "forbidden-characters",
            "",
            f"{replaced} characters XML cannot carry replaced",
        )
    tree = etree.fromstring(document, OWN_DOCUMENTS)
    found = check(tree, companion_guide=rendering.site.companion_guide)
    doubts = unfounded(
        tree, rendering.facts, rendering.origins, rendering.site.no_known
    )
    found += [Finding("V16", "", sentence) for sentence in doubts]
    if rendering.site.rules is not None:
        found += rendering.site.rules.judged(tree)
    return Rendered(
        document,
        (*rendering.findings, *found),
        tuple(rendering.losses),
        tuple(rendering.origins),
    )
