"""Reading a Patient, and searching for one (PDQm, ITI-78).

A search may be sent as a form, so that no name stands in an address; links to further
pages carry a sealed text for the same reason.

Spec:
    identity.md 11, ITI-78 and "a read of a retired EID"; security.md S24.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from http import HTTPStatus
from typing import Annotated, Final

import orjson
from fastapi import Path
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from engine.channels.queries.directory import Lookup
from engine.console.fhir_api.answers import (
    FORM,
    Refusal,
    audited,
    base_of,
    searchset,
    told,
)
from engine.console.fhir_api.parameters import Asked, read_parameters
from engine.console.permissions import Permission
from engine.console.surroundings import Surroundings, caller, surroundings
from engine.errors import EngineError
from engine.store.person_search import Page
from engine.transforms.fhir.mapped import Element

PAGE: Final = "_page"
_CONTEXT: Final = "fhir page"
PersonId = Annotated[str, Path(alias="id")]


async def read(request: Request, person: PersonId) -> Response:
    """Answer with one Patient; a retired one says who it became."""
    here = surroundings(request)
    sees = caller(request).may(Permission.VIEW_CONFIDENTIAL)

    def look() -> Element | None:
        with here.directory.open(here.database, confidential=sees) as lookup:
            today = lookup.today(person)
            if not today:
                return None
            if today != person:
                return _retired(here, person, today)
            return lookup.patients([person])[0]

    found = await run_in_threadpool(look)
    await audited(request, "view.patient", person, [person] if found else [])
    if found is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "not-found", "no such Patient")
    return told(found)


def _retired(here: Surroundings, person: str, survivor: str) -> Element:
    system = here.settings.identity_system
    link = {"other": {"reference": f"Patient/{survivor}"}, "type": "replaced-by"}
    return {
        "resourceType": "Patient",
        "id": person,
        "identifier": [{"use": "old", "system": system, "value": person}],
        "active": False,
        "link": [link],
    }


async def search(request: Request) -> Response:
    """Answer with the persons who fit the parameters of the address."""
    return await _searched(request, request.query_params.multi_items())


async def search_by_form(request: Request) -> Response:
    """Answer with the persons who fit the parameters in the body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        sentence = f"send {FORM}"
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-supported", sentence)
    sent = (await request.form()).multi_items()
    form = [(name, value) for name, value in sent if isinstance(value, str)]
    return await _searched(request, [*request.query_params.multi_items(), *form])


async def _searched(request: Request, given: list[tuple[str, str]]) -> Response:
    asked, start = await run_in_threadpool(_asked, request, given)
    page, entries = await run_in_threadpool(_page, request, asked, start)
    query = [*asked.given, ["start", str(start)]]
    persons = [each.person for each in page.found]
    await audited(request, "query.pdqm", query, persons)
    if page.too_broad:
        sentence = (
            "this would be too many; give a family name, a birth date, a phone number "
            "or an identifier, or more letters of the name"
        )
        raise Refusal(HTTPStatus.BAD_REQUEST, "too-costly", sentence)
    here, base = surroundings(request), base_of(request)
    links = {"self": _link(here, base, asked, start)}
    if page.more:
        links["next"] = _link(here, base, asked, start + asked.count)
    if start:
        links["previous"] = _link(here, base, asked, max(start - asked.count, 0))
    return told(searchset(entries, page.total, links))


def _asked(request: Request, given: list[tuple[str, str]]) -> tuple[Asked, int]:
    start = 0
    if [name for name, _ in given] == [PAGE]:
        given, start = _unsealed(surroundings(request), given[0][1])
    return read_parameters(given), start


def _link(here: Surroundings, base: str, asked: Asked, start: int) -> str:
    content = orjson.dumps([asked.given, start])
    sealed = urlsafe_b64encode(here.database.sealer.seal(content, _CONTEXT))
    return f"{base}Patient?{PAGE}={sealed.decode().rstrip('=')}"


def _unsealed(here: Surroundings, text: str) -> tuple[list[tuple[str, str]], int]:
    try:
        sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        given, start = orjson.loads(here.database.sealer.open(sealed, _CONTEXT))
    except (EngineError, NotBase64, ValueError):
        sentence = f"{PAGE} is no link of ours"
        raise Refusal(HTTPStatus.BAD_REQUEST, "invalid", sentence) from None
    return [(name, value) for name, value in given], start


def _page(request: Request, asked: Asked, start: int) -> tuple[Page, list[Element]]:
    here, base = surroundings(request), base_of(request)
    sees = caller(request).may(Permission.VIEW_CONFIDENTIAL)
    with here.directory.open(here.database, confidential=sees) as lookup:
        domains = _domains(lookup, asked)
        page = lookup.search.page(
            asked.criteria, start, asked.count, _among(lookup, asked)
        )
        patients = lookup.patients([each.person for each in page.found])
    entries: list[Element] = [
        {
            "fullUrl": f"{base}Patient/{each.person}",
            "resource": _restricted(patient, domains),
            "search": {"mode": "match", "score": round(each.score, 4)},
        }
        for each, patient in zip(page.found, patients, strict=True)
    ]
    return page, entries


def _domains(lookup: Lookup, asked: Asked) -> set[str]:
    found = {lookup.authority(each) for each in asked.domains}
    if None in found:
        sentence = "the system of an identifier asked for is not known"
        raise Refusal(HTTPStatus.FORBIDDEN, "code-invalid", sentence)
    return {each for each in found if each is not None}


def _restricted(patient: Element, domains: set[str]) -> Element:
    """Return a Patient with the identifiers of the domains asked for only."""
    if not domains:
        return patient
    listed = patient["identifier"]
    assert isinstance(listed, list)
    kept = [
        one
        for one in listed
        if one.get("system", one.get("assigner", {}).get("display")) in domains
    ]
    return {**patient, "identifier": kept}


def _among(lookup: Lookup, asked: Asked) -> list[str] | None:
    """Return the persons that ``_id`` and identifiers name; None without any."""
    if not asked.names_somebody:
        return None
    groups = [_named(lookup, *each) for each in asked.identifiers]
    if asked.ids:
        groups.append({today for each in asked.ids if (today := lookup.today(each))})
    return sorted(set.intersection(*groups))


def _named(lookup: Lookup, system: str, value: str) -> set[str]:
    authority = lookup.authority(system)
    return set(lookup.persons(authority, value)) if authority else set()
