"""``interop listen``: a stand-in receiver of HL7 v2 or FHIR."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import rich_click as click

from engine.cli.invocation import Command, Exit, Stop, note, now
from engine.cli.kinds import duration
from engine.cli.output import emit_one
from engine.peers.fhir_memory import Memory, serve
from engine.peers.receiving import Receiver


@click.command("listen", cls=Command)
@click.argument("port", type=click.IntRange(0, 65535))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--ack", type=click.Choice(["AA", "AE", "AR", "none"]), default="AA")
@click.option("--delay", type=duration, default="0s", help="Wait before answering.")
@click.option("--save", type=click.Path(path_type=Path), help="Keep what comes, here.")
@click.option("--fhir", is_flag=True, help="Be a FHIR server instead, over HTTP.")
@click.option("--for", "seconds", type=duration, help="End after this time.")
def listen_command(
    port: int,
    host: str,
    ack: str,
    delay: float,
    save: Path | None,
    *,
    fhir: bool,
    seconds: float | None,
) -> None:
    """Receive messages and answer them, as a system at the other end would.

    Ctrl+C ends it and prints what came.
    """
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
    memory, receiver = Memory(save), Receiver(now, ack, delay, save)

    async def start() -> asyncio.Server:
        if fhir:
            return await serve(memory, host, port)
        return await receiver.serve(host, port)

    try:
        asyncio.run(_listen(start, seconds, "FHIR" if fhir else "HL7 v2"))
    except OSError as error:
        raise Stop(
            f"cannot listen on {host}:{port}: {error.strerror}", Exit.UNREACHABLE
        ) from error
    if fhir:
        kinds = {kind: len(kept) for kind, kept in memory.resources.items()}
        emit_one({"bundles": memory.bundles, "resources": kinds})
    else:
        emit_one({"messages": receiver.received})


async def _listen(
    start: Callable[[], Awaitable[asyncio.Server]], seconds: float | None, what: str
) -> None:
    """Serve until a signal or until the time is over."""
    done = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    server = await start()
    host, port = server.sockets[0].getsockname()[:2]
    note(f"{what} on {host}:{port}; Ctrl+C ends it")
    with suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), seconds)
    server.close()
