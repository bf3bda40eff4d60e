"""PIX and PDQ over HL7 v2: queries of a channel answered from the index.

Spec:
    identity.md 11, ITI-9, ITI-21 and ITI-22; 14, M10 and M20; channel-format.md 3.1,
    ``query``.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

import orjson

from engine.channels.format.channel import Channel, Query
from engine.channels.format.load import Site
from engine.channels.patient_pid import cx, pid_fields, pid_segment
from engine.channels.queries.asking import (
    UNABLE,
    UNKNOWN,
    Demand,
    Refused,
    demand,
    domains,
    pointer_of,
    quantity,
    query_segment,
)
from engine.channels.queries.directory import Directory, Lookup, directory_of
from engine.channels.queries.responses import (
    ANSWERS,
    Response,
    acknowledge_cancel,
    write,
)
from engine.channels.queries.visits import visits_of
from engine.errors import EngineError
from engine.hl7 import Message, parse
from engine.hl7.acknowledgment import AckFault
from engine.hl7.datatypes import Hd
from engine.hl7.segment import Segment
from engine.identity.index import Identifier
from engine.store import audit
from engine.store.audit import Act
from engine.store.database import Database
from engine.transforms.fhir.mapped import Element

PROFILES: Final = {"Q23": "pix", "Q22": "pdq", "ZV1": "pdq"}
CANCEL: Final = "J01"
MOST_POINTERS: Final = 1_000
KEPT: Final = timedelta(minutes=10)
_NO_SUCH_QUERY: Final = AckFault("201", location="MSH^1^9", text="not answered here")
_FAILED: Final = AckFault(UNABLE, text="the index could not be asked")
_TOO_BROAD: Final = AckFault(
    UNABLE,
    location="QPD^1^3",
    text="too many persons: give a family name, a birth date, a phone or an identifier",
)


@dataclass(frozen=True, slots=True)
class Rest:
    """Where an answer goes on: whose query it is, and how many persons were given."""

    asker: str
    tag: str
    asked: str
    start: int
    until: datetime


@dataclass(slots=True)
class Pointers:
    """What DSC-1 of an answer stands for, until it is used, cancelled or too old."""

    _rests: OrderedDict[str, Rest] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def keep(self, rest: Rest) -> str:
        """Return a new pointer; of too many the oldest is forgotten."""
        pointer = secrets.token_hex(16)
        with self._lock:
            self._rests[pointer] = rest
            while len(self._rests) > MOST_POINTERS:
                self._rests.popitem(last=False)
        return pointer

    def find(self, pointer: str, asker: str, now: datetime) -> Rest | None:
        """Return what a pointer stands for, if this asker was given it."""
        rest = self._rests.get(pointer)
        if rest is None or rest.asker != asker or rest.until < now:
            return None
        return rest

    def cancel(self, asker: str, tag: str) -> None:
        """Forget where the answer to a query goes on."""
        with self._lock:
            for pointer, rest in list(self._rests.items()):
                if (rest.asker, rest.tag) == (asker, tag):
                    del self._rests[pointer]


@dataclass(slots=True)
class Answering:
    """Answers the queries of a node's channels; called in threads.

    Args:
        database: the open store.
        site: gives the configuration as it is now.
        now: the clock.
        new_control_id: names answers.
    """

    database: Database
    site: Callable[[], Site]
    now: Callable[[], datetime]
    new_control_id: Callable[[], str]
    _directories: dict[str, Directory] = field(default_factory=dict)
    _pointers: Pointers = field(default_factory=Pointers)

    def answer(self, channel: Channel, data: bytes, peer: str) -> bytes | None:
        """Return the answer to one message; None where it is no query.

        Who asked what, and who was in the answer, is on disk before this returns.
        """
        message = parse(data)
        asker = f"{channel.name} {peer}"
        kind = message.message_type, message.trigger_event
        if kind == ("QCN", CANCEL):
            self._cancel(message, asker)
            return acknowledge_cancel(
                message, now=self.now(), control_id=self.new_control_id()
            )
        if kind[0] != "QBP" or kind[1] not in ANSWERS or channel.query is None:
            return None
        try:
            response = self._respond(channel, channel.query, message, asker)
            self._write_down(message, asker, response)
        except EngineError:  # the store refused: nothing may be shown unaudited
            response = Response("AE", fault=_FAILED)
        return write(
            message, response, now=self.now(), control_id=self.new_control_id()
        )

    def _cancel(self, message: Message, asker: str) -> None:
        qid = message.first("QID")
        if qid is not None:
            self._pointers.cancel(asker, qid.text(1))

    def _respond(
        self, channel: Channel, query: Query, message: Message, asker: str
    ) -> Response:
        profile = PROFILES[message.trigger_event]
        if profile not in query.answer:
            return Response("AR", fault=_NO_SUCH_QUERY)
        try:
            qpd = query_segment(message)
            with self._directory(channel).open(self.database) as lookup:
                if profile == "pix":
                    return _cross_reference(_Asked(lookup, query, message, qpd))
                asked = _Asked(lookup, query, message, qpd)
                return self._demographics(asked, asker)
        except Refused as refused:
            return Response("AE", fault=refused.fault)

    def _directory(self, channel: Channel) -> Directory:
        """Return the index as a channel's revision names things."""
        if channel.revision not in self._directories:
            made = directory_of(self.site(), channel.identity.model)
            self._directories = {channel.revision: made, **self._directories}
        return self._directories[channel.revision]

    def _write_down(self, message: Message, asker: str, response: Response) -> None:
        qpd = message.first("QPD")
        detail = orjson.dumps(
            {
                "query": "" if qpd is None else qpd.encoded,
                "status": response.status,
                "persons": list(response.persons),
            }
        ).decode()
        action = f"query.{PROFILES[message.trigger_event]}"
        act = Act(self.now(), asker, action, "patient index", detail)
        with self.database.engine() as connection:
            audit.write(connection, self.database.sealer, [act])

    # -- PDQ ---------------------------------------------------------------------------

    def _demographics(self, asked: "_Asked", asker: str) -> Response:
        start = self._start(asked, asker)
        wanted = demand(asked.qpd)
        count = quantity(asked.message, asked.query.max_results)
        domains = asked.domains(8)
        lookup = asked.lookup
        page = lookup.search.page(wanted.criteria, start, count, asked.among(wanted))
        if page.too_broad:
            return Response("AE", fault=_TOO_BROAD)
        persons = tuple(each.person for each in page.found)
        if not persons:
            return Response("NF", counts=(0, 0, 0))
        segments: list[str] = []
        for number, (found, patient) in enumerate(
            zip(page.found, lookup.patients(persons), strict=True), start + 1
        ):
            segments.append(asked.pid(number, found.person, patient, domains))
            if asked.message.trigger_event == "ZV1":
                segments += visits_of(lookup, found.person)
            segments.append(f"QRI|{round(found.score * 100)}||interop-engine")
        given = start + len(persons)
        counts: tuple[int, ...] = ()
        if page.total is not None:
            counts = page.total, len(persons), page.total - given
        pointer = self._keep(asked, asker, given) if page.more else ""
        return Response("OK", segments, None, counts, pointer, persons)

    def _start(self, asked: "_Asked", asker: str) -> int:
        """Return how many persons the asker has been given already."""
        pointer = pointer_of(asked.message)
        if not pointer:
            return 0
        rest = self._pointers.find(pointer, asker, self.now())
        if rest is None or rest.asked != asked.qpd.encoded:
            raise Refused(UNKNOWN, "DSC^1^1", "no answer is to be continued there")
        return rest.start

    def _keep(self, asked: "_Asked", asker: str, given: int) -> str:
        qpd = asked.qpd
        until = self.now() + KEPT
        return self._pointers.keep(Rest(asker, qpd.text(2), qpd.encoded, given, until))


