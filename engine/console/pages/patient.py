"""S7 Patient: one person, all sources, and what was received and sent for them.

Opening one writes an audit row before anything is shown.

Spec:
    console.md S7; security.md S11.
"""

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Final

import orjson
from fastapi import Form
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.channels.queries.directory import Lookup
from engine.console.exposure import note_opening
from engine.console.fhir_api.answers import Refusal
from engine.console.fhir_api.parameters import read_parameters
from engine.console.listing import Listing, answer
from engine.console.permissions import Permission
from engine.console.queries import patient as queries
from engine.console.queries.link_graph import link_graph
from engine.console.rendering import page
from engine.console.surroundings import Surroundings, caller, surroundings
from engine.errors import IllegalTransitionError
from engine.store import (
    audit,
    delivery_moves,
    links,
    patient_views,
    previews,
    queues,
    saved_queries,
)
from engine.store.audit import Act, Order
from engine.store.moves import PERSON_MOVES
from engine.store.patient_views import PersonView
from engine.store.patients import SqlPatientIndex
from engine.store.previews import Preview

TABS: Final = ("identity", "timeline", "links", "documents", "disclosures", "views")
PAGE: Final = 25
COLUMNS: Final = ("at", "to", "what", "purpose", "basis", "by", "message")


class Asked(BaseModel):
    """Whom the form of a search asks for; what is empty is not asked for."""

    number: str = ""
    family: str = ""
    given: str = ""
    birthdate: str = ""


ASKED: Final = tuple(Asked.model_fields)


def patients(request: Request) -> Response:
    """Search for a person, and list who fits; the question stands in no address."""
    asked, found, complaint = looked_for(request)
    return page(request, "patients.html", asked=asked, found=found, complaint=complaint)


def looked_for(
    request: Request,
) -> tuple[dict[str, str], list[PersonView] | None, str]:
    """Return what was asked for under the address's key, who fits, and a complaint.

    Nobody was looked for (None) where the address has no key.

    Raises:
        HTTPException: 404, the search is kept no more.
    """
    here = surroundings(request)
    key = request.query_params.get("q", "")
    asked: dict[str, str] = dict.fromkeys(ASKED, "")
    if not key:
        return asked, None, ""
    with here.database.reading() as connection:
        kept = saved_queries.kept(connection, here.database.sealer, key)
    if kept is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "this search is kept no more")
    asked |= orjson.loads(kept)
    act = Act(here.now(), caller(request).name, "search", "persons", kept)
    with here.database.engine() as connection:
        audit.write(connection, here.database.sealer, [act])
    with here.directory.open(here.database, confidential=_sees(request)) as lookup:
        try:
            return asked, fitting(lookup, asked), ""
        except Refusal as error:
            return asked, [], str(error)


def fitting(lookup: Lookup, asked: dict[str, str]) -> list[PersonView]:
    """Return who fits, at most a page of them.

    Raises:
        Refusal: too many would fit, or what was asked cannot be understood.
    """
    index = lookup.search.patients
    among = None
    if asked["number"]:
        named = queries.find(index, (), asked["number"])
        hidden = lookup.search.hidden(named)
        among = [eid for eid in named if eid not in hidden]
    given = [(n, asked[n]) for n in ASKED[1:] if asked[n]]
    if given:
        wanted = read_parameters(given)
        fitting = lookup.search.page(wanted.criteria, 0, PAGE, among)
        if fitting.too_broad:
            sentence = "this fits too many; give a birth date, a number or more letters"
            raise Refusal(HTTPStatus.BAD_REQUEST, "too-costly", sentence)
        among = [each.person for each in fitting.found]
    views = (patient_views.view(index, eid) for eid in (among or [])[:PAGE])
    return [each for each in views if each is not None]


def ask(request: Request, asked: Annotated[Asked, Form()]) -> Response:
    """Take a search and go to the address that shows its answer."""
    query = keep_search(request, asked)
    return RedirectResponse(f"/patients{query}", HTTPStatus.SEE_OTHER)


def keep_search(request: Request, asked: Asked) -> str:
    """Keep a search; return the query of the address that shows its answer."""
    here = surroundings(request)
    values = asked.number, asked.family, asked.given, asked.birthdate
    given = {n: v.strip() for n, v in zip(ASKED, values, strict=True) if v.strip()}
    if not given:
        return ""
    text = orjson.dumps(given).decode()
    with here.database.engine() as connection:
        key = saved_queries.keep(
            connection, here.database.sealer, text, caller(request).name, here.now()
        )
    return f"?q={key}"


