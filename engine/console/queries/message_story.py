"""What was made of a message, computed again: edits, steps, and where a value is from.

Nothing of this is stored: the message goes through its channel once more, without any
effect. It is the channel of today; where the message ran under another revision the
page says so.

Spec:
    console.md S4; architecture.md 4 (content is stored once).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.channels.format.channel import Channel
from engine.channels.format.load import Site
from engine.channels.format.site_fields import site_fields
from engine.channels.processing.assemble import line_of
from engine.channels.processing.trial import Trial, attempt
from engine.channels.processing.why import Linked, Reason, linked, reasons
from engine.console.queries.fields import NO_NAMES, Field, Names, fields_of
from engine.errors import EngineError
from engine.hl7 import Message, parse
from engine.store import journal, queues, search
from engine.store.claims import Claimed
from engine.store.database import Connection
from engine.store.seal import Sealer
from engine.store.search import MessageFilter, MessageRow
from engine.transforms.fhir.paths import FhirPath, parse_fhir_path

MOST_NEIGHBOURS: Final = 200
_GONE: Final = "the channel or the content is not here any more"


@dataclass(frozen=True, slots=True)
class Difference:
    """One place of a message that is not as it came; patient data."""

    path: str
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened on the way; ``before`` and ``after`` are patient data."""

    stage: str
    line: str
    what: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """A message's second way through its channel; ``complaint`` says why there is none.

    ``same_revision`` tells whether the channel is what the message ran under.
    """

    complaint: str = ""
    same_revision: bool = True
    differences: tuple[Difference, ...] = ()
    steps: tuple[Step, ...] = ()
    reasons: tuple[Reason, ...] = ()
    links: tuple["Pair", ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """One value of a resource (patient data) and the fields it belongs to."""

    place: str
    value: str
    keys: tuple[str, ...]


def told_again(site: Site | None, found: MessageRow, data: bytes | None) -> Story:
    """Return the edits and steps of a stored message; ``data`` is what was received."""
    channels = site.channels if site else ()
    channel = next((each for each in channels if each.name == found.channel), None)
    if site is None or channel is None:
        return Story(f"the channel {found.channel} is not configured any more")
    if data is None:
        return Story("the content was removed by retention")
    same = channel.revision == found.revision or not found.revision
    try:
        trial = attempt(line_of(site, channel), data, traced=True)
        message = parse(data)
    except EngineError as error:
        return Story(f"it cannot be run again: {error}", same)
    if trial.message is None:
        return Story("it could not be read as a message", same)
    names = site_fields(site.settings)
    changed = tuple(differences(message, trial.message, names))
    return Story("", same, changed, tuple(_steps(trial, channel)))


def origin(
    site: Site | None,
    connection: Connection,
    found: MessageRow,
    data: bytes | None,
    wanted: str,
) -> Story:
    """Return where what stands at a FHIR path came from."""
    run = _again(site, connection, found, data)
    if run is None:
        return Story(_GONE)
    site, channel, claimed = run
    path = parse_fhir_path(wanted)
    if not isinstance(path, FhirPath):
        return Story(f"{wanted}: {path.sentence}; {path.hint}".strip("; "))
    try:
        told = reasons(site, channel, claimed, path)
    except EngineError as error:
        return Story(f"it cannot be run again: {error}")
    same = channel.revision == found.revision
    if not told:
        return Story(f"the map makes no {wanted} of this message", same)
    return Story("", same, reasons=tuple(told))


def side_by_side(
    site: Site | None, connection: Connection, found: MessageRow, data: bytes | None
) -> Story:
    """Return the values of the resources that come from fields, and from which."""
    run = _again(site, connection, found, data)
    if run is None:
        return Story(_GONE)
    site, channel, claimed = run
    try:
        links = linked(site, channel, claimed)
    except EngineError as error:
        return Story(f"it cannot be shown side by side: {error}")
    same = channel.revision == found.revision
    if not links:
        return Story("the map makes no resource of this message", same)
    return Story("", same, links=tuple(_pair(each) for each in links if each.sources))


def _pair(found: Linked) -> Pair:
    keys = dict.fromkeys(link_key(each.path) for each in found.sources)
    return Pair(found.place, found.value, tuple(keys))


def _again(
    site: Site | None, connection: Connection, found: MessageRow, data: bytes | None
) -> tuple[Site, Channel, Claimed] | None:
    """Return what a second way through the channel needs, if it is all still here."""
    channels = site.channels if site else ()
    channel = next((each for each in channels if each.name == found.channel), None)
    row = journal.row(connection, found.id)
    if site is None or channel is None or data is None or row is None:
        return None
    return site, channel, Claimed(row, data)


def link_key(path: str) -> str:
    """Return what a field and the sources of a value are called alike.

    Examples:
        >>> [link_key(each) for each in ("PID-8", "PID-8.1", "OBX[1]-5[1].2.3")]
        ['PID-8', 'PID-8', 'OBX-5.2']
    """
    segment, _, rest = path.replace("[1]", "").partition("-")
    field, *below = rest.split(".")
    return f"{segment}-{'.'.join([field, *below[:1]]).removesuffix('.1')}"


def differences(
    received: Message, edited: Message, names: Names = NO_NAMES
) -> Iterator[Difference]:
    """Yield every place where two messages differ, in the order of the second."""
    before, after = _by_path(received, names), _by_path(edited, names)
    for path in [*after, *(path for path in before if path not in after)]:
        old, new = before.get(path), after.get(path)
        if (old.value if old else "") != (new.value if new else ""):
            named = new or old
            assert named is not None
            yield Difference(
                path, named.name, old.value if old else "", new.value if new else ""
            )


def _by_path(message: Message, names: Names) -> dict[str, Field]:
    return {each.path: each for each in fields_of(message, names)}


def _steps(trial: Trial, channel: Channel) -> Iterator[Step]:
    outcome = trial.outcome
    yield Step("accept", "", f"answered {trial.code}")
    if outcome.state == "filtered":
        yield Step("filter", "", f"filtered: {outcome.reason}")
    elif channel.filter:
        yield Step("filter", "", "kept")
    yield from _changes(trial)
    yield from _made(trial)
    if outcome.failure is not None:
        yield Step(str(outcome.failure.stage), "", outcome.failure.sentence)


def _changes(trial: Trial) -> Iterator[Step]:
    """Yield what edit steps and rows of map changed, and what tables answered."""
    prepared = trial.prepared
    if prepared is None:
        return
    for change in prepared.context.changes or ():
        stage = "map" if change.of_resource else "edit"
        values = change.before, change.after
        yield Step(stage, change.line, f"{change.path} {change.note}".strip(), *values)
    for found in prepared.context.lookups:
        what = f"table {found.table}, version {found.version}"
        yield Step("table", found.line, what, found.code, found.result)


def _made(trial: Trial) -> Iterator[Step]:
    """Yield map, identity and render."""
    if trial.mapped is not None:
        kinds = [entry.kind for entry in trial.mapped.entries]
        made = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        lost = len(trial.mapped.losses)
        yield Step("map", "", f"{made}; {lost} fields reached no resource")
    if trial.decision is not None:
        why = ", ".join(map(str, trial.decision.reasons))
        yield Step("identity", "", f"on an empty index: {trial.decision.outcome} {why}")
    for name, made_of in trial.deliveries.items():
        sizes = sum(len(each.content) for each in made_of)
        yield Step("render", "", f"{name}: {len(made_of)} documents, {sizes:,} bytes")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What else came for the same person.

    ``newer_delivered`` are the later messages of which something has been delivered.
    """

    previous: int | None = None
    following: int | None = None
    newer_delivered: tuple[int, ...] = ()


def neighbours(connection: Connection, sealer: Sealer, found: MessageRow) -> Neighbours:
    """Return the messages of the same person before and after one."""
    if not found.person:
        return Neighbours()
    same = MessageFilter(person=found.person)
    earlier = search.messages(connection, sealer, same, before=found.id, limit=1)
    latest = search.messages(connection, sealer, same, limit=MOST_NEIGHBOURS)
    newer = sorted(each.id for each in latest if each.id > found.id)
    delivered = tuple(each for each in newer if _is_delivered(connection, each))
    return Neighbours(
        earlier[0].id if earlier else None, newer[0] if newer else None, delivered
    )


def _is_delivered(connection: Connection, number: int) -> bool:
    wanted = queues.DeliveryFilter(message_id=number)
    found = queues.deliveries(connection, wanted)
    return any(each.state == "delivered" for each in found)
