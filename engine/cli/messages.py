"""``interop messages``: search, show, follow and move messages."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson
import rich_click as click

from engine.cli.confidential import (
    admitted,
    confidential_option,
    expect_to_show,
    known_site,
    note_opening,
    shown,
)
from engine.cli.invocation import Exit, Group, Stop, invocation, now
from engine.cli.output import Row, emit, emit_one, output_format
from engine.cli.site import confirm, move_options, order, settings, store
from engine.errors import ParseError

if TYPE_CHECKING:
    from engine.hl7.masking_profile import MaskingProfile
    from engine.store.database import Database
    from engine.store.edited_copies import EditedCopy
    from engine.store.search import MessageFilter, MessageRow

PAGE: Final = 100
COLUMNS: Final = [
    *("id", "received_at", "channel", "type", "control_id", "state", "person"),
    "reason",
]


@click.group("messages", cls=Group)
def messages_command() -> None:
    """Search, show, follow and move messages.

    A QUERY is made of qualifiers: patient:100482 type:ADT^A01 id:MSG00417
    channel:adt-main state:error since:2h until:today person:... name:...
    """


@messages_command.command("search")
@click.argument("query", nargs=-1)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@confidential_option
def search(query: tuple[str, ...], limit: int, confidential: str) -> None:
    """List the messages that match, newest first.

    A search that names a patient finds none of a confidential one, unless told why.
    """
    wanted = _filter(" ".join(query))
    with store() as database:
        sees = admitted(database, confidential)
        emit(map(_row, _pages(database, wanted, limit, sees=sees)), COLUMNS)


@messages_command.command("show")
@click.argument("message_id", type=int)
@confidential_option
@click.option("--profile", default="", help="Show what this masking profile shows.")
def show(message_id: int, confidential: str, profile: str) -> None:
    """Show one message: its life, its deliveries, its content masked."""
    from engine.store import batches, edited_copies, journal, queues, search

    seen = _profile(profile)
    with store() as database:
        if invocation().reveal or seen:
            expect_to_show(database, message_id, confidential)
            note_opening(database, message_id, f"profile {profile}" if seen else "")
        with database.reading() as connection:
            found = search.message(connection, message_id)
            data = journal.content(connection, database.sealer, message_id)
            past = search.attempts(connection, database.sealer, message_id)
            row = journal.row(connection, message_id)
            batch = batches.batch(connection, row.batch) if row and row.batch else None
            wanted = queues.DeliveryFilter(message_id=message_id)
            sent = queues.deliveries(connection, wanted)
            edited = edited_copies.copies(connection, database.sealer, message_id)
    if found is None:
        raise Stop(f"there is no message {message_id}", Exit.PROBLEMS)
    deliveries = [
        f"{d.id} {d.destination} {d.state} {d.sentence}".strip() for d in sent
    ]
    attempts = [f"{a.attempt} {a.state} {a.stage} {a.reason}".strip() for a in past]
    text = "" if data is None else _text(data, seen)
    content = text if output_format() != "table" else "\n" + text.replace("\r", "\n")
    more = {"attempts": attempts, "deliveries": deliveries, "hl7": content}
    if edited:
        more["edited"] = [_relation(each, message_id) for each in edited]
    if batch is not None:
        more["batch"] = f"{batch.control_id} {batch.file_control_id}".strip()
    emit_one({**_row(found), **more})


def _relation(copy: "EditedCopy", message_id: int) -> str:
    """Return what an edited copy and this message are to each other."""
    if copy.message_id == message_id:
        return f"copy of message {copy.origin}, by {copy.actor}"
    became = f"message {copy.message_id}" if copy.message_id else "waits for the edge"
    return f"copied by {copy.actor}: {copy.refusal or became}"


def _profile(name: str) -> "MaskingProfile":
    from engine.console.masking import profiles_of
    from engine.hl7.masking_profile import NOTHING

    known = profiles_of(settings()) if name else {}
    if name and name not in known:
        hint = "there are " + (", ".join(known) or "none in interop.toml")
        raise Stop(f"there is no masking profile {name}", Exit.USAGE, hint)
    return known[name].profile if name else NOTHING


def _text(data: bytes, seen: "MaskingProfile") -> str:
    """Return a message as text, masked without ``--reveal``."""
    from engine.hl7 import parse
    from engine.hl7.masking_profile import mask_by

    if invocation().reveal:
        return data.decode("utf-8", "replace")
    try:
        return mask_by(parse(data), seen)
    except ParseError:
        return f"{len(data)} bytes that are not a message; --reveal shows them"


@messages_command.command("losses")
@click.option("--channel", default="", help="Only this channel.")
@click.option("--last", type=click.IntRange(1), default=1000, show_default=True)
def losses(channel: str, last: int) -> None:
    """Count what the last messages lost on the way to FHIR: by sender and field."""
    from engine.store import search

    counts: Counter[tuple[str, ...]] = Counter()
    with store() as database, database.reading() as connection:
        for place, content in search.reports(
            connection, database.sealer, channel=channel, last=last
        ):
            told = orjson.loads(content) if content else {}
            sender = str(told.get("sender", ""))
            rows = {(_field(path), reason) for path, reason in told.get("losses", ())}
            counts.update((place, sender, *row) for row in rows)
    columns = ("channel", "sender", "field", "reason")
    emit(
        (
            {**dict(zip(columns, row, strict=True)), "messages": count}
            for row, count in counts.most_common()
        ),
        [*columns, "messages"],
    )


def _field(path: str) -> str:
    """Return the field of a path without the number of its segment."""
    head, dash, tail = path.partition("-")
    return head.partition("[")[0] + dash + tail


@messages_command.command("tail")
@click.argument("query", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="Go on with what arrives.")
@click.option("-n", "--lines", type=click.IntRange(1), default=10, show_default=True)
def tail(query: tuple[str, ...], lines: int, *, follow: bool) -> None:
    """Show the last messages, oldest first; -f goes on until Ctrl+C."""
    wanted = _filter(" ".join(query))
    with store() as database:
        emit(
            (_row(m) for m in _latest(database, wanted, lines, follow=follow)), COLUMNS
        )


@messages_command.command("retry")
@click.argument("ids", nargs=-1, required=True, type=int)
@move_options
def retry(ids: tuple[int, ...], reason: str, *, yes: bool, dry_run: bool) -> None:
    """Process messages again, with the configuration of now."""
    _move("reprocess", ids, reason, yes=yes, dry_run=dry_run)


@messages_command.command("hold")
@click.argument("ids", nargs=-1, required=True, type=int)
@move_options
def hold(ids: tuple[int, ...], reason: str, *, yes: bool, dry_run: bool) -> None:
    """Keep messages from going out, and what comes after them, until a release.

    For messages that are not processed yet, have failed, or of which nothing was sent.
    Unsent deliveries are discarded; a release makes them anew.
    """
    _move("hold", ids, reason, yes=yes, dry_run=dry_run)


@messages_command.command("release")
@click.argument("ids", nargs=-1, required=True, type=int)
@move_options
def release(ids: tuple[int, ...], reason: str, *, yes: bool, dry_run: bool) -> None:
    """Let held messages, and what waits behind them, go on."""
    _move("release", ids, reason, yes=yes, dry_run=dry_run)


@messages_command.command("discard")
@click.argument("ids", nargs=-1, required=True, type=int)
@move_options
def discard(ids: tuple[int, ...], reason: str, *, yes: bool, dry_run: bool) -> None:
    """Give up held or failed messages; they become filtered, with the reason."""
    _move("discard", ids, reason, yes=yes, dry_run=dry_run)


@messages_command.command("resend")
@click.argument("message_id", type=int)
@click.option(
    "--edited",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The edited copy; interop messages show ID --reveal gives the original.",
)
@click.option(
    "--give-up-original",
    is_flag=True,
    help="Take the original off the error queue once the copy is stored.",
)
@move_options
def resend(
    message_id: int,
    edited: Path,
    reason: str,
    *,
    give_up_original: bool,
    yes: bool,
    dry_run: bool,
) -> None:
    """Send an edited copy of a message: a new one that names the old.

    The original stays. The edge stores the copy within seconds, and its channel
    processes it after what came before; see what it would become with interop try.
    """
    from engine.store import edited_copies

    what = f"send an edited copy of message {message_id}"
    if not confirm(1, what, yes=yes, dry_run=dry_run):
        return
    with store() as database, database.engine() as connection:
        number = edited_copies.ask(
            connection,
            database.sealer,
            message_id,
            edited.read_bytes(),
            order(reason),
            gives_up=give_up_original,
        )
    emit_one({"order": number, "message": message_id, "state": "waits for the edge"})


def _move(
    what: str, ids: tuple[int, ...], reason: str, *, yes: bool, dry_run: bool
) -> None:
    from engine.store import holding, messages

    if not confirm(len(ids), f"{what} messages", yes=yes, dry_run=dry_run):
        return
    act = {
        "reprocess": messages.reprocess,
        "hold": holding.hold,
        "release": messages.release,
        "discard": messages.discard,
    }[what]
    with store() as database, database.engine() as connection:
        count = act(connection, database.sealer, ids, order(reason))
    emit_one({"moved": count, "what": what})


def _filter(query: str) -> "MessageFilter":
    """Return what a query asks for.

    Raises:
        Stop: it cannot be understood.
    """
    from engine.console.queries.message_query import QueryFault, read

    found = read(query, now())
    if isinstance(found, QueryFault):
        word = query[found.at : found.at + found.length]
        raise Stop(f"{word!r} {found.sentence}", Exit.USAGE, found.hint)
    return found


def _pages(
    database: "Database", wanted: "MessageFilter", limit: int, *, sees: bool = False
) -> "Iterator[MessageRow]":
    """Yield matching messages, newest first, page by page."""
    from engine.store import search

    hides = wanted.names_somebody and not sees
    known = known_site() if hides else None
    before = 0
    while limit > 0:
        with database.reading() as connection:
            page = search.messages(
                connection,
                database.sealer,
                wanted,
                before=before,
                limit=min(PAGE, limit),
            )
        yield from shown(database, page, known) if hides else page
        if len(page) < min(PAGE, limit):
            return
        limit -= len(page)
        before = page[-1].id


def _latest(
    database: "Database", wanted: "MessageFilter", lines: int, *, follow: bool
) -> "Iterator[MessageRow]":
    """Yield the newest messages in the order they came, then new ones."""
    seen = 0
    for found in reversed(list(_pages(database, wanted, lines))):
        seen = found.id
        yield found
    while follow:
        time.sleep(0.5)
        fresh = [found for found in _pages(database, wanted, PAGE) if found.id > seen]
        for found in reversed(fresh):
            seen = found.id
            yield found


def _row(found: "MessageRow") -> Row:
    return {
        "id": found.id,
        "received_at": found.received_at,
        "channel": found.channel,
        "type": f"{found.message_type}^{found.trigger_event}",
        "control_id": found.control_id,
        "state": str(found.state),
        "person": found.person,
        "stage": found.stage,
        "code": found.code,
        "reason": found.reason,
        "acknowledged": found.ack_code,
        "attempt": found.attempt,
        "revision": found.revision,
        "processed_at": found.processed_at,
    }
