"""The process of the test bench: one request, words on where it stands, one answer.

Requests and answers are framed as in `step_process`. It touches no store of the node
and no network; whoever asks ends it when it takes too long.
"""

import os
import signal
import sys
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TypedDict

import orjson

from engine.channels.draft import draft_folder
from engine.channels.format.load import load_site
from engine.channels.processing.assemble import Line, line_of
from engine.channels.processing.channel_tests import run_tests
from engine.channels.processing.differing import differences
from engine.channels.processing.flow import flow_of
from engine.channels.processing.step_process import frame, read_frame
from engine.channels.processing.trial import attempt, bench
from engine.channels.processing.watched import Mark
from engine.errors import ConfigurationError

NICER = 5
"""How far behind the engine's own processes this one stands."""

LOADING_SECONDS = 20.0
"""The processor time that reading a configuration may take, apart from the trial's."""

SAMPLES = 3
"""So many message numbers stand beside each difference."""


class Ask(TypedDict):
    """One request; ``draft`` is the changed channel file, or empty.

    ``messages`` are (number, base64): one to try, the stored ones for what-if.
    ``seconds`` is the processor time it may take, once its channel is loaded.
    """

    do: str
    config: str
    environment: str
    channel: str
    draft: str
    messages: list[tuple[int, str]]
    seconds: float


Say = Callable[[str], None]
Answer = dict[str, object]


def tried(ask: Ask, config: Path, say: Say) -> Answer:
    """Return what becomes of one message, and how a draft changes that."""
    line = _line(ask, config)
    say("start")
    data = b64decode(ask["messages"][0][1])
    marks: list[tuple[Mark, float]] = []

    def tell(mark: Mark) -> None:
        marks.append((mark, time.perf_counter()))
        say(" ".join(filter(None, (mark.stage, mark.name, mark.line))))

    trial = attempt(line, data, tell=tell)
    flow = flow_of(trial, line.feed.channel, marks, time.perf_counter(), data)
    found = flow.plain() | {"differs": []}
    if ask["draft"]:
        say("the channel as it runs")
        found["differs"] = differences(attempt(_site_line(ask), data), trial)
    return found


def tested(ask: Ask, config: Path, say: Say) -> Answer:
    """Return how the channel's own tests end."""
    line = _line(ask, config)
    say("tests")
    results = run_tests(line, config)
    return {
        "tests": [
            {"name": each.name, "line": each.line, "differences": each.differences}
            for each in results
        ]
    }


def compared(ask: Ask, config: Path, say: Say) -> Answer:
    """Return what a draft would make of stored messages otherwise, and how often."""
    counted: Counter[str] = Counter()
    samples: dict[str, list[int]] = {}
    changed = 0
    with bench(_site_line(ask)) as was, bench(_line(ask, config)) as now:
        for number, text in ask["messages"]:
            say(f"message {number}")
            data = b64decode(text)
            found = differences(was.put(data), now.put(data))
            changed += bool(found)
            for place in found:
                counted[place] += 1
                seen = samples.setdefault(place, [])
                seen += [number] if len(seen) < SAMPLES else []
    return {
        "messages": len(ask["messages"]),
        "changed": changed,
        "places": [
            {"place": place, "count": count, "samples": samples[place]}
            for place, count in counted.most_common()
        ],
    }


DOES: Mapping[str, Callable[[Ask, Path, Say], Answer]] = {
    "try": tried,
    "test": tested,
    "what-if": compared,
}


def answered(ask: Ask, say: Say) -> Answer:
    """Return the answer to a request; a wrong configuration is one, with its faults."""
    config = Path(ask["config"])
    changed = ask["draft"]
    folder = draft_folder(config, ask["channel"], changed) if changed else nullcontext()
    try:
        with folder as draft:
            return DOES[ask["do"]](ask, draft or config, say)
    except ConfigurationError as error:
        return {"refused": str(error), "faults": list(error.faults)}


def _line(ask: Ask, config: Path) -> Line:
    """Return the channel, loaded; the time that takes does not count to the trial's."""
    left, _ = signal.setitimer(signal.ITIMER_PROF, LOADING_SECONDS)
    site = load_site(config, ask["environment"] or None)
    line = line_of(site, site.channel(ask["channel"]))
    signal.setitimer(signal.ITIMER_PROF, left)
    return line


def _site_line(ask: Ask) -> Line:
    return _line(ask, Path(ask["config"]))


def main(arguments: Sequence[str] = ()) -> None:
    """Answer requests until standard input ends."""
    del arguments
    os.nice(NICER)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    sys.stdout = sys.stderr  # what a package prints must not break the answers

    def send(value: object) -> None:
        answers.write(frame(value))
        answers.flush()

    while (body := read_frame(requests)) is not None:
        ask: Ask = orjson.loads(body)
        signal.setitimer(signal.ITIMER_PROF, ask["seconds"])  # then SIGPROF ends us
        found = answered(ask, lambda place: send({"at": place}))
        signal.setitimer(signal.ITIMER_PROF, 0)
        send({"answer": found})


if __name__ == "__main__":
    main()
