"""``interop demo``: the engine, its feeds and its receivers, with invented people."""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click

from engine.cli.child_process import ChildProcess, free_ports, interop
from engine.cli.invocation import Command, Exit, Stop, invocation, note, now
from engine.cli.kinds import duration
from engine.cli.output import emit_one
from engine.cli.project import write_project
from engine.cli.site import order, store
from engine.peers.fhir_memory import Memory, serve
from engine.peers.receiving import Receiver
from engine.peers.sending import Feed, Sender, Tally
from engine.peers.synthetic import Made, Plan, make_feed

if TYPE_CHECKING:
    from engine.cli.demo_view import Seen

PATIENTS, DUPLICATES = 200, 16
UP_SECONDS, DOWN_SECONDS = 100.0, 20.0
EARLY: Final = 4
"""So many messages come before the first duplicate; the unmapped code follows."""


@click.command("demo", cls=Command)
@click.option("--rate", default=2.0, show_default=True, help="Messages per second.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the project here.")
@click.option("--for", "seconds", type=duration, help="End by itself after this time.")
@click.option("--once", is_flag=True, help="End when each queue has an entry.")
@click.option("--seed", default=1, show_default=True)
def demo_command(
    rate: float, keep: Path | None, seconds: float | None, seed: int, *, once: bool
) -> None:
    """Run everything on synthetic data: no account, no database, loopback only.

    Three channels: one clean, one with codes nobody mapped, one whose receiver goes
    down every two minutes. 200 invented patients, 16 of them registered twice. Ctrl+C
    ends it; --keep DIR leaves a project to change.
    """
    with _project(keep) as folder:
        demo = Demo(folder, rate, arranged(seed), free_ports(6))
        invocation().config = folder / "config"
        os.environ.update(demo.variables())
        command = interop("run", "--config", str(folder / "config"))
        with ChildProcess(command, folder / "engine.log", demo.variables()) as engine:
            note("Demo data, no real patients. Ctrl+C ends it.")
            seen = asyncio.run(demo.play(engine, seconds, once=once))
        emit_one(seen.summary(folder))
        if keep is not None:
            note(f"the project is in {folder}: interop run --config {folder}/config")


def arranged(seed: int) -> list[Made]:
    """Return the feed with a duplicate and an unmapped code among the first messages.

    Otherwise a visitor would wait minutes for something to decide. Registrations stay
    before what else happens to a record.
    """
    plan = Plan("mixed", PATIENTS, DUPLICATES, 30, seed, 0.05)
    feed = make_feed(plan)
    again = next(made for made in feed if made.record.tag == "hurried" and made.truth)
    whose = again.record.person
    first = next(m for m in feed if m.record.person == whose and not m.record.tag)
    strange = next(made for made in feed if made.unmapped)
    owner = next(m for m in feed if m.record == strange.record)
    early = list(dict.fromkeys(m.control_id for m in (first, again, owner, strange)))
    front = [made for made in feed if made.control_id in early]
    front.sort(key=lambda made: early.index(made.control_id))
    rest = [made for made in feed if made.control_id not in early]
    return [*rest[:EARLY], *front, *rest[EARLY:]]


@contextmanager
def _project(keep: Path | None) -> Iterator[Path]:
    """Give the folder of a fresh project; it goes away unless it is kept."""
    if keep is not None and (keep / "config").exists():
        sentence = f"{keep} holds a project already"
        raise Stop(sentence, Exit.USAGE, "name another folder")
    if keep is not None:
        write_project(keep)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="interop-demo-") as folder:
        write_project(Path(folder))
        yield Path(folder)


