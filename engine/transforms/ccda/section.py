"""What every section has: its frame, and how its entries are put together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.transforms.ccda.codes import Code
from engine.transforms.ccda.elements import Child, Element, element, null
from engine.transforms.ccda.facts import Resource, child, codes
from engine.transforms.ccda.narrative import Table, no_information
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.templates import AUTHOR_PARTICIPATION, Template
from engine.transforms.ccda.times import Moment


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of section as data; ``fill`` writes the rows and returns the entries."""

    key: str
    code: Code
    title: str
    templates: tuple[Template, ...]
    columns: tuple[str, ...]
    fill: Callable[[Rendering, Table], list[Element]]
    translation: Code | None = None


def section_component(
    section: Section, rendering: Rendering, *, required: bool
) -> Element | None:
    """Return a section in its component.

    Without facts it is one that says it has no information, or None when it may be
    missing.
    """
    table = Table(section.key, section.columns)
    entries = section.fill(rendering, table)
    if not table.rows and not required:
        return None
    return element("component", None, _section(section, rendering, table, entries))


def _section(
    section: Section, rendering: Rendering, table: Table, entries: list[Element]
) -> Element:
    code = section.code.element("code")
    if section.translation is not None:
        code.children.append(section.translation.element("translation"))
    told = element("text", None, table.element()) if table.rows else no_information()
    return element(
        "section",
        {} if table.rows else {"nullFlavor": "NI"},
        template_ids(rendering, *section.templates),
        code,
        element("title", text=section.title),
        told,
        [element("entry", {"typeCode": "DRIV"}, entry) for entry in entries],
    )


def template_ids(rendering: Rendering, *templates: Template) -> list[Element]:
    """Return the template ids the site wants asserted."""
    guide = rendering.site.companion_guide
    return [made for item in templates for made in item.ids(companion_guide=guide)]


def entry(
    kind: str, mood: str, rendering: Rendering, template: Template, *inside: Child
) -> Element:
    """Return a clinical statement: an element with class, mood and template ids.

    Args:
        kind: element name, which decides the class.
        mood: ``EVN``, ``INT``, ``RQO`` or ``APT``.
        rendering: says which template ids are wanted.
        template: what the statement claims to follow.
        inside: its children, in any order.
    """
    attributes = {"classCode": CLASSES[kind], "moodCode": mood}
    return element(kind, attributes, template_ids(rendering, template), *inside)


CLASSES: Final = {
    "act": "ACT",
    "observation": "OBS",
    "procedure": "PROC",
    "encounter": "ENC",
    "substanceAdministration": "SBADM",
    "organizer": "BATTERY",
}


def related(kind: str, statement: Element, *, inverted: bool = False) -> Element:
    """Return a statement as part of another."""
    turned = {"inversionInd": "true"} if inverted else {}
    return element("entryRelationship", {"typeCode": kind, **turned}, statement)


def status(code: str) -> Element:
    """Return a status code."""
    return Element("statusCode", {"code": code}, [])


ENDED: Final = frozenset({"inactive", "remission", "resolved"})
"""Clinical states of a concern that is no longer active."""


def concern_state(resource: Resource) -> str:
    """Return ``completed`` for what has ended, else ``active``."""
    clinical = codes(child(resource, "clinicalStatus"))
    return "completed" if clinical & ENDED else "active"


def concern_time(state: str, begun: Moment | None, ended: Moment | None) -> Element:
    """Return the time of a concern: its low, and its high once it is completed."""
    completed = state == "completed"
    low = begun.element("low") if begun else null("low")
    high = ended.element("high") if ended else null("high")
    return element("effectiveTime", None, low, high if completed else None)


def authored(rendering: Rendering, recorded: Moment | None) -> Element | None:
    """Return who recorded an entry and when, or None when the time is not known."""
    if recorded is None:
        return None
    return element(
        "author",
        None,
        template_ids(rendering, AUTHOR_PARTICIPATION),
        recorded.element("time"),
        element("assignedAuthor", None, rendering.author_id),
    )
