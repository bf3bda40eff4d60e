"""What a sender means by its words: its systems, its zone, its switches."""

from collections.abc import Callable
from typing import Final, TypeVar, cast
from zoneinfo import ZoneInfo

from engine.hl7 import Message, Repetition
from engine.hl7.datatypes import Hd
from engine.transforms.fhir.groups import Memory
from engine.transforms.fhir.mapped import Element, Lookup, MapContext, unknown
from engine.transforms.fhir.systems import (
    OID,
    WELL_KNOWN,
    is_absolute,
    licence_system,
    local_system,
    standard_system,
    universal_uri,
)
from engine.transforms.fhir.times import Moment, moment, offset_of

_MOST: Final = 4096
"""How many values of a kind are remembered before all are forgotten."""

Key = TypeVar("Key")
Value = TypeVar("Value")


def _remember(memory: dict[Key, Value], key: Key, value: Value) -> None:
    if len(memory) >= _MOST:
        memory.clear()
    memory[key] = value


def feed_of(message: Message, context: MapContext) -> "Feed":
    """Return the feed a message belongs to, the same object for equal senders."""
    header = message.segments[0]
    sender = header.text(4) or header.text(3) or context.sender
    place = (
        context.site, sender, context.authorities, context.systems, context.time_zone,
        offset_of(header.text(7)), header.raw(1) + header.raw(2), message.charset,
        context.options.profile,
    )  # fmt: skip
    feed = _FEEDS.get(place)
    if feed is None:
        feed = Feed(
            context.site,
            sender,
            authorities=context.authorities,
            systems=context.systems,
            zone=context.time_zone,
            offset=place[5],
        )
        if len(_FEEDS) >= _MOST_FEEDS:
            _FEEDS.clear()
        _FEEDS[place] = feed
    feed.cuts.clear()
    feed.unmapped.clear()
    return feed


_MOST_FEEDS: Final = 64


def forget() -> None:
    """Forget all feeds, and what was made of their words."""
    _FEEDS.clear()


class Feed:
    """The sender of a message, as the data types need to know it.

    One Feed serves all messages of a sender and remembers what it made of the words
    that come again: codes, units, doctors, wards. ``cuts`` gathers the times of day
    that had to be cut to their date for want of a zone; whoever reads a field takes
    them from there into the loss report. ``unmapped`` gathers the names of code systems
    that neither the site's table nor a standard knows, when a code is first met.
    """

    __slots__ = (
        "_authorities",
        "_memory",
        "_offset",
        "_systems",
        "_zone",
        "concepts",
        "cuts",
        "fields",
        "parties",
        "sender",
        "site",
        "unmapped",
    )  # fmt: skip

    def __init__(
        self,
        site: str,
        sender: str,
        *,
        authorities: Lookup = unknown,
        systems: Lookup = unknown,
        zone: ZoneInfo | None = None,
        offset: str = "",
    ) -> None:
        self.site = site
        self.sender = sender
        self._authorities = authorities
        self._systems = systems
        self._zone = zone
        self._offset = offset
        self.cuts: list[str] = []
        self.unmapped: set[str] = set()
        self.fields: Memory = {}
        self.concepts: dict[tuple[str, str, int], Element] = {}
        self._memory: dict[tuple[str, str], object] = {}

    def recall(
        self,
        kind: str,
        source: Repetition,
        build: Callable[["Feed", Repetition], Value],
    ) -> Value:
        """Return what ``build`` makes of a value, remembered from the last time.

        What is remembered is shared between messages: nobody may change it.

        Args:
            kind: name of the data type, so that equal text of two types differs; always
                used with the same ``build``.
            source: the value.
            build: called again where a time had to be cut, so that the cut is listed
                each time.
        """
        place = (kind, source.raw)
        known = self._memory.get(place)
        if known is not None:
            return cast("Value", known)
        cuts = len(self.cuts)
        found = build(self, source)
        if len(self.cuts) == cuts:
            _remember(self._memory, place, found)
        return found

    def remember_concept(self, place: tuple[str, str, int], found: Element) -> Element:
        """Keep a coded value for the next message; nobody may change it."""
        _remember(self.concepts, place, found)
        return found

    def moment(self, text: str) -> Moment:
        """Return a time as FHIR writes it, see `times.moment`."""
        found = moment(text, self._offset, self._zone)
        if found.cut:
            self.cuts.append(text)
        return found

    def date_time(self, text: str) -> str:
        """Return a dateTime; ``""`` where there is none or no rule reads it."""
        return self.moment(text).text if text else ""

    def code_system(self, mnemonic: str, oid: str = "") -> str:
        """Return the absolute URI of a coding's system.

        In order: an OID sent with the coding, the site's table, the settled mnemonics,
        the sender's own system.
        """
        if oid and (found := universal_uri(oid, "ISO")):
            return found
        known = self._systems(mnemonic) or standard_system(mnemonic)
        if known:
            return known
        if mnemonic:
            self.unmapped.add(mnemonic)
        return self.own_codes(mnemonic)

    def own_codes(self, name: str) -> str:
        """Return the URI of a code system that only this sender knows."""
        return local_system(self.site, self.sender, "codes", name)

    def identifier_system(self, authority: Hd, type_code: str = "") -> str:
        """Return the absolute URI of an identifier's system.

        In order: the site's table of assigning authorities, the universal id, the
        well-known systems, a URI minted for the sender.
        """
        namespace, universal_id, kind = authority
        if namespace and (found := self._authorities(namespace)):
            return found
        if universal_id and (found := universal_uri(universal_id, kind)):
            return found
        if namespace and is_absolute(namespace):
            return namespace
        if known := WELL_KNOWN.get(type_code) or WELL_KNOWN.get(namespace):
            return known
        if namespace and OID.fullmatch(namespace):
            return "urn:oid:" + namespace
        name = namespace.strip() or universal_id.strip() or type_code or "none"
        return local_system(self.site, self.sender, name)

    def licence_system(self, state: str) -> str:
        """Return the system of a driver's licence number issued by a state."""
        return licence_system(state) or self.identifier_system(Hd(state), "DL")


_FEEDS: Final[dict[tuple[object, ...], Feed]] = {}
"""A memory, not a state: what is in it only saves making it again."""
