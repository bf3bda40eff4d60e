"""S4 Message: what came, what was made of it, where it went, and why.

Opening one writes an audit row before anything is shown; if that cannot be written,
nothing is shown.

Spec:
    console.md S4 and 2 (patient data); security.md S11 and S18.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final, NamedTuple

import orjson
from fastapi import Form
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from engine.channels.format.site_fields import site_fields
from engine.console.event_names import EVENT_NAMES
from engine.console.exposure import (
    BY_PROFILE,
    HIDDEN,
    covered,
    expect_to_see,
    legible,
    may_see,
    note_opening,
    profile_for,
)
from engine.console.permissions import Permission
from engine.console.queries import message_story as story
from engine.console.queries.fields import Field, Names, fields_of
from engine.console.queries.message_story import Story
from engine.console.rendering import page
from engine.console.surroundings import caller, surroundings
from engine.console.timeline import timeline
from engine.errors import IllegalTransitionError, ParseError, TransformError
from engine.hl7 import Message, parse
from engine.hl7.masking_profile import NOTHING, MaskingProfile
from engine.store import (
    audit,
    delivery_moves,
    edited_copies,
    error_queue,
    holding,
    journal,
    messages,
    queues,
    search,
)
from engine.store.audit import Order
from engine.store.database import Connection
from engine.store.queues import DeliveryRow
from engine.store.seal import Sealer
from engine.store.search import MessageRow
from engine.transforms.ccda.reading import read_document
from engine.transforms.ccda.viewing import to_html

Move = Callable[[Connection, Sealer, Collection[int], Order], int]
MOVES: Final[Mapping[str, Move]] = {
    "reprocess": messages.reprocess,
    "hold": holding.hold,
    "release": messages.release,
    "discard": messages.discard,
}
OFFERED: Final[Mapping[str, tuple[str, ...]]] = {
    "filtered": ("reprocess",),
    "processed": ("reprocess", "hold"),
    "error": ("reprocess", "hold", "discard"),
    "held": ("release", "discard"),
    "received": ("hold",),
}
"""State: the moves its message may make."""

DELIVERY_MOVES: Final[Mapping[str, Move]] = {
    "resend": delivery_moves.resend,
    "discard": delivery_moves.discard,
}
_AGAIN: Final = frozenset({"reprocess", "resend"})
"""Moves that may be made a second time: a page that is old must not make them."""

TABS: Final = (
    *("fields", "received", "edited", "fhir", "linked", "why", "cda", "sent"),
    *("answers", "trace", "history"),
)
AGAIN: Final = frozenset({"edited", "trace"})
"""Tabs for which the message goes through its channel once more."""

_MOST_SHOWN: Final = 200_000
_HEAD: Final = 4_000
FRAMED: Final = "default-src 'none'; sandbox; frame-ancestors 'self'"
"""The policy of a document in a frame: it asks for nothing and runs nothing."""


@dataclass(frozen=True, slots=True)
class Content:
    """What came: fields and lines, or why there are none."""

    fields: tuple[Field, ...] = ()
    lines: tuple[str, ...] = ()
    masked: bool = False
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery with its document and answer; masked callers see neither."""

    row: DeliveryRow
    document: str = ""
    answer: str = ""


