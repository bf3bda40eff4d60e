"""The audit trail: who did or saw what; reading it is written down itself.

Spec:
    console.md S13; security.md S18 and S19.
"""

from typing import Annotated

import orjson
from fastapi import Query
from starlette.requests import Request

from engine.console.api import models
from engine.console.api.lists import Moment, Paged, page
from engine.console.exposure import note_opening
from engine.console.permissions import Permission
from engine.console.queries import audit as queries
from engine.console.surroundings import caller, surroundings
from engine.store import audit
from engine.store.audit import Wanted

Acts = models.Listed[models.Act]


class AuditQuery(Paged):
    """Which acts; with ``person``, an enterprise identifier, who saw that person."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    since: Moment | None = None
    until: Moment | None = None
    person: str = ""


def trail(request: Request, asked: Annotated[AuditQuery, Query()]) -> Acts:
    """List acts, newest first."""
    subjects = (asked.subject,) if asked.subject else ()
    wanted = Wanted(asked.actor, asked.action, subjects, asked.since, asked.until)
    of = asked.model_dump(mode="json", exclude_defaults=True)
    told = orjson.dumps({"as": "api", "of": of}).decode()
    note_opening(request, "audit.export", "audit", told)
    database = surroundings(request).database
    with database.reading() as connection:
        found = queries.found(
            connection,
            database.sealer,
            wanted,
            asked.person,
            before=asked.cursor,
            limit=asked.limit,
        )
    reveal = caller(request).may(Permission.VIEW_PHI)
    rows = []
    for each in found:
        act = queries.shown(each, reveal=reveal)
        rows.append(
            models.Act(
                id=each.id,
                at=act.at,
                actor=act.actor,
                action=act.action,
                subject=act.subject,
                patient=each.patient,
                detail=act.detail,
            )
        )
    return page(rows, [each.id for each in found], asked.limit)


def verify(request: Request) -> models.Verified:
    """Walk the whole chain; a fault names the first bad row."""
    database = surroundings(request).database
    with database.reading() as connection:
        found = audit.verify(connection, database.sealer)
    note_opening(request, "audit.verify", "audit", found.fault)
    return models.Verified.model_validate(found)
