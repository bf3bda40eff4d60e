"""Messages and their deliveries: find, open, and move them.

Opening what names a patient writes an audit row first, as the pages do.

Spec:
    console.md S3 and S4; security.md S11 and S18.
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import Query
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.console.api import models
from engine.console.api.lists import Moment, Paged, page
from engine.console.api.orders import Counted, Reasoned, carried_out
from engine.console.exposure import (
    BY_PROFILE,
    covered,
    expect_to_see,
    may_see,
    note_opening,
    profile_for,
    visible,
)
from engine.console.pages.message import DELIVERY_MOVES, MOVES, expect_message
from engine.console.pages.message_moves import MOST, expect_ones_own
from engine.console.permissions import Permission
from engine.console.queries import message_query
from engine.console.queries.message_query import QueryFault
from engine.console.surroundings import caller, surroundings
from engine.errors import ParseError
from engine.hl7 import parse
from engine.hl7.masking_profile import NOTHING, MaskingProfile
from engine.store import delivery_moves, journal, queues, search
from engine.store.audit import Order
from engine.store.database import Connection
from engine.store.delivery_state import State
from engine.store.message_state import MessageState
from engine.store.queues import DeliveryFilter
from engine.store.seal import Sealer
from engine.store.search import CONTROL, MessageFilter

Rows = models.Listed[models.MessageRow]
Deliveries = models.Listed[models.Delivery]
Move = Literal["reprocess", "hold", "release", "discard"]
DeliveryMove = Literal["resend", "discard"]
_MAY_NOT_NAME: Final = "searching for a patient needs the permission view-phi"
_PURGED: Final = "the content was removed by retention; what is shown remains"


class MessageQuery(Paged):
    """Which messages; ``type`` is ``ADT`` or ``ADT^A01``, ``person`` a person's eid."""

    channel: str = ""
    state: MessageState | None = None
    type: str = ""
    since: Moment | None = None
    until: Moment | None = None
    person: str = ""


class MessageSearch(Paged):
    """A search in words: ``patient:100482 type:ADT^A01 since:2h``.

    It comes in a body, because a patient's number stands in no address.
    """

    query: str


class Several(Counted):
    """One move for several messages."""

    what: Move
    ids: list[Annotated[int, Field(gt=0, lt=10**18)]] = Field(
        min_length=1, max_length=MOST
    )


class DeliveryQuery(Paged):
    """Which deliveries."""

    channel: str = ""
    destination: str = ""
    state: State | None = None
    message: int = 0


def messages(request: Request, asked: Annotated[MessageQuery, Query()]) -> Rows:
    """List messages, newest first."""
    kind, _, trigger = asked.type.partition("^")
    wanted = MessageFilter(
        asked.channel,
        caller(request).channels,
        asked.state,
        kind,
        trigger,
        asked.since,
        asked.until,
        asked.person,
    )
    return _rows(request, wanted, asked)


def find(request: Request, asked: MessageSearch) -> Rows:
    """Search for messages in words, newest first."""
    here, who = surroundings(request), caller(request)
    wanted = message_query.read(asked.query, here.now())
    if isinstance(wanted, QueryFault):
        # its words stand in the query, which may name a patient
        sentence = f"character {wanted.at} of the query: {wanted.hint}"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    if any(each.kind != CONTROL for each in wanted.keys):
        if not who.may(Permission.VIEW_PHI):
            raise HTTPException(HTTPStatus.FORBIDDEN, _MAY_NOT_NAME)
        note_opening(request, "search", "messages", asked.query)
    return _rows(request, replace(wanted, channels=who.channels), asked)


def _rows(request: Request, wanted: MessageFilter, asked: Paged) -> Rows:
    database = surroundings(request).database
    with database.reading() as connection:
        found = search.messages(
            connection, database.sealer, wanted, before=asked.cursor, limit=asked.limit
        )
    shown = visible(request, found) if wanted.names_somebody else found
    rows = [models.MessageRow.model_validate(each) for each in shown]
    return page(rows, [each.id for each in found], asked.limit)


def message(request: Request, message_id: int) -> models.Message:
    """Show one message; its content is masked for those who may not see its patient."""
    here = surroundings(request)
    found = expect_message(request, message_id)
    reveal = may_see(request, found)
    profile = NOTHING if reveal else profile_for(request, found)
    if reveal or profile:
        how = BY_PROFILE if profile else ""
        note_opening(
            request, "view", f"message {message_id}", how, patients=[found.person]
        )
    sealer, its = here.database.sealer, DeliveryFilter(message_id=message_id)
    with here.database.reading() as connection:
        data = journal.content(connection, sealer, message_id)
        sent = queues.deliveries(connection, its)
        past = search.attempts(connection, sealer, message_id)
    content, complaint = _content(data, profile, reveal=reveal)
    return models.Message(
        message=models.MessageRow.model_validate(found),
        content=content,
        masked=not reveal,
        complaint=complaint,
        attempts=[models.Attempt.model_validate(each) for each in past],
        deliveries=[models.Delivery.model_validate(each) for each in sent],
    )


