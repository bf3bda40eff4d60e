"""Persons, and doubts about who is who: search, evidence, decisions.

Spec:
    console.md S6 and S7; identity.md 11.
"""

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final, Literal

import orjson
from fastapi import Query
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.console.api import models, person_models
from engine.console.api.lists import MOST, PAGE
from engine.console.api.orders import (
    Asked,
    Reasoned,
    carried_out,
    expect_version,
)
from engine.console.exposure import note_opening
from engine.console.fhir_api.answers import Refusal
from engine.console.pages.mismatch import (
    ROWS,
    practice_of,
    sees_confidential,
    sides_of,
    task_of,
)
from engine.console.pages.patient import ASKED, expect_person, fitting
from engine.console.permissions import Permission
from engine.console.queries import patient as queries
from engine.console.queries.encounters import encounters_of
from engine.console.seen import mark_of
from engine.console.surroundings import caller, surroundings
from engine.identity.enterprise_identifier import handle_of
from engine.identity.registration import Category
from engine.store import (
    patient_views,
    questions,
    second_looks,
    task_acts,
    task_moves,
    task_work,
    worklist,
)
from engine.store.audit import Order
from engine.store.database import Connection
from engine.store.patient_views import PersonView
from engine.store.patients import SqlPatientIndex
from engine.store.seal import Sealer
from engine.store.worklist import Task

Tasks = models.Listed[person_models.TaskRow]
Persons = models.Listed[person_models.Person]
Deed = Literal[
    "same",
    "different",
    "propose-same",
    "propose-different",
    "unsure",
    "source",
    "comment",
    "undo",
]
BY_PROGRAM: Final = "by the API"
"""Detail of a look that keeps no task open: programs look at all of them."""

_NEEDS: Final = "deciding about persons needs the permission view-phi too"


class TaskQuery(Asked):
    """Which open tasks, the most urgent first."""

    category: Category | None = None
    limit: int = Field(PAGE, ge=1, le=MOST)


class Decided(Reasoned):
    """What is decided; after *same* the enterprise identifier that goes on, or ""."""

    survivor: str = ""


class Moved(Reasoned):
    """Records of the persons in doubt, and whose they are; "" for a new person."""

    records: list[int] = Field(min_length=1)
    target: str = ""


class Question(Reasoned):
    """With whom somebody may be one person, by enterprise identifier."""

    other: str


class PersonSearch(Asked):
    """Whom to look for; it comes in a body, because no name stands in an address."""

    number: str = ""
    family: str = ""
    given: str = ""
    birthdate: str = ""


def tasks(request: Request, asked: Annotated[TaskQuery, Query()]) -> Tasks:
    """List the open tasks of the mismatch queue."""
    sees = caller(request).may(Permission.VIEW_CONFIDENTIAL)
    with surroundings(request).database.reading() as connection:
        found = task_work.by_priority(
            connection, asked.category, asked.limit, confidential=sees
        )
    return models.Listed(
        items=[person_models.TaskRow.model_validate(each) for each, _ in found]
    )


def task(request: Request, response: Response, number: int) -> person_models.Task:
    """Show one doubt with its evidence; its ETag goes with a decision as If-Match."""
    _expect_phi(request)
    here = surroundings(request)
    sealer = here.database.sealer
    with here.database.reading() as connection:
        index = SqlPatientIndex(connection, sealer)
        found = task_of(request, index, number)
        sides = sides_of(index, found)
        response.headers["ETag"] = _version(index, found)
    whom = {each.person for each in sides}
    note_opening(request, "view", f"task {number}", BY_PROGRAM, patients=whom)
    with here.database.reading() as connection:
        index = SqlPatientIndex(connection, sealer)
        encounters = encounters_of(
            *(index, task_moves.records_of(index, found)),
            *(here.now(), here.settings.zone),
            confidential=sees_confidential(request),
        )
        said = task_work.comments(index, number)
        look = second_looks.of_task(connection, number)
    evidence = patient_views.explained(found, here.directory.model)
    blind = second_looks.is_blind(look, caller(request).name)
    if blind:
        found, evidence, said = second_looks.blinded(found), [], []
    return person_models.Task(
        task=person_models.TaskRow.model_validate(found),
        candidates=[person_models.Candidate.model_validate(each) for each in evidence],
        records=[
            person_models.Record(
                record=each.record,
                person="" if blind else each.person,
                authority=each.authority,
                values=dict(zip(ROWS, each.values, strict=True)),
            )
            for each in sides
        ],
        comments=[person_models.Comment.model_validate(each) for each in said],
        encounters=[
            person_models.Encounter.model_validate(each) for each in encounters.visits
        ],
    )


