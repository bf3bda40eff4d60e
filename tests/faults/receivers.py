"""The receivers of a run, in a process of their own that outlives every crash.

    python -m tests.faults.receivers LOG --mllp relay/his --http registry/fhir ...

Prints the port of each as JSON, then logs every document it is given and takes it,
``--delay`` seconds later.
"""

import argparse
import asyncio
import hashlib
import json
import time
from pathlib import Path

ACK = b"\x0bMSH|^~\\&|H|H|E|E|2030||ACK|1|P|2.5.1\rMSA|AA|%s\r\x1c\r"
ANSWER = {"resourceType": "Bundle", "type": "transaction-response"}


class Log:
    """Appends what was seen; one line each, in order of arrival."""

    def __init__(self, path):
        self.file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, place, control_id, body, *, again=False):
        digest = hashlib.sha256(body).hexdigest()
        word = "again" if again else "once"
        self.file.write(f"{time.time_ns()}\t{place}\t{control_id}\t{digest}\t{word}\n")


async def serve_mllp(log, place, delay):
    async def converse(reader, writer):
        try:
            while True:
                block = await reader.readuntil(b"\x1c\r")
                body = block[1:-2]
                name = body.split(b"|", 10)[9]
                log.write(place, name.decode("latin-1"), body)
                await asyncio.sleep(delay)
                writer.write(ACK % name)
                await writer.drain()
        except (EOFError, OSError):
            writer.close()

    return await asyncio.start_server(converse, "127.0.0.1", 0, limit=2**22)


async def serve_http(log, place, delay):
    async def converse(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(length(head))
                bundle = json.loads(body)
                log.write(place, bundle.get("id", ""), body, again=is_safe(bundle))
                await asyncio.sleep(delay)
                writer.write(answer(bundle))
                await writer.drain()
        except (EOFError, OSError):
            writer.close()

    return await asyncio.start_server(converse, "127.0.0.1", 0, limit=2**22)


def length(head):
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def is_safe(bundle):
    """Whether taking this transaction twice makes nothing twice."""
    requests = [entry.get("request", {}) for entry in bundle.get("entry", [])]
    return all(
        each.get("method") == "PUT" or "ifNoneExist" in each for each in requests
    )


def answer(bundle):
    entries = [{"response": {"status": "200 OK"}} for _ in bundle.get("entry", [])]
    body = json.dumps({**ANSWER, "entry": entries}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


async def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("log", type=Path)
    options.add_argument("--mllp", action="append", default=[])
    options.add_argument("--http", action="append", default=[])
    options.add_argument("--delay", type=float, default=0.0)
    asked = options.parse_args()
    log, servers = Log(asked.log), {}
    for place in asked.mllp:
        servers[place] = await serve_mllp(log, place, asked.delay)
    for place in asked.http:
        servers[place] = await serve_http(log, place, asked.delay)
    ports = {name: one.sockets[0].getsockname()[1] for name, one in servers.items()}
    print(json.dumps(ports), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers.values()))


if __name__ == "__main__":
    asyncio.run(main())