def _content(
    data: bytes | None, profile: MaskingProfile, *, reveal: bool
) -> tuple[str, str]:
    """Return a message as text, and what is to be said about it."""
    if data is None:
        return "", _PURGED
    shown = data.decode("utf-8", "backslashreplace") if reveal else ""
    try:
        parsed = parse(data)
        return shown or covered(parsed, profile).text, ""
    except ParseError as error:
        return "", f"this cannot be read as a message: {error}"


def move(request: Request, message_id: int, what: Move, asked: Reasoned) -> Response:
    """Reprocess, hold, release or discard one message."""
    return carried_out(
        request,
        asked,
        lambda connection, sealer, order: models.Done(
            what=what, count=MOVES[what](connection, sealer, [message_id], order)
        ),
    )


def move_several(request: Request, asked: Several) -> Response:
    """Reprocess, hold, release or discard several messages: all of them, or none."""
    ids = sorted(set(asked.ids))
    asked.confirm(len(ids))

    def done(connection: Connection, sealer: Sealer, order: Order) -> models.Done:
        expect_ones_own(request, connection, ids)
        count = MOVES[asked.what](connection, sealer, ids, order)
        return models.Done(what=asked.what, count=count)

    return carried_out(request, asked, done)


def deliveries(
    request: Request, asked: Annotated[DeliveryQuery, Query()]
) -> Deliveries:
    """List deliveries by number."""
    here, sees = surroundings(request), caller(request).sees
    wanted = DeliveryFilter(
        asked.channel, asked.destination, asked.state, asked.message
    )
    with here.database.reading() as connection:
        found = queues.deliveries(
            connection, wanted, after=asked.cursor, limit=asked.limit
        )
    rows = [
        models.Delivery.model_validate(each) for each in found if sees(each.channel)
    ]
    return page(rows, [each.id for each in found], asked.limit)


def delivery(request: Request, delivery_id: int) -> models.Delivery:
    """Show one delivery, without what was sent."""
    with surroundings(request).database.reading() as connection:
        found = queues.delivery(connection, delivery_id)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no delivery {delivery_id}")
    return models.Delivery.model_validate(found)


def document(request: Request, delivery_id: int) -> models.Document:
    """Show what was sent: patient data."""
    here = surroundings(request)
    with here.database.reading() as connection:
        row = queues.delivery(connection, delivery_id)
    if row is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no delivery {delivery_id}")
    whose = expect_message(request, row.message_id)
    expect_to_see(request, whose)
    subject = f"message {row.message_id}"
    note_opening(request, "view", subject, patients=[whose.person])
    with here.database.reading() as connection:
        found = delivery_moves.content(connection, here.database.sealer, delivery_id)
    if found is None:
        sentence = "its document was removed by retention"
        raise HTTPException(HTTPStatus.NOT_FOUND, sentence)
    text = found[0].decode("utf-8", "backslashreplace")
    return models.Document(content_type=row.content_type, content=text)


def move_delivery(
    request: Request, delivery_id: int, what: DeliveryMove, asked: Reasoned
) -> Response:
    """Send one delivery again, or give it up."""
    return carried_out(
        request,
        asked,
        lambda connection, sealer, order: models.Done(
            what=what,
            count=DELIVERY_MOVES[what](connection, sealer, [delivery_id], order),
        ),
    )


def parked(request: Request) -> models.Listed[models.Parked]:
    """List the persons whose deliveries wait behind a failure, longest first."""
    with surroundings(request).database.reading() as connection:
        found = queues.parked(connection)
    sees = caller(request).sees
    rows = [models.Parked.model_validate(each) for each in found if sees(each.channel)]
    return models.Listed(items=rows)


def release(request: Request, eid: str, asked: Reasoned) -> Response:
    """Send again what parks a person: their lanes go on in order."""
    return carried_out(
        request,
        asked,
        lambda connection, sealer, order: models.Done(
            what="release",
            count=delivery_moves.resend(
                connection,
                sealer,
                [e.delivery_id for e in queues.parked(connection, person=eid)],
                order,
            ),
        ),
    )
