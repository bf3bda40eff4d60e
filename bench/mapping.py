"""How long the FHIR map takes, and how much faster than the pydantic models it is.

    python bench/mapping.py [--rounds 40]

For an admission and a report of thirty results it prints, in microseconds of CPU, the
fastest and the median of the rounds: bytes to Bundle JSON and its parts, and the same
Bundle through fhir.resources, validated and written. One more message about a person
seen before is told apart from one about a person never seen, because what a feed says
again is remembered. Goals (G8): ADT 150, ORU 600, at least 30 times faster.
"""

import argparse
import gc
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.hl7 import parse
from engine.transforms.fhir import MapContext, map_message, transaction, write_json
from tests.fhir_messages import admission, laboratory_report

CONTEXT = MapContext(site="bench")


def spent(work: Callable[[int], object], rounds: int) -> tuple[float, float]:
    """Microseconds of CPU of the fastest and the median round; each gets its number.

    The collector rests meanwhile, as it does in a worker.
    """
    times = []
    gc.collect()
    gc.disable()
    for number in range(rounds):
        began = time.process_time_ns()
        work(number)
        times.append((time.process_time_ns() - began) / 1000)
    gc.enable()
    return min(times), median(times)


def converted(data: bytes) -> bytes:
    """Return the Bundle of a message as JSON."""
    return write_json(transaction(map_message(parse(data), CONTEXT).entries))


def measure(name: str, make: Callable[[int], bytes], rounds: int) -> None:
    """Print one kind of message."""
    known = make(0)
    converted(known)
    control = parse(known).control_id
    again = [
        known.replace(f"|{control}|".encode(), f"|{control}.{number}|".encode(), 1)
        for number in range(rounds)
    ]
    fresh = [make(number + 1) for number in range(rounds)]
    message = parse(known)
    entries = map_message(message, CONTEXT).entries
    bundle = transaction(entries)
    written = write_json(bundle)
    rows = {
        "bytes to JSON, person known": spent(lambda n: converted(again[n]), rounds),
        "bytes to JSON, person new": spent(lambda n: converted(fresh[n]), rounds),
        "  parse": spent(lambda _: parse(known), rounds),
        "  map": spent(lambda _: map_message(message, CONTEXT), rounds),
        "  transaction": spent(lambda _: transaction(entries), rounds),
        "  write": spent(lambda _: write_json(bundle), rounds),
    }
    print(f"{name}: {len(entries)} resources, {len(written)} bytes")
    for label, (fastest, middle) in rows.items():
        print(f"  {label:<30}{fastest:>8.0f}{middle:>8.0f} us")
    ours = [each for label, each in rows.items() if label.startswith("bytes")]
    _compare(json.loads(written), ours, rounds)


def _compare(bundle: object, ours: list[tuple[float, float]], rounds: int) -> None:
    try:
        from fhir.resources.R4B.bundle import Bundle  # noqa: PLC0415 - optional
    except ImportError:
        print("  fhir.resources is not installed: no comparison")
        return
    fastest, middle = spent(
        lambda _: Bundle.model_validate(bundle).model_dump_json(), rounds
    )
    known, new = (f"{middle / own:.1f}" for _, own in ours)
    print(f"  {'fhir.resources':<30}{fastest:>8.0f}{middle:>8.0f} us")
    print(f"  medians of it to ours: {known} for a known person, {new} for a new one")


def main() -> None:
    """Measure both kinds of message."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--rounds", type=int, default=40)
    rounds = reader.parse_args().rounds
    print(platform.machine(), platform.python_version())
    measure("ADT^A01", admission, rounds)
    measure("ORU^R01, 30 results", laboratory_report, rounds)


if __name__ == "__main__":
    main()
