"""S6, moving records: bring one to another person, or split a person who holds two.

The move is looked at first, then carried out or staged; it answers the doubt.

Spec:
    console.md S6 (decisions, preview before applying); identity.md 8 and 11.
"""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.exposure import openings
from engine.console.pages.mismatch import (
    ROWS,
    Said,
    expect_decider,
    practice_of,
    reader_beside,
    reason_of,
    sees_confidential,
    side_of,
    task_of,
)
from engine.console.rendering import page
from engine.console.seen import expect_same, mark_of
from engine.console.staging import write_staged
from engine.console.surroundings import caller, surroundings
from engine.errors import IllegalTransitionError
from engine.store import audit, links, previews, second_looks, task_moves, task_work
from engine.store.audit import Order
from engine.store.moves import Request as Move
from engine.store.patients import SqlPatientIndex
from engine.store.previews import Preview
from engine.store.task_moves import Staged, request_of
from engine.store.task_readers import READS_ALONG
from engine.store.worklist import Task

_BLIND: Final = "this doubt waits to be read a second time: say same or different"


def records(
    request: Request, number: int, to: str = "", other: str = "", staged: str = ""
) -> Response:
    """Show the records of everybody a doubt is about, and what a move would do."""
    expect_decider(request)
    here, who = surroundings(request), caller(request).name
    wanted = _wanted(request.query_params.getlist("record"), other.strip() or to)
    complaint, shown = "", None
    with here.database.engine() as connection:
        index = SqlPatientIndex(connection, here.database.sealer)
        found = task_of(request, index, number)
        if second_looks.is_blind(second_looks.of_task(connection, number), who):
            raise HTTPException(HTTPStatus.CONFLICT, _BLIND)
        reader = reader_beside(request, connection, found)
        members, seen = task_moves.records_of(index, found), mark_of(index, [found])
        whom = [each.person for each in members]
        numbers = [each.number for each in members]
        past = links.history(connection, numbers)
        past += links.standing(connection, number)  # of records that left, too
        events = sorted({each.number: each for each in past}.items())
        if wanted is not None:
            try:
                shown = _preview(request, index, found, wanted)
            except IllegalTransitionError as error:
                complaint = str(error)
            else:
                whom.append(wanted.target)
        detail = READS_ALONG if reader else ""
        acts = openings(request, "view", f"task {number}", detail, patients=whom)
        audit.write(connection, here.database.sealer, acts)
    return page(
        request,
        "task_records.html",
        task=found,
        reader=reader,
        rows=ROWS,
        sides=[side_of(each, each.number == found.record) for each in members],
        persons=list(dict.fromkeys(each.person for each in members)),
        wanted=wanted,
        seen=seen,
        preview=shown,
        complaint=complaint,
        events=[each for _, each in events],
        undone={each.undoes for each in past},
        staged=_staged(staged, found, wanted),
    )


def _wanted(numbers: Sequence[str], target: str) -> Move | None:
    """Return the move that an address asks for; None where it names no record."""
    chosen = [int(each) for each in numbers if each.isdecimal()]
    return request_of(chosen, target) if chosen else None


def _staged(staged: str, found: Task, wanted: Move | None) -> str:
    """Return what is staged, with this move in place of what was said of the task."""
    if wanted is None:
        return staged
    own = f"{found.id}."
    others = [each for each in staged.split(",") if each and not each.startswith(own)]
    return ",".join([*others, write_staged(Staged(found.id, request=wanted))])


def _preview(
    request: Request, index: SqlPatientIndex, found: Task, wanted: Move
) -> Preview:
    here = surroundings(request)
    order = Order(caller(request).name, here.now(), "preview")
    return previews.preview(
        index,
        lambda trial: _carried_out(request, trial, found.id, wanted, order),
        here.forms,
        here.directory.ranks,
    )


def _carried_out(
    request: Request, index: SqlPatientIndex, number: int, wanted: Move, order: Order
) -> Task:
    return task_moves.decide_by_move(
        *(index, number, wanted, order, practice_of(surroundings(request))),
        confidential=sees_confidential(request),
    )


class Moved(Said):
    """What the form of a move says: records by number, and whom they go to."""

    records: str = ""
    to: str = ""


def move(
    request: Request,
    number: int,
    said: Annotated[Moved, Form()],
) -> Response:
    """Carry the move out, then show the task as it is."""
    expect_decider(request)
    here = surroundings(request)
    wanted = _wanted(said.records.split("-"), said.to.strip())
    if wanted is None:
        sentence = "choose the records to move; nothing was changed"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    order = Order(caller(request).name, here.now(), reason_of(said.reason))
    try:
        with here.database.engine() as connection:
            index = SqlPatientIndex(connection, here.database.sealer)
            expect_same(index, [task_of(request, index, number)], said.seen)
            _carried_out(request, index, number, wanted, order)
            if comment := said.comment.strip():
                task_work.comment(index, number, replace(order, reason=comment))
            index.flush()
    except IllegalTransitionError as error:
        sentence = f"nothing was changed: {error}"
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error
    return RedirectResponse(f"/work/mismatch/{number}", HTTPStatus.SEE_OTHER)
