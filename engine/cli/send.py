"""``interop send``: messages over MLLP, with progress and an answer for each."""

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

import rich_click as click

from engine.cli.invocation import Command, Exit, Stop, invocation, note
from engine.cli.kinds import address, rate
from engine.cli.output import emit, emit_one, output_format
from engine.cli.site import settings
from engine.peers.sending import Answer, Feed, Sender, Tally, read_messages

if TYPE_CHECKING:
    import ssl

REPORT_EVERY_SECONDS = 10


@click.command("send", cls=Command)
@click.argument("place")
@click.option("--to", "receiver", type=address, required=True, help="HOST:PORT.")
@click.option("--rate", "per_second", type=rate, help="At most this many, as 50/s.")
@click.option(
    "--connections", type=click.IntRange(1, 512), default=1, show_default=True
)
@click.option("--count", type=click.IntRange(1), help="How many; over the end: again.")
@click.option("--from", "first", type=click.IntRange(1), default=1, help="Resume here.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds per answer.")
@click.option("--tls", "profile", default="", help="Profile [tls.NAME] of the site.")
@click.option("--save-acks", type=click.Path(path_type=Path), help="Keep the answers.")
def send_command(
    place: str,
    receiver: tuple[str, int],
    per_second: float | None,
    connections: int,
    count: int | None,
    first: int,
    timeout: float,
    profile: str,
    save_acks: Path | None,
) -> None:
    """Send the messages of a file or a folder over MLLP and count the answers.

    PLACE is a file, a folder of *.hl7 files, or sample:NAME for a built-in sample.
    With one connection the order of the messages is kept.
    """
    feed = Feed(
        _messages(place), first, first + count - 1 if count else 0, per_second or 0
    )
    if feed.first > feed.last:
        raise Stop(f"there are only {feed.last} messages", Exit.USAGE)
    sender = Sender(feed, *receiver, _context(profile), timeout)
    total = feed.last - feed.first + 1
    began = perf_counter()
    with _progress(total) as show:
        sender.answered = _after_each(show, sender, total, save_acks)
        tally = asyncio.run(_until_done(sender, connections))
    _report(tally, total, perf_counter() - began)
    _leave(tally, feed, receiver)


def _context(profile: str) -> "ssl.SSLContext | None":
    """Return what secures the connections; None sends plain text."""
    if not profile:
        return None
    from engine.channels.certificates import client_context, profiles_of

    node = settings()
    known = profiles_of(node.tls, node.folder)
    if profile not in known:
        hint = f"profiles: {', '.join(sorted(known))}"
        raise Stop(f"no tls profile named {profile}", Exit.USAGE, hint)
    return client_context(known[profile])


def _messages(place: str) -> list[bytes]:
    name = place.removeprefix("sample:")
    path = sample(name) if place.startswith("sample:") else Path(place)
    if not path.exists():
        raise Stop(f"{place} does not exist", Exit.USAGE)
    messages = read_messages(path)
    if not messages:
        raise Stop(f"no message begins with MSH in {place}", Exit.PROBLEMS)
    return messages


def sample(name: str) -> Path:
    """Return the folder of a sample whose name begins with ``name``."""
    samples = Path(__file__).parents[2] / "samples"
    found = sorted(samples.glob(f"{name}*"))
    if not found:
        known = ", ".join(sorted(path.name for path in samples.glob("*-*")))
        raise Stop(f"no sample named {name}", Exit.USAGE, f"samples: {known}")
    return found[0]


async def _until_done(sender: Sender, connections: int) -> Tally:
    """Run the sender; Ctrl+C lets the messages in flight finish."""

    def stop() -> None:
        sender.stopping = True

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        return await sender.run(connections)
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _after_each(
    show: "Callable[[Tally], None]", sender: Sender, total: int, save_acks: Path | None
) -> Callable[[int, Answer], None]:
    """Return what to do with each answer: keep it, show the progress."""
    digits = len(str(total))
    if save_acks is not None:
        save_acks.mkdir(parents=True, exist_ok=True)

    def answered(number: int, answer: Answer) -> None:
        if save_acks is not None:
            (save_acks / f"{number:0{digits}d}.hl7").write_bytes(answer.body)
        show(sender.tally)

    return answered


def _progress(total: int) -> "AbstractContextManager[Callable[[Tally], None]]":
    """Return a bar on a terminal, else a line every ten seconds."""
    if invocation().quiet:
        return nullcontext(lambda _: None)
    if sys.stderr.isatty():
        return _Bar(total)
    next_line = [monotonic() + REPORT_EVERY_SECONDS]

    def show(tally: Tally) -> None:
        if monotonic() >= next_line[0]:
            next_line[0] = monotonic() + REPORT_EVERY_SECONDS
            note(_line(tally, total))

    return nullcontext(show)


class _Bar:
    """A progress bar on stderr."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._progress: Progress = Progress(console=Console(stderr=True))
        self._task = self._progress.add_task("", total=total)
        self._total = total

    def __enter__(self) -> "Callable[[Tally], None]":
        self._progress.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _show(self, tally: Tally) -> None:
        line = _line(tally, self._total)
        self._progress.update(self._task, completed=tally.finished, description=line)


def _line(tally: Tally, total: int) -> str:
    codes = "  ".join(f"{code} {n:,}" for code, n in sorted(tally.codes.items()))
    return f"sent {tally.finished:,}/{total:,}  {codes}"


def _report(tally: Tally, total: int, seconds: float) -> None:
    emit_one(
        {
            "sent": tally.finished,
            "of": total,
            "accepted": tally.accepted,
            "seconds": round(seconds, 3),
            "per_second": round(tally.finished / seconds, 1) if seconds else 0.0,
            "p50_ms": tally.milliseconds(0.50),
            "p95_ms": tally.milliseconds(0.95),
            "p99_ms": tally.milliseconds(0.99),
            "codes": dict(sorted(tally.codes.items())),
            "lost": tally.lost,
        }
    )
    if tally.reasons and output_format() == "table":
        emit(
            (
                {"code": code, "reason": reason or "(no ERR)", "count": count}
                for (code, reason), count in tally.reasons.most_common(20)
            ),
            ["code", "reason", "count"],
        )


def _leave(tally: Tally, feed: Feed, receiver: tuple[str, int]) -> None:
    """End with the exit code of what happened, and say how to go on."""
    resume = min([*tally.lost, feed.first + tally.finished + len(tally.lost)])
    hint = f"resume with --from {resume}"
    if tally.trouble:
        place = f"{receiver[0]}:{receiver[1]}"
        sentence = f"no answer from {place} for message {resume}: {tally.trouble}"
        if tally.finished:
            raise Stop(sentence, Exit.PARTLY, hint)
        raise Stop(sentence, Exit.UNREACHABLE, "is the receiver running?")
    if feed.first + tally.finished <= feed.last:
        raise Stop(
            "interrupted; every message sent was answered", Exit.INTERRUPTED, hint
        )
    if tally.accepted < tally.finished:
        refused = tally.finished - tally.accepted
        raise Stop(f"{refused:,} messages were not accepted", Exit.PROBLEMS)
