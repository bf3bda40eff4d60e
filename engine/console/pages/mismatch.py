"""S6 Mismatch queue: decide who is who, with evidence, a preview, and the way back.

Spec:
    console.md S6; identity.md 10 and 11.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Form
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.evidence_bar import evidence_bar, total_bar
from engine.console.exposure import note_opening
from engine.console.permissions import Permission
from engine.console.queries.encounters import encounters_of
from engine.console.rendering import page
from engine.console.seen import expect_same, mark_of
from engine.console.surroundings import Surroundings, caller, surroundings
from engine.errors import IllegalTransitionError
from engine.identity.decision import Ruling
from engine.identity.index import SourceRecord
from engine.identity.traits import Traits
from engine.store import (
    patient_views,
    previews,
    second_looks,
    task_moves,
    task_readers,
    task_work,
    worklist,
)
from engine.store.audit import Order
from engine.store.database import Connection
from engine.store.patient_tables import TaskState
from engine.store.patients import SqlPatientIndex
from engine.store.previews import Preview
from engine.store.second_looks import BLIND_SHARE, Practice
from engine.store.task_acts import ACTS, RULINGS, act
from engine.store.task_readers import READS_ALONG, Reader
from engine.store.tasks import Evidence
from engine.store.worklist import Task

_NEEDS: Final = "deciding about persons needs the permission view-phi too"
_SSN_SHOWN: Final = 4
_ON_SIGHT: Final = frozenset({*RULINGS, *(f"propose-{each}" for each in RULINGS)})
"""What is decided from the records on the page."""


@dataclass(frozen=True, slots=True)
class Side:
    """One source record beside the others; the SSN is covered but for its end.

    ``changed`` tells of each value whether it was another one when the doubt arose.
    """

    record: int
    person: str
    authority: str
    is_asked: bool
    values: tuple[str, ...]
    changed: tuple[bool, ...]


ROWS: Final = (
    *("Name", "Birth date", "Sex", "SSN", "Address", "Phone", "E-mail"),
    *("Mother's name", "Died"),
)


def task(
    request: Request,
    number: int,
    preview: str = "",
    staged: str = "",
    survivor: str = "",
) -> Response:
    """Show one doubt: records side by side, evidence, and what a decision would do."""
    expect_decider(request)
    here = surroundings(request)
    with here.database.reading() as connection:
        index = SqlPatientIndex(connection, here.database.sealer)
        found = task_of(request, index, number)
        sides, seen = sides_of(index, found), mark_of(index, [found])
        reader = reader_beside(request, connection, found)
    whom = {each.person for each in sides}
    note_task(request, number, whom, reader)
    with here.database.engine() as connection:
        index = SqlPatientIndex(connection, here.database.sealer)
        ruling = (preview, survivor)
        shown = _preview(request, index, found, ruling) if preview in RULINGS else None
    with here.database.reading() as connection:
        index = SqlPatientIndex(connection, here.database.sealer)
        encounters = encounters_of(
            *(index, task_moves.records_of(index, found)),
            *(here.now(), here.settings.zone),
            confidential=sees_confidential(request),
        )
        evidence = patient_views.explained(found, here.directory.model)
        said = task_work.comments(index, number)
        passed = {number, *_numbers_in(staged)}
        following = _next(request, connection, passed)
        look = second_looks.of_task(connection, number)
    blind = second_looks.is_blind(look, caller(request).name)
    if blind:
        found, evidence, said = second_looks.blinded(found), [], []
    joins = found.state is TaskState.OPEN and not (blind or reader)
    default = worklist.survivor_of(found) if joins else ""
    survivor = survivor if default and survivor in whom else ""
    return page(
        request,
        "mismatch.html",
        task=found,
        rows=ROWS,
        sides=sides,
        seen=seen,
        reader=reader,
        survivors=survivor or default,
        survivor=survivor,
        evidence=evidence,
        encounters=encounters,
        may_see_protected=sees_confidential(request),
        comments=said,
        preview=shown,
        ruling=preview,
        following=following,
        look=look,
        blind=blind,
        staged=staged,
        others=[each for each in staged.split(",") if not _is_of(each, number)],
        thresholds=here.directory.model.thresholds,
        evidence_bar=evidence_bar,
        total_bar=total_bar,
    )


def expect_decider(request: Request) -> None:
    """Refuse those who may not see the patients they would decide about.

    Raises:
        HTTPException: 403.
    """
    if not caller(request).may(Permission.VIEW_PHI):
        raise HTTPException(HTTPStatus.FORBIDDEN, _NEEDS)


def reader_beside(
    request: Request, connection: Connection, found: Task
) -> Reader | None:
    """Return who else has an open task open; None where it is the caller's to decide.

    To them the task is shown without its buttons, until they take it over.
    """
    here = surroundings(request)
    if found.state is not TaskState.OPEN:
        return None
    reader = task_readers.reader_of(
        connection, here.database.sealer, found.id, here.now()
    )
    return reader if reader and reader.name != caller(request).name else None


def note_task(
    request: Request, number: int, whom: Collection[str], reader: Reader | None
) -> None:
    """Write down that a task is about to be shown, and of whom."""
    detail = READS_ALONG if reader else ""
    note_opening(request, "view", f"task {number}", detail, patients=whom)


def _is_of(staged: str, number: int) -> bool:
    return not staged or staged.partition(".")[0] == str(number)


def _numbers_in(staged: str) -> set[int]:
    numbers = (each.partition(".")[0] for each in staged.split(","))
    return {int(each) for each in numbers if each.isdecimal()}


def task_of(request: Request, index: SqlPatientIndex, number: int) -> Task:
    """Return one doubt that the caller may see.

    Raises:
        HTTPException: 404.
    """
    try:
        return task_work.seen(index, number, confidential=sees_confidential(request))
    except IllegalTransitionError as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from error


def practice_of(here: Surroundings) -> Practice:
    """Return how this site works its queue."""
    share = here.site.matching.blind_share if here.site else BLIND_SHARE
    return Practice(here.directory.model, share)


def deal(request: Request, names: Annotated[str, Form()] = "") -> Response:
    """Give the tasks nobody has to some people in turn."""
    here = surroundings(request)
    among = names.replace(",", " ").split()
    if not among:
        sentence = "name somebody to give the tasks to; nothing was changed"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    order = Order(caller(request).name, here.now(), "dealt")
    with here.database.engine() as connection:
        index = SqlPatientIndex(connection, here.database.sealer)
        task_work.deal(index, among, order, confidential=sees_confidential(request))
    return RedirectResponse("/work/mismatch", HTTPStatus.SEE_OTHER)


def sees_confidential(request: Request) -> bool:
    """Whether confidential persons are somebody to the caller."""
    return caller(request).may(Permission.VIEW_CONFIDENTIAL)


def _next(
    request: Request, connection: Connection, passed: Collection[int]
) -> int | None:
    ranked = task_work.by_priority(connection, confidential=sees_confidential(request))
    return next((each.id for each, _ in ranked if each.id not in passed), None)


def _preview(
    request: Request, index: SqlPatientIndex, found: Task, ruling: tuple[str, str]
) -> Preview | None:
    here, (what, survivor) = surroundings(request), ruling
    order = Order(caller(request).name, here.now(), "preview")
    try:
        return previews.preview(
            index,
            lambda trial: act(
                trial, found.id, what, order, practice_of(here), survivor
            ),
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
    then = Evidence.read(found.evidence).at_the_time(found.record)
    return [
        side_of(known[n], n == found.record, then.get(n)) for n in asked if n in known
    ]


def side_of(record: SourceRecord, is_asked: bool, then: Traits | None = None) -> Side:  # noqa: FBT001 - of a pair
    """Return a record as it is shown; ``then`` is what it said when a doubt arose."""
    values = _values(record.traits)
    before = values if then is None else _values(then)
    changed = tuple(one != other for one, other in zip(values, before, strict=True))
    return Side(
        record.number, record.person, record.authority, is_asked, values, changed
    )


def _values(t: Traits) -> tuple[str, ...]:
    """Return what a record says, by `ROWS`."""
    return (
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


class Said(BaseModel):
    """What the form of a decision says; ``seen`` marks what it is about."""

    seen: str = ""
    reason: str = ""
    staged: str = ""
    comment: str = ""
    survivor: str = ""


def decide(
    request: Request, number: int, what: str, said: Annotated[Said, Form()]
) -> Response:
    """Decide, ask, comment, or take a decision back; then show the task again."""
    here = surroundings(request)
    if what not in ACTS:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    expect_decider(request)
    order = Order(caller(request).name, here.now(), reason_of(said.reason))
    with here.database.reading() as connection:
        task_of(request, SqlPatientIndex(connection, here.database.sealer), number)
    ruling = what, said.survivor if what == Ruling.SAME else ""
    try:
        _carry_out(here, number, ruling, order, said)
    except IllegalTransitionError as error:
        sentence = f"nothing was changed: {error}; somebody may have been faster"
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error
    left = [each for each in said.staged.split(",") if not _is_of(each, number)]
    query = f"?{urlencode({'staged': ','.join(left)})}" if left else ""
    return RedirectResponse(f"/work/mismatch/{number}{query}", HTTPStatus.SEE_OTHER)


def reason_of(text: str) -> str:
    """Return why something is decided.

    Raises:
        HTTPException: 422, nothing is said.
    """
    if not text.strip():
        sentence = "a decision needs a reason; nothing was changed"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    return text.strip()


def take(request: Request, number: int) -> Response:
    """Take over a task that somebody else has open: it is given to who asks."""
    expect_decider(request)
    here = surroundings(request)
    order = Order(caller(request).name, here.now())
    with here.database.engine() as connection:
        index = SqlPatientIndex(connection, here.database.sealer)
        task_of(request, index, number)
        task_readers.take_over(index, number, order)
    return RedirectResponse(f"/work/mismatch/{number}", HTTPStatus.SEE_OTHER)


def _carry_out(
    here: Surroundings,
    number: int,
    ruling: tuple[str, str],
    order: Order,
    said: Said,
) -> None:
    what, survivor = ruling
    comment = said.comment.strip()
    with here.database.engine() as connection:
        index = SqlPatientIndex(connection, here.database.sealer)
        if what in _ON_SIGHT:
            expect_same(index, [worklist.shown(index, number)], said.seen)
        act(index, number, what, order, practice_of(here), survivor)
        if comment:
            task_work.comment(index, number, replace(order, reason=comment))
        index.flush()
