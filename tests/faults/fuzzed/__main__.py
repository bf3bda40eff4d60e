"""F18 as a command: one target for so many seconds, guided by coverage.

    python -m tests.faults.fuzzed --target deframe --seconds 600

Needs atheris (``make fuzz`` installs it). Exits 1 at the first input that breaks an
oracle, and keeps that input in the working folder.
"""

import argparse
import importlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.fuzzed.targets import TARGETS, timed
from tests.faults.fuzzed.words import WORDS


def begun(folder, words):
    """Write what a run begins with; return its dictionary and its first inputs."""
    inputs, dictionary = folder / "inputs", folder / "words"
    inputs.mkdir()
    for number, word in enumerate([*words, b"".join(words)]):
        (inputs / str(number)).write_bytes(word)
    marked = ("".join(f"\\x{byte:02x}" for byte in word) for word in words)
    dictionary.write_text("".join(f'"{word}"\n' for word in marked))
    return dictionary, inputs


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--target", choices=sorted(TARGETS), required=True)
    options.add_argument("--seconds", type=int, default=60)
    asked = options.parse_args()
    atheris = importlib.import_module("atheris")
    target = TARGETS[asked.target]
    atheris.instrument_all()
    with TemporaryDirectory(prefix="interop-F18-") as folder:
        dictionary, inputs = begun(Path(folder), WORDS[asked.target])
        limits = [f"-max_total_time={asked.seconds}", "-max_len=4096", "-timeout=20"]
        words = [sys.argv[0], *limits, f"-dict={dictionary}", str(inputs)]
        atheris.Setup(words, lambda data: timed(target, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
