"""How long the FHIR map takes, and how much faster than the pydantic models it is.

    python bench/mapping.py [--rounds 40]

For an admission and a report of thirty results it prints, in microseconds of one core
(the best of the rounds, so that a busy machine disturbs little), bytes to Bundle JSON
and its parts, and the same Bundle through fhir.resources: validated and written. A
message of a person seen before is told apart from a person never seen, because what a
feed says again is remembered. Goals (G8): ADT 150, ORU 600, at least 30 times faster.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.hl7 import parse
from engine.transforms.fhir import MapContext, map_message, transaction, write_json
from tests.fhir_messages import admission, laboratory_report

CONTEXT = MapContext(site="bench")


def best(work: Callable[[int], object], rounds: int) -> float:
    """Microseconds of the fastest of the rounds; ``work`` is given their number."""
    fastest = float("inf")
    for number in range(rounds):
        began = time.perf_counter()
        work(number)
        fastest = min(fastest, time.perf_counter() - began)
    return fastest * 1e6


def converted(data: bytes) -> bytes:
    """Return the Bundle of a message as JSON."""
    return write_json(transaction(map_message(parse(data), CONTEXT).entries))


def measure(name: str, make: Callable[[int], bytes], rounds: int) -> None:
    """Print one kind of message."""
    known = make(0)
    converted(known)
    fresh = [make(number + 1) for number in range(rounds)]
    message = parse(known)
    entries = map_message(message, CONTEXT).entries
    bundle = transaction(entries)
    written = write_json(bundle)
    rows = {
        "bytes to JSON, person known": best(lambda _: converted(known), rounds),
        "bytes to JSON, person new": best(lambda n: converted(fresh[n]), rounds),
        "  parse": best(lambda _: parse(known), rounds),
        "  map": best(lambda _: map_message(message, CONTEXT), rounds),
        "  transaction": best(lambda _: transaction(entries), rounds),
        "  write": best(lambda _: write_json(bundle), rounds),
    }
    print(f"{name}: {len(entries)} resources, {len(written)} bytes")
    for label, micros in rows.items():
        print(f"  {label:<30}{micros:>10.0f} us")
    _compare(json.loads(written), rows["bytes to JSON, person known"], rounds)


def _compare(bundle: object, ours: float, rounds: int) -> None:
    try:
        from fhir.resources.R4B.bundle import Bundle  # noqa: PLC0415 - optional
    except ImportError:
        print("  fhir.resources is not installed: no comparison")
        return
    theirs = best(lambda _: Bundle.model_validate(bundle).model_dump_json(), rounds)
    print(f"  {'fhir.resources':<30}{theirs:>10.0f} us, ratio {theirs / ours:.1f}")


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
