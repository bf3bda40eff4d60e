"""S6 Mismatch queue: decide who is who, with evidence, a preview, and the way back.

Spec:
    console.md S6; identity.md 10 and 11.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.permissions import Permission
from engine.console.rendering import page
from engine.console.surroundings import Surroundings, caller, surroundings
from engine.errors import IllegalTransitionError
from engine.identity.decision import Ruling
from engine.identity.index import SourceRecord
from engine.store import audit, patient_views, previews, task_work, worklist
from engine.store.audit import Act, Order
from engine.store.database import Connection
from engine.store.patients import SqlPatientIndex
from engine.store.previews import Preview
from engine.store.task_work import Asked
from engine.store.worklist import Task

Deed = Callable[[SqlPatientIndex, int, Order], object]
DEEDS: Final[Mapping[str, Deed]] = {
    "same": lambda index, number, order: worklist.decide_task(
        index, number, Ruling.SAME, order
    ),
    "different": lambda index, number, order: worklist.decide_task(
        index, number, Ruling.DIFFERENT, order
    ),
    "unsure": lambda index, number, order: task_work.ask(
        index, number, Asked.UNSURE, order
    ),
    "source": lambda index, number, order: task_work.ask(
        index, number, Asked.SOURCE, order
    ),
    "comment": task_work.comment,
    "undo": worklist.undo_task,
}
RULINGS: Final = ("same", "different")
_NEEDS: Final = "deciding about persons needs the permission view-phi too"
_SSN_SHOWN: Final = 4


@dataclass(frozen=True, slots=True)
class Side:
    """One source record beside the others; the SSN is covered but for its end."""

    record: int
    person: str
    authority: str
    is_asked: bool
    values: tuple[str, ...]


ROWS: Final = (
    *("Name", "Birth date", "Sex", "SSN", "Address", "Phone", "E-mail"),
    *("Mother's name", "Died"),
)


def task(request: Request, number: int, preview: str = "") -> Response:
    """Show one doubt: records side by side, evidence, and what a decision would do."""
    if not caller(request).may(Permission.VIEW_PHI):
        raise HTTPException(HTTPStatus.FORBIDDEN, _NEEDS)
    here = surroundings(request)
    act = Act(here.now(), caller(request).name, "view", f"task {number}")
    with here.database.engine() as connection:
        index = SqlPatientIndex(connection, here.database.sealer)
        found = task_of(request, index, number)
        audit.write(connection, here.database.sealer, [act])
        shown = _preview(request, index, found, preview) if preview in RULINGS else None
    with here.database.reading() as connection:
        index = SqlPatientIndex(connection, here.database.sealer)
        sides = sides_of(index, found)
        evidence = patient_views.explained(found, here.directory.model)
        said = task_work.comments(index, number)
        following = _next(request, connection, number)
    return page(
        request,
        "mismatch.html",
        task=found,
        rows=ROWS,
        sides=sides,
        evidence=evidence,
        comments=said,
        preview=shown,
        ruling=preview,
        following=following,
    )


def task_of(request: Request, index: SqlPatientIndex, number: int) -> Task:
    """Return one doubt that the caller may see.

    Raises:
        HTTPException: 404.
    """
    try:
        return task_work.seen(index, number, confidential=_sees(request))
    except IllegalTransitionError as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from error


def _sees(request: Request) -> bool:
    return caller(request).may(Permission.VIEW_CONFIDENTIAL)


def _next(request: Request, connection: Connection, number: int) -> int | None:
    ranked = task_work.by_priority(connection, confidential=_sees(request))
    return next((each.id for each, _ in ranked if each.id != number), None)


def _preview(
    request: Request, index: SqlPatientIndex, found: Task, ruling: str
) -> Preview | None:
    here = surroundings(request)
    order = Order(caller(request).name, here.now(), "preview")
    try:
        return previews.preview(
            index,
            lambda trial: DEEDS[ruling](trial, found.id, order),
            here.forms,
            here.directory.ranks,
        )
    except IllegalTransitionError:
        return None  # it was decided meanwhile: the page says so


def sides_of(index: SqlPatientIndex, found: Task) -> Sequence[Side]:
    """Return the records that a doubt is about, the one that raised it first."""
    asked = [found.record, *(each.record for each in found.candidates)]
    persons = dict.fromkeys([found.person, *(c.person for c in found.candidates)])
    members = [r for person in persons if person for r in index.members(person)]
    known = {each.number: each for each in members}
    return [_side(known[n], n == found.record) for n in asked if n in known]


def _side(record: SourceRecord, is_asked: bool) -> Side:  # noqa: FBT001 - of a pair
    t = record.traits
    values = (
        " ".join(filter(None, (t.given, t.middle, t.family, t.suffix))),
        "-".join(filter(None, (t.birth[:4], t.birth[4:6], t.birth[6:]))),
        t.sex,
        f"ends in {end}" if (end := t.ssn[-_SSN_SHOWN:] or t.last_four) else "",
        " ".join(filter(None, (t.number, t.street, t.city, t.state, t.zip5))),
        t.phone,
        t.email,
        t.mother,
        t.death,
    )
    return Side(record.number, record.person, record.authority, is_asked, values)


def decide(
    request: Request, number: int, what: str, reason: Annotated[str, Form()] = ""
) -> Response:
    """Decide, ask, comment, or take a decision back; then show the task again."""
    here = surroundings(request)
    if what not in DEEDS:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if not caller(request).may(Permission.VIEW_PHI):
        raise HTTPException(HTTPStatus.FORBIDDEN, _NEEDS)
    if not reason.strip():
        sentence = "a decision needs a reason; nothing was changed"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    order = Order(caller(request).name, here.now(), reason.strip())
    with here.database.reading() as connection:
        task_of(request, SqlPatientIndex(connection, here.database.sealer), number)
    try:
        _carry_out(here, number, what, order)
    except IllegalTransitionError as error:
        sentence = f"nothing was changed: {error}; somebody may have been faster"
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error
    return RedirectResponse(f"/work/mismatch/{number}", HTTPStatus.SEE_OTHER)


def _carry_out(here: Surroundings, number: int, what: str, order: Order) -> None:
    with here.database.engine() as connection:
        index = SqlPatientIndex(connection, here.database.sealer)
        DEEDS[what](index, number, order)
        index.flush()