@dataclass(frozen=True, slots=True)
class _Asked:
    """One query at one moment of the index."""

    lookup: Lookup
    query: Query
    message: Message
    qpd: Segment

    def authority(self, named: Hd) -> str | None:
        """Return an authority this channel answers for, None for others."""
        known = self.lookup.authority(named.universal_id, named.namespace)
        return known if known is not None and self._served(known) else None

    def _served(self, authority: str) -> bool:
        served = {self.lookup.authority(each) for each in self.query.domains}
        return not served or authority in served

    def domains(self, field: int) -> frozenset[str]:
        """Return the domains whose numbers are wanted; none means all.

        Raises:
            Refused: one is not known.
        """
        found = set()
        for place, named in domains(self.qpd, field):
            authority = self.authority(named)
            if authority is None:
                location = f"QPD^1^{field}^{place}"
                raise Refused(UNKNOWN, location, "the domain is not known")
            found.add(authority)
        return frozenset(found)

    def shown(
        self, person: str, domains: frozenset[str], own: tuple[str, ...] = ()
    ) -> list[Identifier]:
        """Return the numbers of a person that the answer may hold."""
        return [
            each
            for each in self.lookup.cross_reference(person)
            if self._served(each.authority)
            and (not domains or each.authority in domains)
            and (each.authority, each.value) != own
        ]

    def pid(
        self, number: int, person: str, patient: Element, domains: frozenset[str]
    ) -> str:
        """Return the PID of somebody found."""
        numbers = [self.cx(each) for each in self.shown(person, domains)]
        return pid_segment({1: str(number), **pid_fields(patient, numbers)})

    def cx(self, identifier: Identifier) -> str:
        """Return a number as this site names its authority."""
        spoken = self.lookup.directory.spoken
        namespace, oid = spoken.get(identifier.authority, ("", ""))
        return cx(identifier, oid, namespace)

    def among(self, wanted: Demand) -> list[str] | None:
        """Return the persons a number in the query names, None without one."""
        if not wanted.number:
            return None
        namespace, universal = wanted.issuer
        if not (namespace or universal):
            raise Refused(UNKNOWN, "QPD^1^3", "a number is searched with its authority")
        authority = self.authority(Hd(namespace, universal))
        if authority is None:
            return []
        return self.lookup.persons(authority, wanted.number)


def _cross_reference(asked: _Asked) -> Response:
    """Answer ITI-9: the other numbers of whoever has one."""
    source = asked.qpd.first(3)
    value = source.text(1).strip() if source is not None else ""
    if source is None or not value:
        raise Refused("101", "QPD^1^3", "whose numbers are asked for?")
    authority = asked.authority(Hd.within(source.sub(4)) if source.sub(4) else Hd())
    if authority is None:
        raise Refused(UNKNOWN, "QPD^1^3^1^4", "the domain is not known")
    domains = asked.domains(4)
    persons = asked.lookup.persons(authority, value)
    if len(persons) != 1:
        raise Refused(UNKNOWN, "QPD^1^3^1^1", "the identifier is not known")
    found = asked.shown(persons[0], domains, (authority, value))
    if not found:
        return Response("NF", persons=tuple(persons))
    numbers = "~".join(map(asked.cx, found))
    segment = pid_segment({3: numbers, 5: "^^^^^^S"})
    return Response("OK", [segment], persons=tuple(persons))
