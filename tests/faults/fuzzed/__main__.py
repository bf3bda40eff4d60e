"""F18 as a command: one target for so many seconds, guided by coverage.

    python -m tests.faults.fuzzed --target deframe --seconds 600

Needs atheris (``make fuzz`` installs it). Exits 1 at the first input that breaks an
oracle, and keeps that input in the working folder.
"""

import argparse
import importlib
import sys

from tests.faults.fuzzed.targets import TARGETS, timed


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--target", choices=sorted(TARGETS), required=True)
    options.add_argument("--seconds", type=int, default=60)
    asked = options.parse_args()
    atheris = importlib.import_module("atheris")
    target = TARGETS[asked.target]
    atheris.instrument_all()
    limits = [f"-max_total_time={asked.seconds}", "-max_len=4096", "-timeout=20"]
    atheris.Setup([sys.argv[0], *limits], lambda data: timed(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
