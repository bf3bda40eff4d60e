"""``interop convert``: messages to FHIR, C-CDA or HL7 v2, no store, no engine."""

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import orjson
import rich_click as click

from engine.cli.invocation import Command, Exit, Stop, invocation, note, now
from engine.cli.output import note_findings
from engine.cli.unread import tell, unread
from engine.errors import ParseError, TransformError
from engine.hl7 import Finding, Message, parse
from engine.hl7.timestamps import read_timestamp
from engine.peers.sending import read_messages, split

if TYPE_CHECKING:
    from engine.transforms.fhir.mapped import Mapped
    from engine.transforms.trace import Loss

Made = TypeVar("Made")

TEMPLATES = ["ccd", "discharge-summary", "progress-note", "unstructured"]


@click.command("convert", cls=Command)
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--to", "target", type=click.Choice(["fhir", "ccda", "hl7"]), required=True
)
@click.option("--channel", help="Filter, edit and map as this channel does.")
@click.option("--template", type=click.Choice(TEMPLATES), help="For --to ccda.")
@click.option("--loss", type=click.Path(path_type=Path), help="Loss report as JSON.")
@click.option(
    "--bundle",
    type=click.Choice(["transaction", "message", "collection"]),
    default="transaction",
    show_default=True,
)
@click.option("--inside", is_flag=True, help="Map the entries of C-CDA documents.")
@click.option("--compact", is_flag=True, help="One line for each Bundle.")
def convert_command(
    files: tuple[str, ...],
    target: str,
    channel: str | None,
    template: str | None,
    loss: Path | None,
    bundle: str,
    *,
    inside: bool,
    compact: bool,
) -> None:
    """Convert messages and print the result; nothing is sent or stored.

    FILES may be - for stdin, or C-CDA documents; --inside maps what their entries say
    and needs interop-engine[documents].

    Without --channel the built-in map alone is used. Several
    messages are one person's, in order: a document that summarises sees them all.
    A message that cannot be converted is told by its number, MSH-10 and the reason; the
    others are printed, and the exit code is 1. Documents are all or none.
    """
    contents = [data for place in files for data in _contents(place)]
    if not contents:
        raise Stop("no message begins with MSH", Exit.PROBLEMS)
    if inside:
        _print_inside(contents, compact=compact)
        return
    made, failed = _each(contents, lambda data: _made(data, channel, target))
    if target == "hl7":
        edited = b"".join(each.message.encode() for each in made)
        sys.stdout.buffer.write(edited)
    elif target == "fhir":
        mapped = [each.mapped for each in made]
        for each in mapped:
            _print_bundle(each, bundle, compact=compact)
        losses = [one for each in mapped for one in each.losses]
        _report(losses, [one for each in mapped for one in each.findings], loss)
    elif failed:
        raise Stop(f"no document is written: it would lack {failed}", Exit.PROBLEMS)
    else:
        at = _said_at(made[-1].message)
        _print_document([each.mapped for each in made], template or "ccd", at, loss)
    if failed:
        raise Stop(f"not converted: {failed}", Exit.PROBLEMS, _HINT)


_HINT: Final = "interop explain shows what is in a message"


class _Made(NamedTuple):
    """A message as far as it was to go; with ``--to hl7`` it is not mapped."""

    message: Message
    mapped: "Mapped"


def _each(
    contents: list[bytes], make: Callable[[bytes], Made]
) -> tuple[list[Made], str]:
    """Make something of each message; tell of each that fails, and go on.

    Returns:
        what was made, and how many messages failed: in words, empty for none.
    """
    made: list[Made] = []
    for number, data in enumerate(contents, 1):
        try:
            made.append(make(data))
        except (ParseError, TransformError) as error:
            tell(unread(number, data, error))
    failed = len(contents) - len(made)
    words = f"{failed} of {len(contents)} message{'s' * (len(contents) > 1)}"
    return made, words if failed else ""


def _contents(place: str) -> list[bytes]:
    from engine.transforms.ccda.enclosing import carried

    content = sys.stdin.buffer.read() if place == "-" else b""
    if place != "-" and Path(place).is_file():
        content = Path(place).read_bytes()
    return split(carried(content, now())) if content else read_messages(Path(place))


def _made(data: bytes, channel: str | None, target: str) -> _Made:
    """Return a message as the channel leaves it, or as the built-in map alone does.

    Raises:
        ParseError: it cannot be read.
        TransformError: the map or the channel stops it.
    """
    from engine.transforms.ccda.incoming import opened
    from engine.transforms.fhir.mapped import MapContext, Mapped
    from engine.transforms.fhir.mapping import map_message

    if channel is not None:
        return _prepared(data, channel, target)
    message = opened(parse(data))
    if target == "hl7":
        return _Made(message, Mapped())
    context = MapContext(received_at=_said_at(message))
    return _Made(message, map_message(message, context))


