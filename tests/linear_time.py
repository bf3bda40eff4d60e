"""How CPU time grows with size, for shapes of messages that betray a rescan.

``make linear`` prints CPU seconds: receiving up to 50 MB, reading up to 4 MB.
"""

import gc
import sys
import time
from contextlib import contextmanager

from engine.hl7 import parse, parse_path
from engine.hl7.conformance import check, check_shape
from engine.hl7.framing import enclose
from tests.listening import Peer, adt, codes

MEGABYTE = 1_000_000
SEGMENT = b"NTE|1||x\r"
SHAPES = {
    "repetitions": lambda size: b"OBX|1||" + b"1~" * (size // 2) + b"\r",
    "segments": lambda size: SEGMENT * (size // len(SEGMENT)),
    "components": lambda size: b"OBX|1||" + b"1^" * (size // 2) + b"\r",
    "one field": lambda size: b"OBX|1||" + b"x" * size + b"\r",
    "escapes": lambda size: b"OBX|1||" + b"\\T\\\\X41\\ab" * (size // 11) + b"\r",
    "broken escapes": lambda size: b"OBX|1||" + b"a\\b|" * (size // 4) + b"\r",
}
LIMITS = {"max_segments": 10**9, "max_repetitions": 10**9, "max_field": 10**9}


@contextmanager
def stopwatch():
    """Give a function for the CPU seconds so far; garbage waits, as in the engine."""
    gc.collect()
    gc.disable()
    start = time.process_time()
    try:
        yield lambda: time.process_time() - start
    finally:
        gc.enable()


def chunk_seconds(size, chunk, *, strict=False):
    """Return the CPU seconds to receive one message of ``size`` in small chunks."""
    stream = enclose(adt() + SEGMENT * (size // len(SEGMENT)))
    peer = Peer(strict=strict, mllp={"max_size": 10**9}, hl7=LIMITS)
    with stopwatch() as seconds:
        for place in range(0, len(stream), chunk):
            peer.hear(stream[place : place + chunk])
        taken = seconds()
    assert codes(peer.sent) == [("AA", "M1")]
    return taken


def shape_seconds(shape, size, *, strict=False):
    """Return the CPU seconds to receive, check, read, edit and write one message."""
    body = adt(body="") + SHAPES[shape](size)
    peer = Peer(strict=strict, mllp={"max_size": 10**9}, hl7=LIMITS)
    with stopwatch() as seconds:
        peer.hear(enclose(body))
        message = parse(body)
        (check if strict else check_shape)(message)
        last = message.segments[-1]
        for repetition in last.positions(3):
            repetition.texts(repetition.component_count)
        last.text(3, 2, 1, 2)
        message.set_text(parse_path("MSH-10"), "M2")
        message.encode()
        taken = seconds()
    assert codes(peer.sent) == [("AA", "M1")]
    return taken


def main():
    """Print CPU seconds by size; reading everything at 50 MB would fill the memory."""
    for chunk, sizes in ((1460, (12.5, 25, 50)), (64, (12.5, 25, 50)), (1, (1, 2, 4))):
        told = [f"{chunk_seconds(int(n * MEGABYTE), chunk):.2f}" for n in sizes]
        print(f"received in chunks of {chunk}, {sizes} MB:", *told)  # noqa: T201
    for shape in SHAPES:
        told = [f"{shape_seconds(shape, n * MEGABYTE):.2f}" for n in (1, 2, 4)]
        print(f"read with {shape}, (1, 2, 4) MB:", *told)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
