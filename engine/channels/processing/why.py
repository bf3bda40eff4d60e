"""Why a value is in the output: its fields, edits, map rules, rows and code tables.

Nothing of this is stored. The message goes through the channel again with one part of
the message, one edit, one row of ``map`` or one row of a code table left out at a time;
what then looks different came from there.

Spec:
    channel-format.md 6, Trace; cli.md 4; architecture.md 4.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from engine.channels.format.channel import Channel
from engine.channels.format.load import Site
from engine.channels.processing.assemble import AUTHORITIES, line_of
from engine.channels.processing.outcomes import SYSTEMS
from engine.channels.processing.prepare import Feed, prepare
from engine.channels.processing.prepared import Ended, Prepared
from engine.errors import TransformError
from engine.hl7 import Message, Path, parse
from engine.hl7.path import parse_path
from engine.store.claims import Claimed
from engine.transforms.code_tables import FROM, CodeTable
from engine.transforms.fhir.mapped import Mapped
from engine.transforms.fhir.paths import FhirPath, locate
from engine.transforms.fhir.readers import readers
from engine.transforms.fhir.sources import (
    Source,
    Spot,
    Traced,
    another,
    parts_of,
    trace,
)
from engine.transforms.trace import Change

MOST_PARTS: Final = 300
"""A message with more is not linked whole: it would take many seconds."""

_NUMBER: Final = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Reason:
    """Where one value comes from; ``value`` and those of the sources are patient data.

    Attributes:
        place: such as ``Patient[2].name[0].family``, numbered where there are several.
        value: the value as text.
        sources: parts of the message as received, the most specific first; none for
            what the channel or the map says of itself.
        edits: changes on the way, by place in the channel.
        rules: functions of the built-in map that read the most specific part.
        rows: rows of ``map`` that wrote the value, by place in the channel.
        tables: rows of code tables it depends on, with the version of the table.
    """

    place: str
    value: str
    sources: tuple[Source, ...]
    edits: tuple[str, ...]
    rules: tuple[str, ...]
    rows: tuple[str, ...]
    tables: tuple[str, ...]


def reasons(
    site: Site, channel: Channel, claimed: Claimed, wanted: FhirPath
) -> list[Reason]:
    """Return where each value at and below a path comes from.

    The filter is left out: what it would drop can be asked for too.

    Args:
        site: the checked configuration.
        channel: whose steps and rows the message goes through.
        claimed: the message as received.
        wanted: a resource type, an element or a part of one.

    Returns:
        nothing where the message makes no such value.
    """
    bare = replace(channel, filter=())
    feed = replace(line_of(site, bare).feed, traced=True, accounts=False)
    prepared = _prepared(feed, claimed)
    if prepared is None:
        return []
    received = parse(claimed.data, charset=prepared.message.charset)
    traced = trace(
        received,
        lambda message: _made(feed, claimed, message),
        lambda traced: _wanted(traced, wanted),
    )
    if traced is None:
        return []
    rules = readers(prepared.message, feed.map_context(claimed))
    edits = list(_edits(feed, claimed, prepared, traced))
    rows = list(_rows(feed, claimed, prepared, traced))
    tables = [
        *_looked_up(prepared, edits),
        *_looked_up(prepared, rows),
        *_asked_by_map(site, feed, claimed, received, traced),
    ]
    return [
        Reason(
            _name(traced, spot),
            traced.leaves[spot[0]][spot[1]],
            tuple(sources := traced.of(spot)),
            tuple(each.text for each in edits if spot in each.spots),
            tuple(rules.get(sources[0].field, ())) if sources else (),
            tuple(each.text for each in rows if spot in each.spots),
            tuple(each.text for each in tables if spot in each.spots),
        )
        for spot in _wanted(traced, wanted)
    ]


@dataclass(frozen=True, slots=True)
class Linked:
    """One value of a resource and the parts of the message it repeats or comes from.

    ``value`` and those of the sources are patient data.
    """

    place: str
    value: str
    sources: tuple[Source, ...]


def linked(site: Site, channel: Channel, claimed: Claimed) -> list[Linked]:
    """Return every value of every resource with the fields it came from.

    One part of the message is exchanged at a time, so it costs a run for each part.

    Returns:
        nothing where the message makes no resource.

    Raises:
        TransformError: the message has more than `MOST_PARTS` parts.
    """
    bare = replace(channel, filter=())
    feed = replace(line_of(site, bare).feed, accounts=False)
    prepared = _prepared(feed, claimed)
    if prepared is None:
        return []
    received = parse(claimed.data, charset=prepared.message.charset)
    if sum(1 for _ in parts_of(received)) > MOST_PARTS:
        sentence = f"the message has more than {MOST_PARTS} parts; ask why of one value"
        raise TransformError(sentence, "too-long")
    traced = trace(received, lambda made: _made(feed, claimed, made), lambda _: ())
    if traced is None:
        return []
    return [
        Linked(_name(traced, (number, place)), value, _nearest(traced, (number, place)))
        for number, leaves in enumerate(traced.leaves)
        for place, value in leaves.items()
    ]


def _nearest(traced: Traced, spot: Spot) -> tuple[Source, ...]:
    """Return the parts that stand in the value itself, else the most specific one."""
    value = traced.leaves[spot[0]][spot[1]]
    sources = traced.of(spot)
    return tuple(each for each in sources if each.value in value) or tuple(sources[:1])


class _Cause(NamedTuple):
    """Something in the channel, and the values that differ without it.

    ``value`` is what it wrote, for a step.
    """

    text: str
    line: str
    spots: set[Spot]
    value: str = ""


def _wanted(traced: Traced, path: FhirPath) -> Iterator[Spot]:
    """Return the values at and below a path, in every resource that has it."""
    for number, entry in enumerate(traced.mapped.entries):
        if entry.kind != path.type:
            continue
        head = locate(entry.resource, path)
        if head is None:
            continue
        for place in traced.leaves[number]:
            rest = place[len(head) :]
            if not head or (place.startswith(head) and rest[:1] in ("", ".", "[")):
                yield number, place


def _name(traced: Traced, spot: Spot) -> str:
    entry = traced.mapped.entries[spot[0]]
    alike = traced.mapped.all(entry.kind)
    number = next(at for at, each in enumerate(alike, 1) if each is entry)
    return f"{entry.kind}{f'[{number}]' if len(alike) > 1 else ''}.{spot[1]}"


# ---- the way through the channel, again and again ----


def _prepared(feed: Feed, claimed: Claimed) -> Prepared | None:
    half = prepare(claimed, feed)
    return half.prepared if isinstance(half, Ended) else half


def _made(feed: Feed, claimed: Claimed, message: Message) -> Mapped | None:
    half = prepare(replace(claimed, data=message.encode()), feed)
    return None if isinstance(half, Ended) else half.mapped


def _edits(
    feed: Feed, claimed: Claimed, prepared: Prepared, traced: Traced
) -> Iterator[_Cause]:
    """Yield each change of an edit step with what undoing it alone would change."""
    unedited = replace(feed, channel=replace(feed.channel, edit=()))
    for change in prepared.context.changes or ():
        if change.of_resource or change.before == change.after:
            continue
        twin = prepared.message.copy()
        twin.set_encoded(_place(change), change.before)
        made = _made(unedited, claimed, twin)
        if made is not None:
            text = f"{change.line} {change.path}"
            yield _Cause(text, change.line, traced.differing(made), change.after)


def _place(change: Change) -> Path:
    return parse_path(change.path)


def _rows(
    feed: Feed, claimed: Claimed, prepared: Prepared, traced: Traced
) -> Iterator[_Cause]:
    """Yield each row of ``map`` with the values that are not there without it.

    A row inside a ``for-each`` or a ``choose`` is told by its own line.
    """
    rows = feed.channel.map
    written = _written(prepared)
    for number, row in enumerate(rows):
        rest = (*rows[:number], *rows[number + 1 :])
        half = _prepared(
            replace(feed, channel=replace(feed.channel, map=rest)), claimed
        )
        if half is None or half.mapped is None:
            continue
        spots = traced.differing(half.mapped)
        inner = written - _written(half)
        yield from (
            _Cause(line, line, {at for at in spots if _is_below(traced, at, path)})
            for line, path in sorted(inner)
        )
        if not inner:
            yield _Cause(row.line, row.line, spots)


def _written(prepared: Prepared) -> set[tuple[str, str]]:
    """Return line and path of everything rows of ``map`` wrote."""
    changes = prepared.context.changes or ()
    return {(change.line, change.path) for change in changes if change.of_resource}


def _is_below(traced: Traced, spot: Spot, path: str) -> bool:
    """Whether a value stands at or below a path written without numbers."""
    kind = traced.mapped.entries[spot[0]].kind
    names = f"{kind}.{_NUMBER.sub('', spot[1])}."
    return names.startswith(path + ".")


# ---- code tables ----


def _looked_up(prepared: Prepared, causes: list[_Cause]) -> Iterator[_Cause]:
    """Yield the table rows that steps or rows of ``map`` used for what they wrote."""
    for cause in causes:
        for found in prepared.context.lookups:
            if found.line == cause.line and found.result in (
                cause.value or found.result
            ):
                text = f"{found.table} {found.code} version {found.version}"
                yield _Cause(text, cause.line, cause.spots)


def _asked_by_map(
    site: Site, feed: Feed, claimed: Claimed, received: Message, traced: Traced
) -> Iterator[_Cause]:
    """Yield the table rows of the built-in map: what would differ if they did."""
    words = {part.value.strip().upper() for part in parts_of(received)}
    for name in {AUTHORITIES, SYSTEMS} & set(feed.channel.tables):
        table = feed.channel.tables[name]
        for code in table.rows:
            if code.rpartition(":")[2].strip().upper() not in words:
                continue
            tables = {**feed.channel.tables, name: _otherwise(table, code)}
            channel = replace(feed.channel, tables=tables)
            changed = replace(line_of(site, channel).feed, step_runner=feed.step_runner)
            made = _made(changed, claimed, received)
            if made is not None and (spots := traced.differing(made)):
                text = f"{name} {code} version {table.version}"
                yield _Cause(text, "", spots)


def _otherwise(table: CodeTable, code: str) -> CodeTable:
    """Return a table in which one code means something else."""
    rows = tuple(
        replace(row, values={
            column: value if column == FROM else another(value)
            for column, value in row.values.items()
        })
        for row in table.rows[code]
    )  # fmt: skip
    return replace(table, rows={**table.rows, code: rows})
