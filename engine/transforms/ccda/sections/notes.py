"""Notes: the text of each note, whole and unsplit, with who recorded it."""

from typing import Final

from engine.transforms.ccda.attachments import Attachment, attachments, plain_text
from engine.transforms.ccda.codes import LOINC, Code
from engine.transforms.ccda.elements import Element, element, null
from engine.transforms.ccda.facts import children, text
from engine.transforms.ccda.narrative import Table, joined, lines, reference
from engine.transforms.ccda.note_types import NOTE as NOTE_CODE
from engine.transforms.ccda.note_types import note_type
from engine.transforms.ccda.people import name_words
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.section import Section, entry, status, template_ids
from engine.transforms.ccda.templates import (
    AUTHOR_PARTICIPATION,
    NOTE,
)
from engine.transforms.ccda.templates import (
    NOTES as NOTES_TEMPLATE,
)
from engine.transforms.ccda.times import Moment, known


def _fill(rendering: Rendering, table: Table) -> list[Element]:
    """Return the notes of this document: the one in focus, else all there are."""
    focus = rendering.facts.focus
    found = [
        item
        for item in attachments(rendering.facts)
        if item.is_note and focus in (None, item.focus)
    ]
    found.sort(key=lambda item: (item.focus.url, item.focus.index))
    found.sort(key=lambda item: text(item.holder, "date"), reverse=True)
    return [_note(rendering, table, item) for item in found]


def _note(rendering: Rendering, table: Table, item: Attachment) -> Element:
    row = table.new_id()
    rendering.originate(table.prefix, row, item.focus.url)
    kind, translation, title = note_type(item.holder, rendering)
    written = known(item.holder.get("date"), rendering, "DocumentReference.date")
    content = plain_text(item)
    if not content.strip():
        content = f"(attached document, {item.media_type or 'type unknown'})"
    writers = [
        name_words(rendering.facts.resolve({"author": who}, "author", item.holder))
        for who in children(item.holder, "author")
    ]
    for name in ("docStatus", "relatesTo"):
        if item.holder.get(name):
            rendering.lose(f"DocumentReference.{name}", "no-cda-home")
    code = NOTE_CODE.element("code")
    if kind != NOTE_CODE:
        code.children.append(kind.element("translation"))
    if translation is not None:
        code.children.append(translation.element("translation"))
    named = joined(
        [title, kind.display, translation.display if translation else ""], ", "
    )
    table.add(
        row,
        named,
        written.words if written else "",
        joined(writers, ", "),
        [lines("content", content)],
    )
    return entry(
        "act",
        "EVN",
        rendering,
        NOTE,
        rendering.own_ids(item.holder, _key(item), "DocumentReference.identifier"),
        code,
        reference(row),
        status("completed"),
        written.element("effectiveTime") if written else null("effectiveTime"),
        _author(rendering, written),
    )


def _key(item: Attachment) -> str:
    return f"{item.focus.url}#{item.focus.index}"


def _author(rendering: Rendering, written: Moment | None) -> Element:
    """Return the author of a note, which must be there even when the time is not."""
    return element(
        "author",
        None,
        template_ids(rendering, AUTHOR_PARTICIPATION),
        written.element("time") if written else null("time"),
        element("assignedAuthor", None, rendering.author_id),
    )


NOTES: Final = Section(
    "not",
    Code(NOTE_CODE.code, LOINC, "Note"),
    "Notes",
    (NOTES_TEMPLATE,),
    ("Note", "Date", "Author (text only)", "Text"),
    _fill,
)
