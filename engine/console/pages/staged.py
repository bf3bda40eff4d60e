"""S6, decisions together: staged one by one, looked at as a whole, carried out at once.

What is staged stands in the address, as numbers of tasks and words: nothing is kept
until it is carried out, and then all of it or nothing.

Spec:
    console.md S6 ("Decisions can be staged, reviewed and applied together").
"""

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.pages.mismatch import expect_decider, practice_of, task_of
from engine.console.rendering import page
from engine.console.surroundings import caller, surroundings
from engine.errors import IllegalTransitionError
from engine.identity.decision import Ruling
from engine.store import previews, second_looks, worklist
from engine.store.audit import Order
from engine.store.patients import SqlPatientIndex
from engine.store.worklist import Staged, Task

MOST: Final = 50
_NOTHING: Final = "nothing is staged: stage decisions on the pages of their tasks"


def read_staged(text: str) -> list[Staged]:
    """Return what stands staged in an address: ``12.same,15.different``.

    A task that stands there twice is decided as it was said last.

    Raises:
        HTTPException: 422, it is none of ours or there are too many.
    """
    said: dict[int, Staged] = {}
    for each in filter(None, text.split(",")):
        number, _, word = each.partition(".")
        if not number.isdecimal() or word not in set(Ruling):
            sentence = "what is staged is written 12.same,15.different"
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
        said[int(number)] = Staged(int(number), Ruling(word))
    if len(said) > MOST:
        sentence = f"at most {MOST} decisions are carried out at once"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    return list(said.values())


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
        pairs=list(zip(wanted, tasks, strict=True)),
        preview=shown,
        complaint=complaint,
    )


def apply(
    request: Request,
    staged: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Carry out what is staged, all of it or nothing."""
    expect_decider(request)
    wanted = read_staged(staged)
    if not wanted or not reason.strip():
        sentence = _NOTHING if reason.strip() else "a decision needs a reason"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    here = surroundings(request)
    order = Order(caller(request).name, here.now(), reason.strip())
    try:
        with here.database.engine() as connection:
            index = SqlPatientIndex(connection, here.database.sealer)
            for each in wanted:
                task_of(request, index, each.task)
            _decide(request, index, wanted, order)
            index.flush()
    except IllegalTransitionError as error:
        sentence = f"nothing was changed: {error}; look at what is staged again"
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error
    return RedirectResponse("/work/mismatch", HTTPStatus.SEE_OTHER)


def _decide(
    request: Request, index: SqlPatientIndex, wanted: Sequence[Staged], order: Order
) -> list[Task]:
    practice = practice_of(surroundings(request))
    decides = partial(second_looks.decide, practice=practice)
    return worklist.decide_all(index, wanted, order, decides)