def _prepared(data: bytes, channel: str, target: str) -> _Made:
    """Return a message as the channel's filter, steps and map leave it."""
    from engine.channels.processing.prepare import prepare
    from engine.channels.processing.prepared import Ended
    from engine.cli.trial import claimed, line
    from engine.transforms.fhir.mapped import Mapped
    from engine.transforms.fhir.us_core import hints

    feed = line(channel).feed
    half = prepare(claimed(channel, data), feed)
    if isinstance(half, Ended):
        outcome = half.outcome
        code = outcome.failure.code if outcome.failure else str(outcome.state)
        why = f"the channel stops it in {outcome.stage}: {outcome.reason}"
        raise TransformError(why, code)
    if half.refusal is not None and target != "hl7":
        raise half.refusal
    mapped = half.mapped or Mapped()
    mapped.findings += hints(feed.channel.map_options.profile, mapped.entries)
    return _Made(half.message, mapped)


def _print_inside(contents: list[bytes], *, compact: bool) -> None:
    """Print a Bundle of what each document in the messages says."""
    from engine.transforms.fhir.bundle import write_json

    found, failed = _each(contents, _inside)
    for bundle in (one for each in found for one in each):
        content = write_json(bundle, indented=not compact)
        sys.stdout.buffer.write(content + b"\n")
    if failed:
        raise Stop(f"not converted: {failed}", Exit.PROBLEMS, _HINT)
    if not any(found):
        raise Stop("there is no C-CDA document in it", Exit.PROBLEMS)


def _inside(data: bytes) -> list[dict[str, object]]:
    """Return a Bundle for each document that a message carries."""
    from engine.cli.inside import resources_in
    from engine.transforms.ccda.incoming import document_in, opened
    from engine.transforms.ccda.reading import read_document

    message = opened(parse(data))
    documents = filter(None, map(document_in, message.all("OBX")))
    return [resources_in(read_document(each)) for each in documents]


def _said_at(message: Message) -> datetime:
    """Return MSH-7, so that the same message gives the same bytes; else the clock."""
    stamp = read_timestamp(message["MSH-7"])
    said = stamp.instant() if stamp else None
    return said or now()


def _print_bundle(mapped: "Mapped", kind: str, *, compact: bool) -> None:
    from engine.transforms.fhir import bundle

    make = {
        "transaction": bundle.transaction,
        "message": bundle.message_bundle,
        "collection": bundle.collection,
    }[kind]
    content = bundle.write_json(make(mapped.entries), indented=not compact)
    sys.stdout.buffer.write(content + b"\n")


def _print_document(
    mapped: "list[Mapped]", template: str, at: datetime, loss: Path | None
) -> None:
    """Print the documents that a template makes of what the messages told."""
    from engine.transforms.ccda.document import render
    from engine.transforms.ccda.documents import documents_of
    from engine.transforms.ccda.facts import Facts
    from engine.transforms.ccda.site import CdaSite, Custodian
    from engine.transforms.ccda.versions import Version

    site = CdaSite("2.999.1", "2.999.2", Custodian("Example site", "2.999.3"))
    resources: dict[str, dict[str, object]] = {}
    for each in mapped:
        for entry in each.entries:
            resources[entry.full_url] = (
                resources.get(entry.full_url, {}) | entry.resource
            )
    plan = documents_of(template, Facts(resources))
    findings = list(plan.findings)
    losses: list[Loss] = []
    for planned in plan.documents:
        version = Version(planned.series)
        made = render(planned.template, planned.facts, site, version, at)
        sys.stdout.buffer.write(made.document)
        findings += made.findings
        losses += made.losses
    _report(losses, findings, loss)
    if not plan.documents:
        raise Stop("there is nothing to write a document about", Exit.PROBLEMS)


def _report(losses: "list[Loss]", findings: list[Finding], file: Path | None) -> None:
    """Write the loss report and tell the findings."""
    note_findings(findings)
    if losses and file is None and invocation().verbose:
        for one in losses:
            note(f"lost {one.path}: {one.reason}")
    if file is not None:
        rows = [{"path": one.path, "reason": one.reason} for one in losses]
        report = {
            "losses": rows,
            "findings": [[one.code, one.path, one.text] for one in findings],
        }
        file.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
