"""ITI-10: subscribers hear when the set of a person's identifiers has changed.

The link events are what changes it: a registration, a number more, a move. Each
subscriber goes through them on its own, in the transaction that queues what it is sent,
and is sent the set as it is then.

Spec:
    identity.md 11, ITI-10 notification.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.channels.format.channel import Channel, Destination
from engine.channels.patient_pid import cx, pid_segment
from engine.channels.processing.assemble import AUTHORITIES, Line
from engine.channels.processing.rendering import HL7
from engine.channels.processing.store_view import StoreView
from engine.channels.queries.directory import spoken_of
from engine.hl7.dictionary import DEFAULT_VERSION
from engine.identity.index import Identifier
from engine.store import corrections, identifier_sets
from engine.store.database import Connection
from engine.store.deliveries import NewDelivery, enqueue
from engine.store.identifier_sets import Changed
from engine.store.words import OnFailure

PAGE: Final = 500
_NO_NAME: Final = "^^^^^^S"
"""PID-5 is required; the name is not what a subscriber asked for."""


def subscribers(channel: Channel) -> list[Destination]:
    """Return the destinations of a channel that are told of identifiers."""
    if not channel.identity.match:
        return []
    return [
        each
        for each in channel.destinations
        if each.mllp is not None and each.mllp.pix_updates and not each.simulate
    ]


def are_waiting(connection: Connection, channel: Channel) -> bool:
    """Whether a subscriber has something to look at."""
    return any(
        identifier_sets.is_behind(connection, _place(channel, each))
        for each in subscribers(channel)
    )


def notify(line: Line, view: StoreView, now: datetime) -> int:
    """Queue what the subscribers of a channel are told; return how much."""
    channel = line.desk.channel
    return sum(
        _Subscriber(line, each, view, now).told() for each in subscribers(channel)
    )


def _place(channel: Channel, destination: Destination) -> str:
    return f"{channel.name}/{destination.name}"


@dataclass(frozen=True, slots=True)
class _Subscriber:
    """One destination on its way through the link events."""

    line: Line
    destination: Destination
    view: StoreView
    now: datetime

    def told(self) -> int:
        """Go on behind the last event; one that is new begins with what comes next."""
        connection, place = self.view.connection, self.place
        corrections.begin(connection, place)
        count = 0
        while found := identifier_sets.changed(self.view.index, place, PAGE):
            news = list(self._news(found))
            enqueue(
                connection,
                self.view.sealer,
                [(each.message, 1, n, made) for n, (each, made) in enumerate(news)],
                self.now,
            )
            corrections.finish(connection, place, found[-1].event)
            count += len(news)
        return count

    @property
    def place(self) -> str:
        """What its position and its memory are kept under."""
        return _place(self.line.desk.channel, self.destination)

    def _news(self, found: Iterable[Changed]) -> Iterator[tuple[Changed, NewDelivery]]:
        """Yield what is new to the subscriber, each person once: as they are now."""
        latest = {each.person: each for each in found}
        sets = identifier_sets.of_persons(self.view.index, list(latest))
        for person, change in latest.items():
            numbers = [n for n in sets.get(person, ()) if self._wants(n)]
            if identifier_sets.learn(
                self.view.index, self.place, person, numbers, surely=change.moved
            ):
                yield change, self._delivery(change, numbers)

    def _wants(self, number: Identifier) -> bool:
        assert self.destination.mllp is not None
        assigners = self.line.desk.reading.assigners
        wanted = self.destination.mllp.pix_updates
        return number.authority in {
            assigners[name].key if name in assigners else name for name in wanted
        }

    def _delivery(self, change: Changed, numbers: Iterable[Identifier]) -> NewDelivery:
        channel, name = self.line.desk.channel, self.destination.name
        control_id = f"U{change.event}P{change.record}"
        return NewDelivery(
            channel.name,
            name,
            change.person,
            self._written(numbers, control_id),
            HL7,
            name=control_id,
            person=change.person,
            on_failure=OnFailure(self.destination.on_failure),
            note=f"identifiers changed: link event {change.event}",
            event=change.event,
        )

    def _written(self, numbers: Iterable[Identifier], control_id: str) -> bytes:
        """Return ADT^A31 with the identifiers, PV1-2 ``N``: it is about no visit."""
        channel = self.line.desk.channel
        spoken = spoken_of(channel.tables.get(AUTHORITIES))
        listed = "~".join(
            cx(each, *reversed(spoken.get(each.authority, ("", ""))))
            for each in numbers
        )
        when = f"{self.now:%Y%m%d%H%M%S%z}"
        sender = self.line.desk.persons.site
        head = f"MSH|^~\\&|INTEROP|{sender}|||{when}||ADT^A31^ADT_A05|{control_id}"
        lines = (
            f"{head}|P|{DEFAULT_VERSION}||||||UNICODE UTF-8",
            f"EVN|A31|{when}",
            pid_segment({1: "1", 3: listed, 5: _NO_NAME}),
            "PV1|1|N",
        )
        return "".join(f"{each}\r" for each in lines).encode()
