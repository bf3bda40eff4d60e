"""Incidents: what is wrong, and who sees to it.

Spec:
    console.md S12.
"""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Query
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.console.api import models
from engine.console.api.orders import Asked, Ordered, carried_out
from engine.console.pages.alerts import LONGEST_MINUTES, expect_contact
from engine.console.surroundings import caller, surroundings
from engine.store import incidents
from engine.store.audit import Order
from engine.store.database import Connection
from engine.store.seal import Sealer

_OVER: Final = "this incident is over, or there is none: nothing was changed"


class IncidentQuery(Asked):
    """Which incidents: those that are open, or those that are over."""

    ended: bool = False


class Snoozed(Ordered):
    """For how long nothing is said of an incident."""

    minutes: int = Field(60, ge=1, le=LONGEST_MINUTES)


class Escalated(Ordered):
    """Which contact is to hear of an incident too."""

    contact: str


def alerts(
    request: Request, asked: Annotated[IncidentQuery, Query()]
) -> models.Listed[models.Incident]:
    """List open incidents, the gravest first, or ended ones, the latest first."""
    sees = caller(request).sees
    look = incidents.ended_incidents if asked.ended else incidents.open_incidents
    with surroundings(request).database.reading() as connection:
        found = look(connection)
    rows = [
        models.Incident.model_validate(each)
        for each in found
        if not each.channel or sees(each.channel)
    ]
    return models.Listed(items=rows)


def acknowledge(request: Request, number: int, asked: Ordered) -> Response:
    """Note that somebody sees to an incident; the reason stands beside it."""

    def done(connection: Connection, sealer: Sealer, order: Order) -> models.Done:
        _expect(incidents.acknowledge(connection, sealer, number, order))
        return models.Done(what="acknowledge", count=1)

    return carried_out(request, asked, done)


def snooze(request: Request, number: int, asked: Snoozed) -> Response:
    """Say nothing of an incident for a while."""

    def done(connection: Connection, sealer: Sealer, order: Order) -> models.Done:
        until = order.now + timedelta(minutes=asked.minutes)
        _expect(incidents.snooze(connection, sealer, number, until, order))
        return models.Done(what="snooze", count=1)

    return carried_out(request, asked, done)


def escalate(request: Request, number: int, asked: Escalated) -> Response:
    """Have one more contact told of an incident, now and when it ends."""
    expect_contact(request, asked.contact)

    def done(connection: Connection, sealer: Sealer, order: Order) -> models.Done:
        told = incidents.escalate(connection, sealer, number, asked.contact, order)
        _expect(told)
        return models.Done(what="escalate", count=1)

    return carried_out(request, asked, done)


def _expect(done: bool) -> None:  # noqa: FBT001 - what became of the move
    if not done:
        raise HTTPException(HTTPStatus.CONFLICT, _OVER)
