"""One node's deliver loop in a process of its own, to be stopped and continued.

    python -m tests.sender_process STORE_URL OWNER PORT

It sends what waits for ``registry`` of the channel ``adt`` over MLLP to PORT, with
leases so short that a test can wait for their end.
"""

import sys
import time
from datetime import timedelta
from typing import cast

from twisted.internet.base import ReactorBase
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IReactorTCP
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from engine.channels.clock import utc_now
from engine.channels.deliver import DeliverLoop
from engine.channels.destinations.mllp import MllpSender
from engine.channels.format.channel import Destination
from engine.channels.format.endpoints import MllpDestination
from engine.channels.outbox import Outbox
from engine.channels.route import Route
from engine.store.database import open_database
from engine.store.settlement import expire
from tests.databases import KEY

LEASE = timedelta(seconds=3)


def main():
    from twisted.internet import reactor as installed

    reactor = cast("ReactorBase", installed)
    reactor.seconds = time.monotonic
    url, owner, port = sys.argv[1:]
    database = open_database(url, KEY, role="edge")
    outbox = Outbox(database, owner, utc_now, LEASE)
    pool = ThreadPool(1, 1)

    class Store:
        def run(self, work):
            return deferToThreadPool(reactor, pool, outbox.run, work)

    def take_over():
        with database.engine() as connection:
            expire(connection, utc_now())

    def connect(factory):
        sockets = cast("IReactorTCP", reactor)
        return TCP4ClientEndpoint(sockets, "127.0.0.1", int(port)).connect(factory)

    way = MllpDestination(host="127.0.0.1", port=int(port), connections=2)
    sender = MllpSender(connect, way, reactor)
    route = Route("adt", Destination(name="registry", mllp=way), sender)
    loop = DeliverLoop(Store(), reactor, utc_now, lambda: 0.5, lambda *_: None)
    loop.extend_seconds = LEASE.total_seconds() / 3

    def start():
        pool.start()
        loop.follow({route.place: route})
        LoopingCall(lambda: deferToThreadPool(reactor, pool, take_over)).start(0.3)

    reactor.callWhenRunning(start)
    reactor.addSystemEventTrigger("before", "shutdown", pool.stop)
    reactor.run()


if __name__ == "__main__":
    main()
