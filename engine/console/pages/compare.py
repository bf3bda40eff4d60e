"""S7, compare with another person: side by side, and the question whether they are one.

Nothing is joined here: *ask* makes a task of the mismatch queue.

Spec:
    console.md S7 (compare with); identity.md 10.
"""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Form, Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.evidence_bar import evidence_bar, total_bar
from engine.console.exposure import note_opening
from engine.console.pages.mismatch import ROWS, expect_decider, reason_of, side_of
from engine.console.pages.patient import (
    Asked,
    expect_person,
    keep_search,
    looked_for,
)
from engine.console.permissions import Permission
from engine.console.queries import patient as queries
from engine.console.rendering import page
from engine.console.surroundings import Surroundings, caller, surroundings
from engine.errors import IllegalTransitionError
from engine.store import links, questions
from engine.store.audit import Order
from engine.store.patients import SqlPatientIndex

_ONE: Final = "they are one person; choose somebody else to compare with"


def compare(
    request: Request, eid: str, other: Annotated[str, Query(alias="with")] = ""
) -> Response:
    """Show two persons side by side, or let the second one be chosen."""
    here = surroundings(request)
    expect_person(request, here, eid)
    if not other:
        asked, found, complaint = looked_for(request)
        return page(
            request,
            "compare_choice.html",
            eid=eid,
            asked=asked,
            found=None if found is None else [e for e in found if e.eid != eid],
            complaint=complaint,
        )
    expect_person(request, here, other)
    note_opening(request, "view", queries.PERSON, patients=[eid, other])
    return page(
        request,
        "compare.html",
        rows=ROWS,
        blind=False,
        survivors="",
        thresholds=here.directory.model.thresholds,
        may_ask=caller(request).may(Permission.WORK_IDENTITY),
        evidence_bar=evidence_bar,
        total_bar=total_bar,
        **_compared(here, eid, other),
    )


def _compared(here: Surroundings, eid: str, other: str) -> dict[str, object]:
    """Return both persons' records, those that speak most for one person first.

    Raises:
        HTTPException: 409, the two are one person.
    """
    with here.database.reading() as connection:
        index = SqlPatientIndex(connection, here.database.sealer)
        one, two = links.resolved(connection, eid), links.resolved(connection, other)
        if one == two:
            raise HTTPException(HTTPStatus.CONFLICT, _ONE)
        found = questions.compared(index, one, two, here.directory.model)
        first = (found.record.number, found.match.record.number)
        members = [*index.members(one), *index.members(two)]
        members.sort(key=lambda r: first.index(r.number) if r.number in first else 2)
        return {
            "one": one,
            "two": two,
            "sides": [side_of(each, is_asked=False) for each in members],
            "each": found,
            "asked_already": questions.asked_already(index, one, two),
            "told_apart": questions.told_apart(index, one, two),
        }


def look(request: Request, eid: str, asked: Annotated[Asked, Form()]) -> Response:
    """Take a search for somebody to compare with, and go to its answer."""
    query = keep_search(request, asked)
    return RedirectResponse(f"/patients/{eid}/compare{query}", HTTPStatus.SEE_OTHER)


def ask(
    request: Request,
    eid: str,
    other: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Make a task of the question whether two persons are one, and go to it."""
    expect_decider(request)
    here = surroundings(request)
    expect_person(request, here, eid)
    expect_person(request, here, other)
    order = Order(caller(request).name, here.now(), reason_of(reason))
    try:
        with here.database.engine() as connection:
            index = SqlPatientIndex(connection, here.database.sealer)
            number = questions.ask(index, eid, other, order, here.directory.model)
    except IllegalTransitionError as error:
        sentence = f"nothing was changed: {error}"
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error
    return RedirectResponse(f"/work/mismatch/{number}", HTTPStatus.SEE_OTHER)
