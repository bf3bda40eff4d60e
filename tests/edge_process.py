"""The real edge in a process of its own, for tests that send, kill and count.

    python -m tests.edge_process FOLDER PORT [--mllp HOST:PORT] [--fhir URL] ...

It takes messages for the channel ``adt`` on PORT; the store lies in FOLDER. Deliveries
are whatever a test puts into the outbox.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import cast

from twisted.internet.base import ReactorBase

from engine.channels.edge import Edge
from engine.channels.format.channel import Channel, Destination, Retry, Source
from engine.channels.format.endpoints import (
    FhirDestination,
    FileDestination,
    FileSource,
    HttpSource,
    MllpDestination,
    MllpSource,
)
from engine.channels.logs import configure_logs
from engine.channels.twisted_logs import follow_twisted
from engine.failpoint import arm
from engine.settings import Settings
from engine.store.database import open_database

KEY = b"k" * 32


def channels(asked):
    destinations = []
    if asked.mllp:
        host, _, port = asked.mllp.rpartition(":")
        mllp = MllpDestination(host=host, port=int(port))
        destinations.append(Destination(name="his", mllp=mllp, retry=Retry()))
    if asked.fhir:
        fhir = FhirDestination(url=asked.fhir)
        destinations.append(Destination(name="fhir", fhir=fhir))
    if asked.files:
        file = FileDestination(path=f"{asked.files}/out/{{message.id}}.hl7")
        destinations.append(Destination(name="archive", file=file))
    source = Source(mllp=MllpSource(port=asked.port, max_connections=1000))
    found = [Channel(name="adt", source=source, destinations=tuple(destinations))]
    if asked.files:
        folder = Source(file=FileSource(path=f"{asked.files}/in"))
        found.append(Channel(name="files", source=folder))
    if asked.patients:
        way = HttpSource(path="/fhir", credential="feed", takes="patients")
        found.insert(0, Channel(name="patients", source=Source(http=way)))
    return found


def main():
    from twisted.internet import reactor as installed

    reactor = cast("ReactorBase", installed)
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=Path)
    options.add_argument("port", type=int)
    options.add_argument("--mllp", default="")
    options.add_argument("--fhir", default="")
    options.add_argument("--files", default="")
    options.add_argument("--patients", default="", help="host:port")
    options.add_argument("--bells", type=Path)
    asked = options.parse_args()
    configure_logs("info", "json")
    arm(os.environ)
    follow_twisted()
    reactor.seconds = time.monotonic
    allowed = (asked.files,) if asked.files else ()
    settings = Settings(
        folder=asked.folder,
        node_name="test",
        files_allowed=allowed,
        site="test",
        http_bind=asked.patients,
        credentials={"feed": {"kind": "bearer", "token": "t"}},
    )
    database = open_database(f"sqlite:///{asked.folder}/store", KEY, role="edge")
    edge = Edge(settings, database, reactor, lambda: channels(asked), asked.bells)
    reactor.callWhenRunning(edge.start)
    reactor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