def patient(request: Request, eid: str, tab: str = "identity") -> Response:
    """Show one person, the part of them that the address asks for."""
    here = surroundings(request)
    form = request.path_params.get("form", "")
    expect_person(request, here, eid)
    note_opening(request, "view", queries.PERSON, patients=[eid])
    sealer = here.database.sealer
    with here.directory.open(here.database, confidential=True) as lookup:
        index, connection = lookup.search.patients, lookup.connection
        found = patient_views.view(index, eid, here.directory.ranks)
        assert found is not None  # expected above
        every = (found.eid, *found.retired)
        past = queries.passed(connection, sealer, every)
        acts = queries.acts_of(connection, sealer, every)
        away = queries.merged(connection, eid) if found.eid != eid else None
        numbers = queries.numbers(index, found.eid)
        events = links.history(connection, [each.record for each in found.records])
        parked = queues.parked(connection, person=found.eid)
        tasks = queries.open_tasks(connection, found, confidential=_sees(request))
    told = queries.disclosures(past, acts)
    asked, number = _asked(request)
    listing = Listing("disclosures", COLUMNS, [asdict(each) for each in told])
    if form:
        return answer(request, listing, "patient.html")
    return page(
        request,
        "patient.html",
        eid=eid,
        person=found,
        away=away,
        rows=queries.rows_of(found),
        numbers=numbers,
        age_of=queries.years(found.golden.traits.birth, here.now()),
        born=queries.day(found.golden.traits.birth),
        name=queries.said("name", found.golden.traits),
        events=events,
        graph=link_graph(found, events),
        past=past,
        acts=acts,
        disclosures=told,
        parked=parked,
        tasks=tasks,
        tab=tab if tab in TABS else TABS[0],
        tabs=TABS,
        may_decide=caller(request).may(Permission.WORK_IDENTITY),
        undone={each.undoes for each in events},
        asked=asked,
        number=number,
        preview=_preview(request, found.eid, asked, number),
        may_send=caller(request).may(Permission.REPLAY),
    )


def _asked(request: Request) -> tuple[str, int]:
    """Return the move to be looked at before it is made, and of which number."""
    for what in PERSON_MOVES:
        number = request.query_params.get(what, "")
        if number.isdecimal() and caller(request).may(Permission.WORK_IDENTITY):
            return what, int(number)
    return "", 0


def _preview(request: Request, eid: str, what: str, number: int) -> Preview | None:
    if not what:
        return None
    here = surroundings(request)
    order = Order(caller(request).name, here.now(), "preview")
    with here.database.engine() as connection:
        index = SqlPatientIndex(connection, here.database.sealer)
        try:
            return previews.preview(
                index,
                lambda trial: PERSON_MOVES[what](trial, eid, number, order),
                here.forms,
                here.directory.ranks,
            )
        except IllegalTransitionError:
            return None  # somebody was faster: the page shows what is there now


def _sees(request: Request) -> bool:
    return caller(request).may(Permission.VIEW_CONFIDENTIAL)


def expect_person(request: Request, here: Surroundings, eid: str) -> None:
    """Refuse whom there is not; a confidential person is nobody to most.

    Raises:
        HTTPException: 404.
    """
    with here.directory.open(here.database, confidential=_sees(request)) as lookup:
        if not lookup.today(eid):
            sentence = "there is no such person; search by name or number instead"
            raise HTTPException(HTTPStatus.NOT_FOUND, sentence)


def disclose(
    request: Request,
    eid: str,
    to: Annotated[str, Form()] = "",
    what: Annotated[str, Form()] = "",
    purpose: Annotated[str, Form()] = "",
    basis: Annotated[str, Form()] = "",
) -> Response:
    """Note that something of a person was given to somebody."""
    here = surroundings(request)
    expect_person(request, here, eid)
    values = [each.strip() for each in (to, what, purpose, basis)]
    if not all(values[:3]):
        sentence = "say to whom, what and for what purpose; nothing was noted"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    detail = orjson.dumps(dict(zip(queries.FIELDS, values, strict=True))).decode()
    who = caller(request).name
    act = Act(here.now(), who, queries.DISCLOSED, queries.subject(eid), detail)
    with here.database.engine() as connection:
        audit.write(connection, here.database.sealer, [act])
    return RedirectResponse(f"/patients/{eid}?tab=disclosures", HTTPStatus.SEE_OTHER)


def release(
    request: Request, eid: str, reason: Annotated[str, Form()] = ""
) -> Response:
    """Send again what parks a person: their lane goes on in order."""
    here = surroundings(request)
    expect_person(request, here, eid)
    order = Order(caller(request).name, here.now(), reason or "released")
    try:
        with here.database.engine() as connection:
            ids = [e.delivery_id for e in queues.parked(connection, person=eid)]
            delivery_moves.resend(connection, here.database.sealer, ids, order)
    except IllegalTransitionError as error:
        sentence = f"nothing was changed: {error}; somebody may have been faster"
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error
    return RedirectResponse(f"/patients/{eid}", HTTPStatus.SEE_OTHER)
