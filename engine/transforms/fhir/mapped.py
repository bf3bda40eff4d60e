"""What goes into the map step beside the message, and what comes out of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from engine.hl7.conformance import Finding
from engine.transforms.trace import Loss

Element: TypeAlias = dict[str, object]
"""A FHIR resource or element as it is written in JSON."""

Lookup: TypeAlias = Callable[[str], str | None]
"""From a sender's word to a URI; None where the site's tables do not know it."""

ENTERPRISE: Final = "EI"
"""Type code (table 0203) of the identifier that the identity step stamps."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def unknown(_word: str) -> None:
    """Answer a lookup for a site without tables."""


@dataclass(frozen=True, slots=True)
class MapOptions:
    """Switches of one feed, the ``map-options`` of its channel, each with its default.

    ``z`` names extensions: ``{"ZPV-4": {"url": "https://...", "type": "code"}}``.
    """

    snapshot: tuple[str, ...] = ()
    text_lines: str = "join"
    a04_status: str = "auto"
    merge: str = "link"
    source_message: str = "reference"
    documents: str = "inline"
    identifier: str = "MR"
    profile: str = "none"
    unknown_trigger: str = "refuse"
    z: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: MappingProxyType({})
    )


@dataclass(frozen=True, slots=True)
class MapContext:
    """Everything the map step may know that is not in the message.

    ``sender`` is the default where MSH-4 and MSH-3 are empty; ``authorities`` turns an
    assigning authority's namespace into a URI, ``systems`` a code-system mnemonic.
    ``received_at`` is aware; it is the time of our own Provenance.
    """

    site: str = "site"
    sender: str = "sender"
    time_zone: ZoneInfo | None = None
    received_at: datetime = _EPOCH
    authorities: Lookup = unknown
    systems: Lookup = unknown
    options: MapOptions = MapOptions()
    message_url: str = ""
    engine_version: str = "0"


@dataclass(slots=True, init=False)
class Entry:
    """One resource on its way into a Bundle.

    ``reference`` is the one Reference object that every other resource of the message
    uses for it, so a new ``full_url`` reaches them all. ``criteria`` is a query such as
    ``identifier=system|value``; PUT without one goes to ``Type/id``. ``nulls`` are the
    elements that an HL7 null asked to remove, ``removed`` the members of lists that the
    message takes away, ``presumed`` the elements it does not say itself. ``as_of`` is
    the instant from which a result is in this state, where the source tells one.
    ``renamed`` is the query by which later messages know what has a new number.
    ``parts`` are what its key is made of, where that is ours; ``known_as`` is the query
    of its own number, where the identity step gave it another.
    ``said`` names the parts that a server is to change, None where it takes the whole.
    ``segment`` is the index of the segment that made it, -1 for none.
    """

    resource: Element
    full_url: str
    method: str
    criteria: str
    segment: int
    nulls: list[str]
    removed: dict[str, list[Element]]
    presumed: tuple[str, ...]
    as_of: str
    renamed: str
    parts: tuple[str, ...]
    known_as: str
    said: frozenset[str] | None
    reference: Element
    kind: str
    owned: bool

    def __init__(
        self,
        resource: Element,
        full_url: str,
        method: str = "PUT",
        criteria: str = "",
        segment: int = -1,
    ) -> None:
        self.resource = resource
        self.full_url = full_url
        self.method = method
        self.criteria = criteria
        self.segment = segment
        self.nulls = []
        self.removed = {}
        self.presumed = ()
        self.as_of = ""
        self.renamed = ""
        self.parts = ()
        self.known_as = ""
        self.said = None
        self.owned = False
        self.reference = {"reference": full_url}
        self.kind = str(resource["resourceType"])

    def mention(self) -> Element:
        """Return a Reference that follows no move: for what messages share."""
        return {"reference": self.full_url}

    def enrich(self, name: str, value: object) -> None:
        """Add what the resource does not say yet; the resource itself may be shared."""
        known = self.resource.get(name)
        if value and known is None:
            self.resource = {**self.resource, name: value}
        elif isinstance(known, list) and isinstance(value, list):
            more = [one for one in value if one not in known]
            if more:
                self.resource = {**self.resource, name: known + more}

    def move(self, full_url: str, criteria: str) -> None:
        """Give the resource another identity; references to it follow."""
        self.full_url = full_url
        self.criteria = criteria
        self.reference["reference"] = full_url


class Party(NamedTuple):
    """Somebody or something a message refers to, the same in every message.

    The resource is shared between messages: whoever adds to it makes a copy.
    """

    resource: Element
    full_url: str
    criteria: str


class Told(NamedTuple):
    """When the source says it happened: as a UTC moment, and as FHIR dateTime.

    The moment is None where no time was given; it is reckoned in UTC where no zone is
    known, so that the messages of a feed keep their order, and the text is a date then.
    """

    at: datetime | None = None
    text: str = ""


UNTOLD: Final = Told()


@dataclass(slots=True)
class Mapped:
    """The resources of one message, what was lost and what was odd.

    The losses and what the entries hold cover every populated field of the message.
    ``unmapped`` are code systems of the sender met here for the first time.
    """

    site: str = ""
    entries: list[Entry] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unmapped: list[str] = field(default_factory=list)
    told: Told = UNTOLD

    def own(self, entry: Entry) -> Element:
        """Return a resource of this message that may be changed in place.

        What the map makes shares its parts with other messages of the feed. This copies
        them once; the Reference objects stay the ones that follow their entries.
        """
        if not entry.owned:
            references = {id(one.reference) for one in self.entries}
            copied = _copy(entry.resource, references)
            assert isinstance(copied, dict)
            entry.resource = copied
            entry.owned = True
        return entry.resource

    def all(self, kind: str) -> list[Entry]:
        """Return the entries of one resource type, in the order they were made."""
        return [entry for entry in self.entries if entry.kind == kind]

    @property
    def patients(self) -> list[Entry]:
        """Patients by segment: the one of a PID, then the prior one of its MRG."""
        return sorted(self.all("Patient"), key=lambda entry: entry.segment)


def _copy(value: object, references: set[int]) -> object:
    """Return a deep copy in which known Reference objects are kept."""
    if isinstance(value, dict):
        if id(value) in references:
            return value
        return {name: _copy(inner, references) for name, inner in value.items()}
    if isinstance(value, list):
        return [_copy(inner, references) for inner in value]
    return value