def message(
    request: Request, message_id: int, tab: str = "fields", at: str = ""
) -> Response:
    """Show one message; what names the patient only to those who may see it."""
    here = surroundings(request)
    who = caller(request)
    found = expect_message(request, message_id)
    reveal = may_see(request, found)
    profile = NOTHING if reveal else profile_for(request, found)
    if reveal or profile:
        subject, how = f"message {message_id}", BY_PROFILE if profile else ""
        note_opening(request, "view", subject, how, patients=[found.person])
    sealer = here.database.sealer
    with here.database.reading() as connection:
        data = journal.content(connection, sealer, message_id)
        wanted = queues.DeliveryFilter(message_id=message_id)
        rows = queues.deliveries(connection, wanted)
        sent = [_sent(connection, sealer, row, reveal=reveal) for row in rows]
        past = search.attempts(connection, sealer, message_id)
        behind = search.behind(connection, message_id)
        held_for = holding.asked_of(connection, message_id)
        near = story.neighbours(connection, sealer, found)
        acts = audit.rows(connection, sealer, subject=f"message {message_id}")
        edited = edited_copies.copies(connection, sealer, message_id)
        told = Story()
        if reveal and tab == "why" and at:
            told = story.origin(here.site, connection, found, data, at)
        if reveal and tab == "linked":
            told = story.side_by_side(here.site, connection, found, data)
        entries = error_queue.entries(connection, message=message_id)
        said = error_queue.comments_of(connection, sealer, [e.id for e in entries])
    if reveal and tab in AGAIN:
        told = story.told_again(here.site, found, data)
    names = site_fields(here.settings)
    content = _content(data, profile, names, reveal=reveal)
    return page(
        request,
        "message.html",
        message=found,
        meaning=EVENT_NAMES.get(found.trigger_event, ""),
        content=content,
        sent=sent,
        attempts=past,
        behind=behind,
        tab=tab if tab in TABS else TABS[0],
        tabs=TABS,
        moves=_offered(found, rows, held_for) if who.may(Permission.REPLAY) else (),
        held_for=held_for,
        may_send=who.may(Permission.REPLAY),
        may_edit=reveal and data is not None and who.may(Permission.REPLAY),
        edited=edited,
        reveal=reveal,
        partly=bool(profile),
        hidden=HIDDEN if who.may(Permission.VIEW_PHI) and not reveal else "",
        near=near,
        newer=near.newer_delivered,
        acts=acts,
        story=told,
        at=at,
        keyed=[(story.link_key(each.path), each) for each in content.fields],
        entries=entries,
        said=(legible_said := legible(request, said, reveal=reveal)),
        covered_comments=len(said) - len(legible_said),
        bars=timeline(found, past, rows, here.now()),
        resources=_resources(sent) if tab == "fhir" else (),
        documents=[each for each in sent if _is_document(each)],
        delivered=sum(row.state == "delivered" for row in rows),
    )


def _offered(
    found: MessageRow, sent: Sequence[DeliveryRow], held_for: str
) -> tuple[str, ...]:
    """Return what may be done with a message; what has gone out is not held."""
    now = {row.state for row in sent if row.attempt == found.attempt}
    unsent = "queued" in now and now.isdisjoint({"leased", "delivered"})
    may_hold = not held_for and (found.state != "processed" or unsent)
    return tuple(each for each in OFFERED[found.state] if may_hold or each != "hold")


def expect_message(request: Request, message_id: int) -> MessageRow:
    """Return a message that there is.

    Raises:
        HTTPException: 404.
    """
    with surroundings(request).database.reading() as connection:
        found = search.message(connection, message_id)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no message {message_id}")
    return found


def _content(
    data: bytes | None, profile: MaskingProfile, names: Names, *, reveal: bool
) -> Content:
    if data is None:
        sentence = "The content was removed by retention; what is shown remains."
        return Content(complaint=sentence)
    try:
        parsed = parse(data)
    except ParseError as error:
        return Content(
            lines=_hexadecimal(data) if reveal else (),
            masked=not reveal,
            complaint=f"This cannot be read as a message: {error}",
        )
    shown = parsed if reveal else covered(parsed, profile)
    found = tuple(fields_of(shown, names))
    return Content(found, _lines(shown), masked=not reveal)


def _lines(shown: Message) -> tuple[str, ...]:
    text = shown.encode().decode("utf-8", "backslashreplace")
    return tuple(text[:_MOST_SHOWN].split("\r"))


def _hexadecimal(data: bytes) -> tuple[str, ...]:
    """Return the first kilobyte, sixteen bytes a line, as bytes and characters."""
    rows = (data[at : at + 16] for at in range(0, min(len(data), 1024), 16))
    return tuple(
        f"{at * 16:04x}  {row.hex(' '):<47}  {_characters(row)}"
        for at, row in enumerate(rows)
    )


def _characters(row: bytes) -> str:
    return "".join(chr(each) if 32 <= each < 127 else "." for each in row)  # noqa: PLR2004 - ASCII's printable ones


def _sent(
    connection: Connection, sealer: Sealer, row: DeliveryRow, *, reveal: bool
) -> Sent:
    if not reveal:
        return Sent(row)
    content = delivery_moves.content(connection, sealer, row.id)
    document = "" if content is None else _text(content[0])
    return Sent(row, document, _text(delivery_moves.answer(connection, sealer, row.id)))


