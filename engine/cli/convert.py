"""``interop convert``: messages to FHIR, C-CDA or HL7 v2, no store, no engine."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import rich_click as click

from engine.cli.invocation import Command, Exit, Stop, invocation, note, now
from engine.errors import ParseError, TransformError
from engine.hl7 import Finding, Message, parse
from engine.hl7.timestamps import read_timestamp
from engine.peers.sending import read_messages, split

if TYPE_CHECKING:
    from engine.channels.processing.prepared import Prepared
    from engine.transforms.fhir.mapped import Mapped
    from engine.transforms.trace import Loss

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
    """
    messages = [_parsed(data) for place in files for data in _contents(place)]
    if not messages:
        raise Stop("no message begins with MSH", Exit.PROBLEMS)
    if inside:
        _print_inside(messages, compact=compact)
        return
    ready = [_prepared(message, channel) for message in messages] if channel else []
    if target == "hl7":
        edited = [each.message for each in ready] or messages
        sys.stdout.buffer.write(b"".join(message.encode() for message in edited))
        return
    mapped = (
        [_mapped(message) for message in messages]
        if not channel
        else [each.mapped for each in ready if each.mapped is not None]
    )
    if target == "fhir":
        for each in mapped:
            _print_bundle(each, bundle, compact=compact)
        losses = [one for each in mapped for one in each.losses]
        _report(losses, [one for each in mapped for one in each.findings], loss)
        return
    at = _said_at(messages[-1])
    _print_document(mapped, template or "ccd", at, loss)


def _contents(place: str) -> list[bytes]:
    from engine.transforms.ccda.enclosing import carried

    content = sys.stdin.buffer.read() if place == "-" else b""
    if place != "-" and Path(place).is_file():
        content = Path(place).read_bytes()
    return split(carried(content, now())) if content else read_messages(Path(place))


def _parsed(data: bytes) -> Message:
    from engine.transforms.ccda.incoming import opened

    try:
        return opened(parse(data))
    except TransformError as error:
        raise Stop(str(error), Exit.PROBLEMS) from error
    except ParseError as error:
        where = f" at {error.location}" if error.location else ""
        raise Stop(f"{error}{where}", Exit.PROBLEMS) from error


def _prepared(message: Message, channel: str) -> "Prepared":
    """Return the message as the channel's filter, steps and map leave it."""
    from engine.channels.processing.prepared import Ended
    from engine.cli.trial import prepare_only

    half = prepare_only(channel, message.encode())
    if isinstance(half, Ended):
        why = f"{half.outcome.state} in {half.outcome.stage}: {half.outcome.reason}"
        raise Stop(f"the channel stops this message: {why}", Exit.PROBLEMS)
    if half.mapped is None:
        raise Stop(str(half.refusal), Exit.PROBLEMS)
    return half


def _mapped(message: Message) -> "Mapped":
    from engine.transforms.fhir.mapped import MapContext
    from engine.transforms.fhir.mapping import map_message

    context = MapContext(received_at=_said_at(message))
    try:
        return map_message(message, context)
    except TransformError as error:
        hint = "interop explain shows what is in it"
        raise Stop(str(error), Exit.PROBLEMS, hint) from error


def _print_inside(messages: list[Message], *, compact: bool) -> None:
    """Print a Bundle of what each document in the messages says."""
    from engine.cli.inside import resources_in
    from engine.transforms.ccda.incoming import document_in
    from engine.transforms.ccda.reading import read_document
    from engine.transforms.fhir.bundle import write_json

    found = [document_in(obx) for each in messages for obx in each.all("OBX")]
    for document in filter(None, found):
        try:
            bundle = resources_in(read_document(document))
        except TransformError as error:
            raise Stop(str(error), Exit.PROBLEMS) from error
        content = write_json(bundle, indented=not compact)
        sys.stdout.buffer.write(content + b"\n")
    if not any(found):
        raise Stop("there is no C-CDA document in it", Exit.PROBLEMS)


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
    for finding in findings:
        note(f"{finding.code} {finding.path}: {finding.text}")
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
