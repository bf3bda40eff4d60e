"""A whole small hospital in one thread: senders, engine, store, receivers, chance.

Every step is one call; what happens next is asked of one source of randomness, so a run
is repeated from its seed. The store is real, on SQLite; sockets, threads and time are
not. A crash may come before and after every commit.
"""

import functools
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

from engine.channels.format.load import load_site
from engine.channels.processing.assemble import lines_of
from engine.channels.processing.prepare import LAST_DEATHS
from engine.channels.worker import Worker
from engine.errors import IllegalTransitionError
from engine.store import claims, delivery_moves, messages
from engine.store.audit import Order
from engine.store.settlement import expire
from tests.fakes import NOON
from tests.faults.simulated.fragile import Crash, FragileStore, FullDiskError
from tests.faults.simulated.node import Node
from tests.faults.simulated.peers import End, Peer, Receiver, message
from tests.faults.simulated.stores import empty_store

CHANNEL = """
channel: adt
source:
  mllp: {port: 2575}
identity: {match: false}
filter:
  - name: not for us
    drop: PV1-10 == "NONE"
edit:
  - translate: PV1-10
    table: service
    on-missing: error("unmapped-service")
destinations:
  - name: his
    mllp: {host: 127.0.0.1, port: 2700, ack-timeout: 5s}
    order-key: PID-3.1
  - name: lab
    mllp: {host: 127.0.0.1, port: 2701, ack-timeout: 5s}
    order-key: PID-3.1
"""
LEASE_SECONDS = 16.0


@functools.cache
def site():
    """Return the site of all worlds, read once."""
    with tempfile.TemporaryDirectory() as name:
        config = Path(name)
        (config / "channels").mkdir()
        (config / "tables").mkdir()
        (config / "interop.toml").write_text('site = "test"\n')
        (config / "tables" / "service.csv").write_text("from,to\nMED,MED\n")
        (config / "channels" / "adt.yaml").write_text(CHANNEL)
        return load_site(config, variables={})


class Fence:
    """E90: whoever lost a delivery can neither settle it nor go on behind it."""

    def __init__(self, world):
        self._world = world

    def __call__(self, owner, settlements):
        """Return which of these deliveries are not this owner's any more."""
        if not settlements:
            return set()
        rows = self._world.deliveries()
        return {
            one.leased.id
            for one in settlements
            for row in (rows[one.leased.id],)
            if (row.state, row.owner, row.epoch) != ("leased", owner, one.leased.epoch)
        }

    def check(self, taken_over, stale):
        missed = taken_over.difference(stale)
        if missed:
            self._world.faults.append(f"E90: settled what another holds: {missed}")


