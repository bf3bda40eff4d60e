"""S7 Patient: take records off a person, take link events back, give the record out.

Spec:
    console.md S7, actions; identity.md 8.
"""

from http import HTTPStatus
from typing import Annotated, Final

import orjson
from fastapi import Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.exposure import note_opening
from engine.console.listing import Listing, answer
from engine.console.pages.patient import expect_person
from engine.console.permissions import Permission
from engine.console.queries import patient as queries
from engine.console.surroundings import Surroundings, caller, surroundings
from engine.errors import IllegalTransitionError
from engine.store import patient_views
from engine.store.audit import Order
from engine.store.moves import PERSON_MOVES
from engine.store.patients import SqlPatientIndex

COLUMNS: Final = ("field", "value", "rule", "source", "record")
FORMS: Final = ("json", "csv")
BEST: Final = "best value"
_NEEDS: Final = "moving records needs the permission view-phi too"


def move(
    request: Request,
    eid: str,
    what: str,
    number: Annotated[int, Form()],
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Take a record off a person, or take one of their link events back."""
    here = surroundings(request)
    if what not in PERSON_MOVES:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if not caller(request).may(Permission.VIEW_PHI):
        raise HTTPException(HTTPStatus.FORBIDDEN, _NEEDS)
    expect_person(request, here, eid)
    order = Order(caller(request).name, here.now(), reason.strip())
    try:
        with here.database.engine() as connection:
            index = SqlPatientIndex(connection, here.database.sealer)
            PERSON_MOVES[what](index, eid, number, order)
            index.flush()
    except IllegalTransitionError as error:
        sentence = f"nothing was changed: {error}"
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error
    return RedirectResponse(f"/patients/{eid}?tab=links", HTTPStatus.SEE_OTHER)


# -- release of information ------------------------------------------------------------


def record(request: Request, eid: str, form: str) -> Response:
    """Give out all that is kept of a person (FHIR), or who they are (CSV)."""
    here = surroundings(request)
    if form not in FORMS:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    expect_person(request, here, eid)
    note_opening(request, "export", queries.PERSON, form, patients=[eid])
    if form != "json":
        return answer(request, _values(here, eid), "patient.html")
    with here.directory.open(here.database, confidential=True) as lookup:
        found = lookup.everything(lookup.today(eid))
    headers = {"Content-Disposition": f'attachment; filename="{eid}.json"'}
    return Response(orjson.dumps(found), 200, headers, "application/fhir+json")


def _values(here: Surroundings, eid: str) -> Listing:
    """Return the best value of each field with its rule, then what sources say."""
    with here.directory.open(here.database, confidential=True) as lookup:
        index = lookup.search.patients
        found = patient_views.view(index, eid, here.directory.ranks)
        assert found is not None  # expected above
        numbers = queries.numbers(index, found.eid)
    rows: list[dict[str, object]] = []
    for row in queries.rows_of(found):
        best = (row.name, row.value, row.rule, BEST, row.record)
        rows.append(dict(zip(COLUMNS, best, strict=True)))
        for source, value in zip(found.records, row.values, strict=True):
            said = (row.name, value, "", source.authority, source.record)
            rows.append(dict(zip(COLUMNS, said, strict=True)))
    for each in numbers:
        number = each.identifier
        state = "in use" if each.active else "old"
        told = (number.type, number.value, state, number.authority, "")
        rows.append(dict(zip(COLUMNS, told, strict=True)))
    return Listing(found.eid, COLUMNS, rows)
