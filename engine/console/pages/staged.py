"""S6, decisions together: staged one by one, looked at as a whole, carried out at once.

What is staged stands in the address, as numbers of tasks and words: nothing is kept
until it is carried out, and then all of it or nothing.

Spec:
    console.md S6 ("Decisions can be staged, reviewed and applied together").
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.pages.mismatch import (
    expect_decider,
    practice_of,
    reason_of,
    sees_confidential,
    task_of,
)
from engine.console.rendering import page
from engine.console.seen import expect_same, mark_of
from engine.console.staging import in_words, read_staged, write_staged
from engine.console.surroundings import caller, surroundings
from engine.errors import IllegalTransitionError
from engine.store import previews, task_moves
from engine.store.audit import Order
from engine.store.patients import SqlPatientIndex
from engine.store.task_moves import Staged
from engine.store.worklist import Task

_NOTHING: Final = "nothing is staged: stage decisions on the pages of their tasks"


def review(request: Request, staged: str = "") -> Response:
    """Show what the staged decisions would do together."""
    expect_decider(request)
    wanted = read_staged(staged)
    here = surroundings(request)
    order = Order(caller(request).name, here.now(), "preview")
    complaint, shown = "", None
    with here.database.engine() as connection:
        index = SqlPatientIndex(connection, here.database.sealer)
        tasks = [task_of(request, index, each.task) for each in wanted]
        seen = mark_of(index, tasks)
        try:
            shown = previews.preview(
                index,
                lambda trial: _decide(request, trial, wanted, order),
                here.forms,
                here.directory.ranks,
            )
        except IllegalTransitionError as error:
            complaint = f"this is not possible any more: {error}"
    return page(
        request,
        "staged.html",
        staged=staged,
        seen=seen,
        decisions=[
            (write_staged(each), in_words(each), task)
            for each, task in zip(wanted, tasks, strict=True)
        ],
        preview=shown,
        complaint=complaint,
    )


def apply(
    request: Request,
    staged: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    seen: Annotated[str, Form()] = "",
) -> Response:
    """Carry out what is staged, all of it or nothing."""
    expect_decider(request)
    wanted = read_staged(staged)
    if not wanted:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, _NOTHING)
    here = surroundings(request)
    order = Order(caller(request).name, here.now(), reason_of(reason))
    try:
        with here.database.engine() as connection:
            index = SqlPatientIndex(connection, here.database.sealer)
            tasks = [task_of(request, index, each.task) for each in wanted]
            expect_same(index, tasks, seen)
            _decide(request, index, wanted, order)
            index.flush()
    except IllegalTransitionError as error:
        sentence = f"nothing was changed: {error}; look at what is staged again"
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error
    return RedirectResponse("/work/mismatch", HTTPStatus.SEE_OTHER)


def _decide(
    request: Request, index: SqlPatientIndex, wanted: Sequence[Staged], order: Order
) -> list[Task]:
    return task_moves.decide_all(
        *(index, wanted, order, practice_of(surroundings(request))),
        confidential=sees_confidential(request),
    )
