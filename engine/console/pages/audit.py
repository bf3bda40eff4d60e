"""S13 Audit: who did or saw what; nothing here changes it.

Spec:
    console.md S13; security.md S18 and S19.
"""

from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.console.fhir_api.answers import told
from engine.console.fhir_api.audit_events import bundle
from engine.console.listing import Listing, answer
from engine.console.permissions import Permission
from engine.console.queries import audit as queries
from engine.console.queries.message_query import moment
from engine.console.surroundings import caller, surroundings
from engine.store import audit
from engine.store.audit import Act, AuditRow, Verification, Wanted

PAGE: Final = 100
EXPORTED: Final = 10_000
FILTERS: Final = ("actor", "action", "subject", "since", "until", "person")
COLUMNS: Final = ("id", "at", "actor", "action", "subject", "detail", "patient")
_NO_TIME: Final = "is not a time: 2h, today, 2030-01-31 or 2030-01-31T12:00"


def trail(request: Request, before: int = 0) -> Response:
    """List acts, newest first; an export is written down itself."""
    here = surroundings(request)
    asked = {n: v for n in FILTERS if (v := request.query_params.get(n, "").strip())}
    wanted = _wanted(asked, here.now())
    form = request.path_params.get("form", "html")
    limit = PAGE if form == "html" else EXPORTED
    if form != "html":
        _exported(request, form, asked)
    with here.database.reading() as connection:
        sealer = here.database.sealer
        person = asked.get("person", "")
        found = queries.found(
            connection, sealer, wanted, person, before=before, limit=limit
        )
        head = audit.head(connection)
    if form == "fhir":
        return told(bundle(found, here.settings.site))
    more = _further(asked, found) if len(found) == limit else ""
    return answer(
        request,
        Listing("audit", COLUMNS, [_row(request, each) for each in found], more),
        "audit.html",
        asked=asked,
        filters=FILTERS,
        head=head,
        verified=_verified(request),
        exports=urlencode(asked),
        drop=[
            (n, urlencode({m: v for m, v in asked.items() if m != n})) for n in asked
        ],
    )


def _wanted(asked: dict[str, str], now: datetime) -> Wanted:
    times = {n: moment(asked[n], now) for n in ("since", "until") if n in asked}
    for name, at in times.items():
        if at is None:
            sentence = f"{name} {_NO_TIME}"
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    subject = asked.get("subject", "")
    return Wanted(
        asked.get("actor", ""),
        asked.get("action", ""),
        (subject,) if subject else (),
        times.get("since"),
        times.get("until"),
    )


def _row(request: Request, found: AuditRow) -> dict[str, object]:
    act = queries.shown(found, reveal=caller(request).may(Permission.VIEW_PHI))
    return {
        "id": found.id,
        "at": act.at,
        "actor": act.actor,
        "action": act.action,
        "patient": found.patient,
        "subject": act.subject,
        "detail": act.detail,
    }


def _exported(request: Request, form: str, asked: dict[str, str]) -> None:
    here = surroundings(request)
    detail = orjson.dumps({"as": form, "of": asked}).decode()
    act = Act(here.now(), caller(request).name, "audit.export", "audit", detail)
    with here.database.engine() as connection:
        audit.write(connection, here.database.sealer, [act])


def _further(asked: dict[str, str], found: list[AuditRow]) -> str:
    return f"/audit?{urlencode({**asked, 'before': found[-1].id})}"


def verify(request: Request) -> Response:
    """Walk the whole chain and show what came of it; a fault stays on the page."""
    here = surroundings(request)
    with here.database.reading() as connection:
        found = audit.verify(connection, here.database.sealer)
    request.app.state.verified = (found, here.now())
    act = Act(here.now(), caller(request).name, "audit.verify", "audit", found.fault)
    with here.database.engine() as connection:
        audit.write(connection, here.database.sealer, [act])
    return trail(request)


def _verified(request: Request) -> tuple[Verification, datetime] | None:
    found: tuple[Verification, datetime] | None
    found = getattr(request.app.state, "verified", None)
    return found