@dataclass(slots=True)
class Demo:
    """The other side of the engine: two feeds, two receivers, and a clock."""

    folder: Path
    rate: float
    feed: list[Made]
    ports: list[int]
    memory: Memory = field(init=False)
    receiver: Receiver = field(init=False)
    started: float = field(default_factory=time.monotonic)
    first_delivered: float | None = None

    def __post_init__(self) -> None:
        self.memory = Memory(self.folder / "received")
        self.receiver = Receiver(now)

    def variables(self) -> dict[str, str]:
        """Return where everything listens, as the channel files name it."""
        adt, lab, relay, console, fhir, his = map(str, self.ports)
        return {
            "ADT_PORT": adt,
            "LAB_PORT": lab,
            "RELAY_PORT": relay,
            "HIS_PORT": his,
            "FHIR_BASE_URL": f"http://127.0.0.1:{fhir}/fhir",
            "INTEROP_CONSOLE__BIND": f"127.0.0.1:{console}",
            "INTEROP_CONSOLE__TOUR": "true",
        }

    def _door(self) -> str:
        """Return where the console is, and a code that opens it once."""
        from engine.console.permissions import Permission
        from engine.store import accounts, invitations

        until, asked = now() + timedelta(hours=12), order("demo")
        with store() as database, database.engine() as connection:
            sealer = database.sealer
            accounts.create(connection, sealer, "demo", Permission, ["*"], asked)
            code = invitations.invite(
                connection, sealer, "demo", until, asked, enrols=False
            )
        place = f"http://127.0.0.1:{self.ports[3]}/sign-in?with=code"
        return f"console: {place}  code: {code}"

    def _first_delivered(self) -> float | None:
        """Return after how many seconds the first Bundle had arrived."""
        if self.memory.bundles and self.first_delivered is None:
            self.first_delivered = time.monotonic() - self.started
        return self.first_delivered

    async def play(
        self, engine: ChildProcess, seconds: float | None, *, once: bool
    ) -> "Seen":
        """Send, receive and show, until the time is over or somebody stops it."""
        from engine.cli.demo_view import Seen, View

        done = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, done.set)
        end = self.started + seconds if seconds else None
        live = sys.stderr.isatty() and not invocation().quiet
        async with self._receivers():
            await asyncio.to_thread(engine.wait_for, self.ports[:4])
            note(self._door())
            senders = [asyncio.create_task(each) for each in self._senders()]
            seen = Seen()
            with store() as database, View(live) as view:
                while not done.is_set() and (end is None or time.monotonic() < end):
                    if not engine.running:
                        raise Stop("the engine ended", Exit.PROBLEMS, str(engine.log))
                    seen = Seen.now(database, self.memory, self._first_delivered())
                    view.show(seen, self.folder)
                    if once and seen.complete:
                        break
                    await _pause(done, 0.5)
            for task in senders:
                task.cancel()
            await asyncio.gather(*senders, return_exceptions=True)
        return seen

    @asynccontextmanager
    async def _receivers(self) -> AsyncIterator[None]:
        """Keep the FHIR server up, and the second hospital system up and down."""
        *_, fhir, his = self.ports
        server = await serve(self.memory, "127.0.0.1", fhir)
        weather = asyncio.create_task(self._come_and_go(his))
        try:
            yield
        finally:
            weather.cancel()
            server.close()

    async def _come_and_go(self, port: int) -> None:
        """Listen for a while, then be down, again and again."""
        while True:
            server = await self.receiver.serve("127.0.0.1", port)
            try:
                await asyncio.sleep(UP_SECONDS)
            finally:
                server.close()
                self.receiver.hang_up()
            await asyncio.sleep(DOWN_SECONDS)

    def _senders(self) -> list[Coroutine[object, object, Tally]]:
        """Return what sends each feed to its channel, over and over."""
        adt = [made.data for made in self.feed if made.trigger.startswith("ADT")]
        oru = [made.data for made in self.feed if made.trigger.startswith("ORU")]
        share = len(adt) / (len(adt) + len(oru))
        plans = [
            (adt, self.ports[0], self.rate * share),
            (oru, self.ports[1], self.rate * (1 - share)),
            (adt, self.ports[2], self.rate * share),
        ]
        return [
            Sender(Feed(data, last=10**9, per_second=rate), "127.0.0.1", port).run()
            for data, port, rate in plans
        ]


async def _pause(done: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(done.wait(), seconds)
    except TimeoutError:
        return