def decide(request: Request, number: int, what: Deed, asked: Decided) -> Response:
    """Decide a doubt, ask or comment, or take a decision back."""
    practice = practice_of(surroundings(request))
    return _decided(
        *(request, number, asked),
        lambda index, order: task_acts.act(
            index, number, what, order, practice, asked.survivor
        ),
    )


def move(request: Request, number: int, asked: Moved) -> Response:
    """Answer a doubt by moving records: to a person, or off to a new one."""
    practice = practice_of(surroundings(request))
    wanted = task_moves.request_of(asked.records, asked.target)
    return _decided(
        *(request, number, asked),
        lambda index, order: task_moves.decide_by_move(
            *(index, number, wanted, order, practice),
            confidential=sees_confidential(request),
        ),
    )


def _decided(
    request: Request,
    number: int,
    asked: Reasoned,
    act: Callable[[SqlPatientIndex, Order], object],
) -> Response:
    """Carry out what somebody decides about a doubt, and answer with the doubt."""
    _expect_phi(request)

    def done(
        connection: Connection, sealer: Sealer, order: Order
    ) -> person_models.TaskRow:
        index = SqlPatientIndex(connection, sealer)
        found = task_of(request, index, number)
        expect_version(request, _version(index, found))
        act(index, order)
        index.flush()
        return person_models.TaskRow.model_validate(worklist.shown(index, number))

    return carried_out(request, asked, done)


def ask(request: Request, eid: str, asked: Question) -> Response:
    """Make a task of the question whether two persons are one; nobody is joined."""
    _expect_phi(request)
    here = surroundings(request)
    expect_person(request, here, eid)
    expect_person(request, here, asked.other)

    def done(
        connection: Connection, sealer: Sealer, order: Order
    ) -> person_models.TaskRow:
        index = SqlPatientIndex(connection, sealer)
        model = here.directory.model
        number = questions.ask(index, eid, asked.other, order, model)
        return person_models.TaskRow.model_validate(worklist.shown(index, number))

    return carried_out(request, asked, done)


def _version(index: SqlPatientIndex, found: Task) -> str:
    """Return what changes with a task and its records; it tells nothing of them."""
    parts = (
        *(found.id, found.state, found.decision, found.asked, found.assignee),
        mark_of(index, [found]),
        *((each.record, each.person) for each in found.candidates),
    )
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def find(request: Request, asked: PersonSearch) -> Persons:
    """Search for persons by number, or by names and birth date."""
    here = surroundings(request)
    wanted = {name: getattr(asked, name).strip() for name in ASKED}
    given = orjson.dumps({n: v for n, v in wanted.items() if v}).decode()
    note_opening(request, "search", "persons", given)
    sees = caller(request).may(Permission.VIEW_CONFIDENTIAL)
    with here.directory.open(here.database, confidential=sees) as lookup:
        try:
            found = fitting(lookup, wanted)
        except Refusal as error:
            raise HTTPException(error.status, str(error)) from error
    return models.Listed(items=[_person(each) for each in found])


def person(request: Request, eid: str) -> person_models.Person:
    """Show one person with the records behind them; a retired one's survivor."""
    here = surroundings(request)
    expect_person(request, here, eid)
    note_opening(request, "view", queries.PERSON, patients=[eid])
    with here.directory.open(here.database, confidential=True) as lookup:
        index = lookup.search.patients
        found = patient_views.view(index, eid, here.directory.ranks)
    assert found is not None  # expected above
    return _person(found)


def _person(found: PersonView) -> person_models.Person:
    groups = list(found.golden.chosen)
    return person_models.Person(
        eid=found.eid,
        handle=handle_of(found.eid),
        retired=list(found.retired),
        golden=[
            person_models.Golden(
                name=group, value=queries.said(group, found.golden.traits), rule=c.rule
            )
            for group, c in found.golden.chosen.items()
        ],
        records=[
            person_models.Record(
                record=each.record,
                person=found.eid,
                authority=each.authority,
                values={group: queries.said(group, each.traits) for group in groups},
            )
            for each in found.records
        ],
        identifiers=[
            person_models.Identifier.model_validate(one)
            for each in found.records
            for one in each.identifiers
        ],
    )


def _expect_phi(request: Request) -> None:
    if not caller(request).may(Permission.VIEW_PHI):
        raise HTTPException(HTTPStatus.FORBIDDEN, _NEEDS)
