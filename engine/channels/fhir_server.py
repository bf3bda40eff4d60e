"""A FHIR server asked before it is told: updates of parts, and resources one by one.

Whatever is told is asked for first, and told again from the start after a failure: all
of it is idempotent. A resource that somebody else changed in between is asked for
again. Identifiers travel in bodies and headers, never in an address.

Spec:
    FHIR R4 (4.0.1), http.html: search, conditional create, If-Match; fhir.md T19.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from engine.channels.fhir_answers import (
    batch_failure,
    held_in,
    outcome_in_words,
    read,
    statuses,
)
from engine.channels.http_client import HttpAnswer
from engine.channels.posting import Poster, failure_of
from engine.errors import AmbiguousError, NotNowError, PermanentError
from engine.transforms.fhir.bundle import (
    read_json,
    refer_outside,
    references_in,
    write_json,
)
from engine.transforms.fhir.exchange import (
    Held,
    entries_of,
    in_turn,
    marks_of,
    narrowed,
    onto,
    places_in,
    queries_in,
    query_of,
    request_of,
    resource_of,
    unmet_in,
    without,
)
from engine.transforms.fhir.mapped import Element

FHIR_JSON: Final = "application/fhir+json"
FORM: Final = "application/x-www-form-urlencoded"
TRIES: Final = 3
OVERTAKEN: Final = "overtaken"
_CREATED: Final = 201
_CHANGED: Final = frozenset({409, 410, 412})
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Told(NamedTuple):
    """What the server answered, and what came of it in words."""

    answer: bytes
    note: str


async def tell_parts(
    poster: Poster, content: bytes, may_leave: Callable[[], None], *, batch: bool
) -> Told:
    """Send a transaction of marked updates, each onto what the server has.

    ``may_leave`` is called before each request, and raises if it must not leave.

    Raises:
        DeliveryError: it was not taken; the type says what happens next.
    """
    server = _Server(poster, content, may_leave)
    return await _patiently(lambda: _told_together(server, batch=batch))


async def tell_each(
    poster: Poster, content: bytes, may_leave: Callable[[], None]
) -> Told:
    """Send the resources of a transaction one by one, each after what it refers to.

    Raises:
        DeliveryError: one of them was not taken; the type says what happens next.
    """
    server = _Server(poster, content, may_leave)
    return await _patiently(lambda: _told_in_turn(server))


async def _patiently(tell: Callable[[], Awaitable[Told]]) -> Told:
    for _ in range(TRIES - 1):
        try:
            return await tell()
        except NotNowError as error:
            if error.code != OVERTAKEN:
                raise
    return await tell()


def _overtaken() -> NotNowError:
    """Return that a resource changed between asking for it and telling it."""
    sentence = "others changed the same resources again and again while it was sent"
    return NotNowError(sentence, OVERTAKEN)


@dataclass(frozen=True, slots=True)
class _Server:
    """One server, and the transaction that is to be told there."""

    poster: Poster
    content: bytes
    may_leave: Callable[[], None]

    async def ask(
        self,
        method: str,
        below: str,
        content: bytes,
        more: Mapping[str, str] = _NOTHING,
        kind: str = FHIR_JSON,
    ) -> HttpAnswer:
        """Return the answer to one request, whatever its status."""
        return await self.poster.send(
            content,
            kind,
            self.may_leave,
            method=method,
            below=below,
            headers={"Accept": FHIR_JSON, **more},
        )

    async def held_together(self, queries: Sequence[str]) -> dict[str, Held]:
        """Return what the server has, asked for in one batch of searches."""
        if not queries:
            return {}
        asked: list[Element] = [
            {"request": {"method": "GET", "url": query}} for query in queries
        ]
        batch: Element = {"resourceType": "Bundle", "type": "batch", "entry": asked}
        answer = _taken(await self.ask("POST", "", write_json(batch)))
        if (failure := batch_failure(answer.body)) is not None:
            raise failure
        rows = entries_of(read(answer.body))
        if len(rows) != len(queries):
            raise AmbiguousError("the answer leaves searches out", "unreadable-answer")
        found = {
            q: held_in(row.get("resource"), q)
            for q, row in zip(queries, rows, strict=True)
        }
        return {query: held for query, held in found.items() if held is not None}

    async def held_each(self, queries: Sequence[str]) -> dict[str, Held]:
        """Return what the server has, asked for one after the other."""
        found = {}
        for query in queries:
            kind, _, criteria = query.partition("?")
            form = criteria.encode()
            answer = await self.ask("POST", f"/{kind}/_search", form, kind=FORM)
            held = held_in(read(_taken(answer, f"search for {kind}").body), query)
            if held is not None:
                found[query] = held
        return found


def _taken(answer: HttpAnswer, about: str = "") -> HttpAnswer:
    """Return an answer that took what was sent.

    Raises:
        DeliveryError: any other.
    """

    def in_words(body: bytes) -> str:
        return ": ".join(filter(None, (about, outcome_in_words(body))))

    if (failure := failure_of(answer, in_words)) is not None:
        raise failure
    return answer


# ---- all at once


async def _told_together(server: _Server, *, batch: bool) -> Told:
    bundle = read_json(server.content)
    found = await server.held_together(queries_in(bundle))
    created = narrowed(bundle, found)
    if not entries_of(bundle):
        return Told(b"", "nothing that the server does not have")
    content = write_json(bundle)
    answer = await server.ask("POST", "", content, {"Prefer": "return=minimal"})
    if answer.status in _CHANGED:
        raise _overtaken()
    _taken(answer)
    told = statuses(answer.body) if batch or created else []
    if any(status in _CHANGED for status in told):
        raise _overtaken()
    if batch and (failure := batch_failure(answer.body)) is not None:
        raise failure
    if any(told[place] != _CREATED for place in created if place < len(told)):
        raise _overtaken()
    return Told(answer.body, f"HTTP {answer.status}")


# ---- one by one


async def _told_in_turn(server: _Server) -> Told:
    bundle = read_json(server.content)
    found = await server.held_each(queries_in(bundle))
    if unmet := unmet_in(bundle, found):
        kinds = " and ".join(unmet)
        sentence = f"it refers to {kinds} resources that the server does not have"
        raise PermanentError(sentence, "reference-unknown")
    entries = entries_of(bundle)
    telling = _Telling(server, found, places_in(entries, found))
    for entry in in_turn(entries, telling.places):
        await telling.tell(entry)
    for place, resource in telling.unfinished:
        await telling.put(place, resource)
    answers: Element = {"resourceType": "Bundle", "type": "batch-response"}
    content = write_json({**answers, "entry": telling.answers})
    return Told(content, f"{len(telling.answers)} resources written one by one")


@dataclass(slots=True)
class _Telling:
    """The resources of one transaction while they are told in turn.

    ``places`` says where on the server what references name is; ``unfinished`` is what
    was created without a reference to something that came later.
    """

    server: _Server
    found: Mapping[str, Held]
    places: dict[str, str]
    answers: list[Element] = field(default_factory=list)
    unfinished: list[tuple[str, Element]] = field(default_factory=list)

    async def tell(self, entry: Element) -> None:
        """Write one resource, unless the server has it as it is to be."""
        resource, query = resource_of(entry), query_of(entry)
        refer_outside(resource, self.places)
        said, held = marks_of(entry), self.found.get(query)
        if held is None and query:
            await self._create(entry, query)
        elif held is None:
            await self.put(str(request_of(entry)["url"]), resource)
        elif said is not None:
            whole = onto(held, resource, said, self.places)
            if whole != held.resource:
                await self.put(held.place, whole, held.version)
        elif request_of(entry)["method"] == "PUT":
            await self.put(held.place, resource)

    async def put(self, place: str, resource: Element, version: str = "") -> None:
        """Write a resource at its place; with ``version`` only over that one."""
        refer_outside(resource, self.places)
        whole = {**resource, "id": place.partition("/")[2]}
        more = {"If-Match": version} if version else _NOTHING
        await self._written("PUT", place, whole, more)

    async def _create(self, entry: Element, query: str) -> None:
        """Create a resource; what it refers to and is not there yet follows later."""
        resource, (kind, _, criteria) = resource_of(entry), query.partition("?")
        absent = frozenset(
            target
            for one in references_in(resource)
            if (target := str(one["reference"])).startswith("urn:uuid:")
        )
        ready = without(resource, absent) if absent else resource
        answer = await self._written("POST", kind, ready, {"If-None-Exist": criteria})
        place = _place(answer, kind)
        self.places[str(entry["fullUrl"])] = self.places[query] = place
        if request_of(entry)["method"] == "PUT" and answer.status != _CREATED:
            raise _overtaken()
        if absent:
            self.unfinished.append((place, resource))

    async def _written(
        self, method: str, below: str, resource: Element, more: Mapping[str, str]
    ) -> HttpAnswer:
        content = write_json(resource)
        answer = await self.server.ask(method, f"/{below}", content, more)
        if answer.status in _CHANGED:
            raise _overtaken()
        _taken(answer, f"{resource['resourceType']}, after {len(self.answers)} others")
        where = answer.headers.get("location", below)
        told = {"status": str(answer.status), "location": where}
        self.answers.append({"response": told})
        return answer


def _place(answer: HttpAnswer, kind: str) -> str:
    """Return where on the server what was created is: by its address, else its id."""
    found = re.search(rf"\b{kind}/([A-Za-z0-9.-]{{1,64}})", _location(answer))
    number = found[1] if found else read(answer.body).get("id")
    if not number:
        raise AmbiguousError("the answer does not say what was made", "no-location")
    return f"{kind}/{number}"


def _location(answer: HttpAnswer) -> str:
    return answer.headers.get("location", "")