def _resources(sent: Collection[Sent]) -> list[tuple[Sent, list[object]]]:
    """Return the resources of each FHIR document that was made, as they were sent."""
    found: list[tuple[Sent, list[object]]] = []
    for each in sent:
        if "fhir+json" not in each.row.content_type or not each.document:
            continue
        try:
            root = orjson.loads(each.document)
        except orjson.JSONDecodeError:
            continue  # it was cut: the tab "sent" shows what fits
        entries = root.get("entry", [])
        inside = [entry["resource"] for entry in entries if "resource" in entry]
        found.append((each, inside or [root]))
    return found


def _is_document(sent: Sent) -> bool:
    return (
        sent.document.lstrip().startswith("<")
        and "ClinicalDocument" in (sent.document[:_HEAD])
    )


def document(request: Request, message_id: int, delivery_id: int) -> Response:
    """Show a C-CDA document that was made, for a frame that can do nothing."""
    here = surroundings(request)
    whose = expect_message(request, message_id)
    expect_to_see(request, whose)
    note_opening(request, "view", f"message {message_id}", patients=[whose.person])
    with here.database.reading() as connection:
        row = queues.delivery(connection, delivery_id)
        content = delivery_moves.content(connection, here.database.sealer, delivery_id)
    if row is None or row.message_id != message_id or content is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such document")
    try:
        text = to_html(read_document(content[0]))
    except TransformError as error:
        sentence = f"this cannot be shown as a document: {error}"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence) from error
    headers = {"Content-Security-Policy": FRAMED}
    return HTMLResponse(text, headers=headers)


def _text(data: bytes) -> str:
    return data[:_MOST_SHOWN].decode("utf-8", "backslashreplace").replace("\r", "\n")


class Said(BaseModel):
    """Why something is moved, and how it stood when that was decided: ``state try``."""

    reason: str = ""
    seen: str = ""


def move(
    request: Request, message_id: int, what: str, said: Annotated[Said, Form()]
) -> Response:
    """Reprocess, hold, release or discard one message, and show it again."""
    its = _Moves(MOVES, message_id, _message_stands)
    return _moved(request, its, what, message_id, said)


def move_delivery(
    request: Request,
    message_id: int,
    delivery_id: int,
    what: str,
    said: Annotated[Said, Form()],
) -> Response:
    """Send one delivery again, or give it up, and show its message again."""
    its = _Moves(DELIVERY_MOVES, delivery_id, _delivery_stands)
    return _moved(request, its, what, message_id, said)


class _Moves(NamedTuple):
    """What may be done with one thing, its number, and what tells how it stands."""

    moves: Mapping[str, Move]
    number: int
    stands: Callable[[Connection, int], str]


def _message_stands(connection: Connection, number: int) -> str:
    found = search.message(connection, number)
    return f"{found.state} {found.attempt}" if found else ""


def _delivery_stands(connection: Connection, number: int) -> str:
    found = queues.delivery(connection, number)
    return f"{found.state} {found.attempts}" if found else ""


def _moved(
    request: Request, its: _Moves, what: str, message_id: int, said: Said
) -> Response:
    here = surroundings(request)
    if what not in its.moves:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    order = Order(caller(request).name, here.now(), said.reason or "from the console")
    try:
        with here.database.engine() as connection:
            if what in _AGAIN and said.seen:
                _expect_same(said.seen, its.stands(connection, its.number))
            its.moves[what](connection, here.database.sealer, [its.number], order)
    except IllegalTransitionError as error:
        sentence = f"Nothing was changed: {error}. Somebody may have been faster."
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error
    return RedirectResponse(f"/messages/{message_id}", HTTPStatus.SEE_OTHER)


def expect_seen(connection: Connection, what: str, number: int, seen: str) -> None:
    """Refuse to do again with a message what was done since it was seen.

    Raises:
        IllegalTransitionError: it does not stand as it was shown.
    """
    if what in _AGAIN:
        _expect_same(seen, _message_stands(connection, number))


def _expect_same(seen: str, now: str) -> None:
    """Refuse what somebody else has done already, and would be done twice.

    Raises:
        IllegalTransitionError: it does not stand as it was shown.
    """
    if seen != now:
        was, is_now = seen.partition(" ")[0], now.partition(" ")[0]
        sentence = f"it was {was} when it was shown, and has been tried again since"
        raise IllegalTransitionError(f"{sentence}: it is {is_now}")
