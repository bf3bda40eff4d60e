"""``interop explain`` and ``interop diff``: messages in words, field by field."""

import sys
from collections.abc import Iterator
from pathlib import Path as File

import rich_click as click

from engine.cli.given import message_bytes
from engine.cli.invocation import Command, Exit, Stop, note
from engine.cli.output import Row, emit, emit_one
from engine.cli.site import own_names
from engine.console.queries.fields import fields_of
from engine.errors import ParseError, TransformError
from engine.hl7 import Message, Path, dictionary, parse, parse_path
from engine.transforms.ccda.incoming import document_in
from engine.transforms.ccda.linkage import Node
from engine.transforms.ccda.reading import read_document
from engine.transforms.ccda.viewing import to_html, to_lines

ALL_CODES = 40


@click.command("explain", cls=Command)
@click.argument("what")
@click.option("--path", "wanted", help="Only this place, such as PID-3.")
@click.option("--all", "everything", is_flag=True, help="Empty fields too.")
@click.option("--html", is_flag=True, help="The C-CDA document in it, as a page.")
@click.option("--version", default="2.5.1", show_default=True, help="For a path alone.")
def explain_command(
    what: str, wanted: str | None, version: str, *, everything: bool, html: bool
) -> None:
    """Tell in words what is in a message: a file, - for stdin, or a stored number.

    WHAT may also be a path such as PV1-2: its definition and its table; or a C-CDA
    document. A page of --html holds patient data, and no script, style or link.
    """
    path = _path(what)
    if path is not None and not File(what).exists():
        _define(path, version)
        return
    message = parse(message_bytes(what))
    if html:
        _page(message)
        return
    only = _path(wanted) if wanted else None
    if wanted and only is None:
        raise Stop(f"{wanted!r} is not an HL7 path", Exit.USAGE, "write PID-3")
    rows = [row for row in _rows(message, everything=everything) if _within(row, only)]
    if only is None:
        rows += _document_rows(message)
    emit(rows, ["path", "name", "value", "table"])
    for finding in message.findings:
        note(f"{finding.code} {finding.path} {finding.text}".strip())
    if not rows:
        raise Stop(f"the message has nothing at {wanted}", Exit.PROBLEMS)


def _page(message: Message) -> None:
    """Print the document in a message for a browser."""
    pages = [to_html(root) for root in _documents(message)]
    if not pages:
        raise Stop("there is no C-CDA document in it", Exit.PROBLEMS)
    sys.stdout.write("".join(pages))


def _documents(message: Message) -> list[Node]:
    found = [document_in(obx) for obx in message.all("OBX")]
    try:
        return [read_document(document) for document in found if document is not None]
    except TransformError as error:
        raise Stop(str(error), Exit.PROBLEMS) from error


def _document_rows(message: Message) -> list[Row]:
    return [
        {"path": "document", "name": name, "value": line, "table": ""}
        for root in _documents(message)
        for name, line in to_lines(root)
    ]


@click.command("diff", cls=Command)
@click.argument("one")
@click.argument("other")
@click.option("--ignore", multiple=True, help="Leave this path out, such as MSH-7.")
def diff_command(one: str, other: str, ignore: tuple[str, ...]) -> None:
    """Compare two messages field by field; exit code 1 when they differ."""
    left, right = (_values(parse(message_bytes(place))) for place in (one, other))
    paths = list(left) + [path for path in right if path not in left]
    rows = [
        {"path": path, "one": left.get(path, ""), "other": right.get(path, "")}
        for path in paths
        if left.get(path) != right.get(path) and not path.startswith(_ends(ignore))
    ]
    emit(rows, ["path", "one", "other"])
    if rows:
        raise Stop(f"{len(rows)} places differ", Exit.PROBLEMS)


def _ends(ignore: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the paths to leave out begin with; ``MSH-1`` is not ``MSH-10``."""
    ends = [(f"{path} ", f"{path}.", f"{path}[", f"{path}-") for path in ignore]
    return tuple(end for three in ends for end in three)


def _values(message: Message) -> dict[str, str]:
    """Return every filled place of a message; the path ends in a space."""
    rows = _rows(message, everything=False)
    return {f"{row['path']} ": str(row["value"]) for row in rows}


def _path(text: str) -> Path | None:
    try:
        return parse_path(text)
    except ParseError:
        return None


def _within(row: Row, wanted: Path | None) -> bool:
    if wanted is None:
        return True
    return f"{row['path']} ".startswith(_ends((str(wanted),)))


def _rows(message: Message, *, everything: bool) -> Iterator[Row]:
    """Yield one row for each filled leaf, or for each field with ``everything``."""
    found = fields_of(message, own_names(), everything=everything)
    return (each._asdict() for each in found)


def _define(path: Path, version: str) -> None:
    """Print what the standard says about a place."""
    definition = dictionary.fields(path.segment, version).get(path.field)
    if definition is not None and path.component:
        parts = dictionary.components(definition.data_type, version)
        definition = parts.get(path.component)
    own = "" if definition else own_names().get(str(path), "")
    if own:
        emit_one({"path": str(path), "name": own})
        return
    if definition is None:
        sentence = f"HL7 {version} has no {path}"
        raise Stop(sentence, Exit.PROBLEMS, "another version: --version 2.3")
    name, codes = dictionary.table(definition.table, version)
    at = (path.segment, path.field, path.component)
    emit_one(
        {
            "path": str(path),
            "name": dictionary.name_of(at, version),
            "data_type": definition.data_type,
            "required": definition.required,
            "repeats": definition.maximum != 1,
            "table": f"{definition.table} {name}".strip(),
            "codes": sorted(codes)[:ALL_CODES],
        }
    )