class World:
    """Everything, and the steps that chance chooses from."""

    def __init__(self, chance, *, nodes=1, crashes=0.03, full_disk=0.01):
        self.chance, self.seconds = chance, 0.0
        self.crashes = self.full_disk = 0.0
        files = empty_store()
        self.store, self.query = files.database, files.rows
        self.lines = lines_of(site())
        [self.channel] = site().channels
        self.fence = Fence(self)
        self.faults: list[str] = []
        self.story: list[str] = []
        self.counts: Counter[str] = Counter()
        self.sent: dict[str, bytes] = {}
        self.person: dict[str, str] = {}
        self.peers = [Peer(f"10.0.0.{n}", chance) for n in (1, 2)]
        names = [each.name for each in self.channel.destinations]
        self.receivers = {name: Receiver(name, self.holds_lease) for name in names}
        self.paused: dict[str, float] = {}
        self.takeovers = 0
        self.struck = False
        self.nodes = {f"n{n}": self.new_node(f"n{n}") for n in range(1, nodes + 1)}
        self.workers = [self.new_worker(f"w{n}") for n in range(1, nodes + 1)]
        self.crashes, self.full_disk = crashes, full_disk

    def now(self):
        return NOON + timedelta(seconds=self.seconds)

    # ---- makers

    def fragile(self):
        return FragileStore(self.store, self.strike, lambda _: None)

    def new_node(self, owner):
        return Node(self, owner, self.fragile())

    def new_worker(self, owner):
        store = FragileStore(
            self.store, self.strike_worker, lambda _: self.interrupt(owner)
        )
        return Worker(store, self.lines, self.now, owner)  # type: ignore[arg-type]

    def add(self, name, person, service="MED", peer=0):
        """Give a sender one more message."""
        body = message(name, person, service)
        self.sent[name], self.person[name] = body, person
        self.peers[peer].to_send.append((name, body))

    # ---- what strikes

    def strike(self, where):
        if where == "journal before commit" and self.chance.random() < self.full_disk:
            self.counts["full disk"] += 1
            raise FullDiskError
        if self.chance.random() < self.crashes:
            self.counts["crashes"] += 1
            self.note(f"crash {where}")
            raise Crash(where)

    def strike_worker(self, where):
        """As `strike`; after so many deaths the next one's person would not wait."""
        if self.counts["worker crashes"] < LAST_DEATHS:
            before = self.counts["crashes"]
            try:
                self.strike(where)
            finally:
                self.counts["worker crashes"] += self.counts["crashes"] - before

    def interrupt(self, owner):
        """Sometimes a worker sleeps between its transactions, and another goes on."""
        others = [one for one in self.workers if one.owner != owner]
        if not others or self.struck or self.chance.random() > 0.1:
            return
        self.struck = True  # one sleeper at a time
        self.advance(LEASE_SECONDS)
        self.work(self.chance.choice(others), 3)
        self.struck = False

    def survive(self, step, dies):
        """Make a step; a crash in it ends the process, which starts anew."""
        crashes, self.crashes = self.crashes, self.crashes
        try:
            return step()
        except Crash:
            self.crashes = 0.0  # recovery is tried again until it ends
            dies()
            self.crashes = crashes
            return True

    # ---- steps; each returns whether there was anything to do

    def connect_or_send(self):
        peer = self.chance.choice(self.peers)
        if peer.line is None:
            if peer.done:
                return False
            peer.connect(self.nodes[self.awake()].factory)
            return True
        return peer.send(self.chance.randint(1, 3)) or peer.travel()

    def travel(self):
        return self.chance.choice(self.peers).travel()

    def hang_up(self):
        peer = self.chance.choice(self.peers)
        if peer.line is None or self.chance.random() > 0.2:
            return False
        peer.lose()
        return True

    def commit(self):
        owner = self.chance.choice(sorted(self.nodes))
        if owner in self.paused:
            return False
        node = self.nodes[owner]
        done = self.survive(
            lambda: node.journal.commit(self.chance.randint(1, 4)),
            lambda: self.node_died(owner),
        )
        self.hear()
        return done

    def process(self):
        worker = self.chance.choice(self.workers)
        return self.work(worker, self.chance.randint(1, 4))

    def work(self, worker, limit):
        return self.survive(
            lambda: self.batch(worker, limit), lambda: self.worker_died(worker)
        )

    def batch(self, worker, limit):
        try:
            done = worker.batch("adt", limit)
        except IllegalTransitionError:
            self.counts["leases lost"] += 1
            self.worker_died(worker)
            return True
        if done:
            for owner in sorted(self.nodes.keys() - self.paused.keys()):
                self.nodes[owner].loop.wake()
        return bool(done)

    def settle_round(self):
        owner = self.chance.choice(sorted(self.nodes))
        if owner in self.paused:
            return False
        return self.survive(
            self.nodes[owner].outbox.step, lambda: self.node_died(owner)
        )

    def receive(self):
        receiver = self.chance.choice(list(self.receivers.values()))
        how = self.chance.choice(self.ends)
        done = receiver.act(how, self.chance, self.paused)
        if done:
            self.note(f"{receiver.name}: {done} {how.__name__}")
        return done

    ends: tuple[End, ...] = (Receiver.accept,)

    def wait(self):
        self.advance(self.chance.choice((0.1, 1.0, 6.0)))
        return True

    def sleep(self):
        """A node stops for longer than its leases last; another takes over."""
        if len(self.nodes) < 2 or self.paused or self.chance.random() > 0.1:
            return False
        owner = self.chance.choice(sorted(self.nodes))
        for receiver in self.receivers.values():  # nothing of it is on the way
            while receiver.act(Receiver.drop, self.chance, self.nodes.keys() - {owner}):
                pass
        self.paused[owner] = self.seconds
        self.advance(LEASE_SECONDS)
        with self.store.engine() as connection:
            expire(connection, self.now())
        self.takeovers += 1
        self.counts["takeovers"] += 1
        for other in sorted(self.nodes.keys() - {owner}):
            self.nodes[other].loop.wake()
        return True

    def wake(self):
        """The node goes on as if nothing had been."""
        if not self.paused or self.chance.random() > 0.1:
            return False
        owner, since = self.paused.popitem()
        self.nodes[owner].clock.advance(self.seconds - since)
        return True

    def restart(self):
        """Everything ends at once, and starts again."""
        if self.paused or self.chance.random() > 0.1:
            return False
        self.begin_anew()
        return True

    def begin_anew(self):
        """End every process, and start each again."""
        crashes, self.crashes = self.crashes, 0.0
        for owner in list(self.nodes):
            self.node_died(owner)
        for worker in list(self.workers):
            self.worker_died(worker)
        with self.store.engine() as connection:
            claims.forget_starts(connection)
        self.crashes = crashes

    STEPS = (
        *(connect_or_send,) * 6,
        *(travel,) * 3,
        hang_up,
        *(commit,) * 4,
        *(process,) * 3,
        *(settle_round,) * 6,
        *(receive,) * 6,
        *(wait,) * 2,
        *(sleep, wake),
        restart,
    )

    def step(self):
        """Let one thing happen."""
        step = self.chance.choice(self.STEPS)
        done = step(self)
        if done and step is not World.receive:
            self.note(step.__name__)
        return done

    def note(self, what):
        """Keep what happened, for whoever looks into a seed."""
        self.story.append(f"{self.seconds:7.1f} {what}")

    # ---- deaths

    def node_died(self, owner):
        """The process is gone with its connections; it starts anew and recovers."""
        dead = self.nodes[owner]
        for peer in self.peers:
            if peer.line is not None and peer.line in dead.factory._open:
                peer.forget()
        for receiver in self.receivers.values():
            receiver.forget(owner)
        self.nodes[owner] = self.new_node(owner)

    def worker_died(self, worker):
        self.workers[self.workers.index(worker)] = self.new_worker(worker.owner)

    # ---- questions

    def advance(self, seconds):
        self.seconds += seconds
        for owner in sorted(self.nodes.keys() - self.paused.keys()):
            self.nodes[owner].clock.advance(seconds)

    def awake(self):
        return self.chance.choice(sorted(self.nodes.keys() - self.paused.keys()))

    def hear(self):
        for peer in self.peers:
            if peer.line is not None:
                peer.hear()

    def deliveries(self):
        return {row.id: row for row in self.query("SELECT * FROM engine.delivery")}

    def holds_lease(self, destination, name, owner):
        """Whether a node has the lease of the message it is sending."""
        return bool(
            self.query(
                "SELECT 1 FROM engine.delivery d JOIN journal.message m"
                " ON m.id = d.message_id WHERE m.control_id = ?"
                " AND d.destination = ? AND d.owner = ? AND d.state = 'leased'",
                *(name, destination, owner),
            )
        )

    # ---- the end

    def calm(self):
        """Let everything that is under way come to its end, without new trouble."""
        self.crashes = self.full_disk = 0.0
        self.ends = (Receiver.accept,)
        self.struck = True
        while self.paused:
            self.wake()
        for _ in range(60):
            self.settle_down()
            if not self.put_right():
                return
        self.faults.append("the queues do not settle")

    def settle_down(self):
        for _ in range(100):
            if not self.pump():
                if not self.is_busy():
                    return
                self.advance(10.0)

    def is_busy(self):
        """Whether anything is still to be sent, processed or delivered.

        What waits in a parked lane waits for a person, not for time.
        """
        return (
            not all(peer.done for peer in self.peers)
            or self.is_any("SELECT 1 FROM engine.lane WHERE state <> 'parked'")
            or self.is_to_process()
        )

    def is_to_process(self):
        """Whether a worker would find anything."""
        return self.is_any(
            "SELECT 1 FROM engine.redo UNION ALL SELECT 1 FROM journal.message"
            " WHERE id > (SELECT coalesce(max(last_id), 0) FROM engine.progress)"
        )

    def is_any(self, sql):
        return bool(self.query(f"{sql} LIMIT 1"))

    def pump(self):
        """Let everything that can move do so; tell whether anything did."""
        moved = [self.pump_peer(peer) for peer in self.peers]
        for node in self.nodes.values():
            while node.journal.commit(10):
                moved.append(True)
            while node.outbox.step():
                pass
        self.hear()
        if self.is_to_process():
            moved += [self.batch(worker, 50) for worker in list(self.workers)]
        for receiver in self.receivers.values():
            while receiver.act(Receiver.accept, self.chance):
                moved.append(True)
        return any(moved)

    def pump_peer(self, peer):
        if peer.line is None and not peer.done:
            peer.connect(self.nodes["n1"].factory)
        moved = peer.send(2)
        while peer.travel():
            moved = True
        return moved

    def put_right(self):
        """Do what a person would: try again what failed, give up what cannot work."""
        order = Order("kim", self.now(), "put right")
        failed = [r.id for r in self.deliveries().values() if r.state == "failed"]
        errors = self.query(
            "SELECT m.id, j.control_id, j.verdict FROM engine.message m"
            " JOIN journal.message j ON j.id = m.id WHERE m.state = 'error'"
        )
        good = [
            row.id
            for row in errors
            if row.verdict == "accepted" and b"|BAD\r" not in self.sent[row.control_id]
        ]
        bad = [row.id for row in errors if row.id not in good]
        sealer = self.store.sealer
        with self.store.engine() as connection:
            delivery_moves.resend(connection, sealer, failed, order)
            messages.reprocess(connection, sealer, good, order)
            messages.discard(connection, sealer, bad, order)
        return len(failed) + len(errors)
