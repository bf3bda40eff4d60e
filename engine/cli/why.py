"""What ``interop try --why`` prints: where a value of the output comes from."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import rich_click as click

from engine.cli.invocation import Exit, Stop, invocation
from engine.cli.output import emit, masked, output_format
from engine.cli.site import site

if TYPE_CHECKING:
    from engine.channels.format.channel import Channel
    from engine.channels.processing.why import Reason
    from engine.store.claims import Claimed

_MANY = 4
"""So many sources are shown; the rest, which decides about keys, is counted."""


def explain(
    channel: "Channel", environment: str | None, received: "Claimed", wanted: str
) -> None:
    """Print fields, edits, map rules, rows and tables of what stands at a path.

    Raises:
        Stop: the path is not one of R4, or the message gives nothing there.
    """
    from engine.channels.processing.why import reasons
    from engine.transforms.fhir.paths import FhirPath, parse_fhir_path

    path = parse_fhir_path(wanted)
    if not isinstance(path, FhirPath):
        raise Stop(f"{wanted}: {path.sentence}", Exit.USAGE, path.hint)
    told = reasons(site(environment), channel, received, path)
    if not told:
        raise Stop(f"the map gives no {wanted}", Exit.PROBLEMS, "try --trace")
    if output_format() == "table":
        for reason in told:
            for text in _story(reason):
                click.echo(text)
        click.echo(f"revision  {channel.revision[:12]}")
        return
    emit((_row(reason, channel.revision) for reason in told), ["path", "value"])


def _row(reason: "Reason", revision: str) -> dict[str, object]:
    return {
        "path": reason.place,
        "value": masked(reason.value),
        "sources": [
            {"path": each.path, "received": masked(each.value)}
            for each in reason.sources
        ],
        "edits": list(reason.edits),
        "map": list(reason.rules),
        "rows": list(reason.rows),
        "tables": list(reason.tables),
        "revision": revision[:12],
        "shown": "" if invocation().reveal else "add --reveal for the value",
    }


def _story(reason: "Reason") -> Iterator[str]:
    yield f'{reason.place} = "{masked(reason.value)}"'
    for source in reason.sources[:_MANY]:
        yield f'  from {source.path}  received "{masked(source.value)}"'
    if len(reason.sources) > _MANY:
        yield f"  and {len(reason.sources) - _MANY} more parts of the message"
    if not reason.sources and not reason.rows:
        yield "  a constant of the map, or a setting: no field changes it"
    for edit in reason.edits:
        yield f"  edit  {edit}"
    for table in reason.tables:
        yield f"  table {table}"
    if reason.rules:
        yield f"  map   built-in {', '.join(reason.rules)}"
    for row in reason.rows:
        yield f"  row   {row}"
