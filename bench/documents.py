"""How long a C-CDA document takes, and whether odd ones are clean.

    python bench/documents.py                 time per document
    python bench/documents.py --odd 2000      as many odd people, four documents each
    python bench/documents.py --faults 20     each class of faults, spoiled so often

The odd ones are judged by the reference validator beside the checkout; without it only
the built-in checks speak. Exit status 1 when one document is not clean.
"""

import argparse
import gc
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lxml import etree

from engine.errors import TransformError
from engine.transforms.ccda.checks import check
from engine.transforms.ccda.document import LAYOUTS, render
from engine.transforms.ccda.facts import Facts
from engine.transforms.ccda.versions import Version
from tests.ccda_facts import ENTERPRISE, NOON, PATIENT, SITE, about, coded, errors
from tests.ccda_faults import CLASSES, survivors
from tests.ccda_person import ann, everything, observation, odd, quantity
from tests.shared_data import SHARED

VERSION = Version("bench")
ROUNDS = 30


def laboratory(results: int) -> dict[str, dict[str, object]]:
    """A person with one report of so many results, the usual CCD of a feed."""
    numbered = {
        f"urn:fact:{number}": observation(valueQuantity=quantity(number, "g/dL"))
        for number in range(results)
    }
    listed = [{"reference": url} for url in numbered]
    report = about("DiagnosticReport", code=coded("http://loinc.org", "58410-2"))
    report |= {"status": "final", "result": listed}
    return {PATIENT: ann(), "urn:report": report, **numbered}


def clocked(work: Callable[[], object]) -> float:
    """Milliseconds of processor time for one call, the best of three series.

    The garbage collector rests, as a worker's does within a batch.
    """
    gc.collect()
    gc.disable()
    series = []
    for _ in range(3):
        start = time.process_time()
        for _ in range(ROUNDS):
            work()
        series.append((time.process_time() - start) / ROUNDS * 1000)
    return min(series)


def show_times() -> None:
    """Print size and time of the CCDs of four people."""
    people = {
        "nothing but a name": {PATIENT: ann()},
        "one report, 15 results": laboratory(15),
        "one report, 60 results": laboratory(60),
        "a fact of every kind": everything(),
    }
    for name, resources in people.items():
        document = render(
            "ccd", Facts(resources, ENTERPRISE), SITE, VERSION, NOON
        ).document
        tree = etree.fromstring(document)
        whole = clocked(
            lambda r=resources: render("ccd", Facts(r, ENTERPRISE), SITE, VERSION, NOON)
        )
        checks = clocked(lambda t=tree: check(t, companion_guide=True))
        size = len(document) / 1000
        print(f"{name:24} {size:6.1f} kB {whole:7.2f} ms, checks {checks:.2f} of it")


def judge(document: bytes, folder: Path) -> list[str]:
    """Return what the reference validator says, nothing where there is none."""
    if (SHARED / "tools" / "validate_cda.py").exists():
        return errors(document, folder)
    return []


def show_odd(people: int) -> bool:
    """Print how many documents of odd people are clean; True when all are."""
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(people):
            for template in LAYOUTS:
                try:
                    made = render(template, odd(seed), SITE, VERSION, NOON)
                except TransformError as error:
                    counts[f"refused: {error.code}"] += 1
                    continue
                wrong = [*judge(made.document, Path(folder)), *made.faults]
                counts["wrong" if wrong else "clean"] += 1
                for finding in wrong[:3]:
                    print(seed, template, finding)
    print(dict(counts))
    return counts["wrong"] == 0


def show_faults(trials: int) -> bool:
    """Print the faults that neither validator nor checks saw; True when none is."""
    facts = Facts(everything(), ENTERPRISE)
    document = render("ccd", facts, SITE, VERSION, NOON).document
    clean = True
    with tempfile.TemporaryDirectory() as folder:
        for name in CLASSES:
            unseen = survivors(document, name, trials, Path(folder))
            clean = clean and not unseen
            print(f"{name:32} {trials - len(unseen)} of {trials} seen, not: {unseen}")
    return clean


def main() -> int:
    """Run what was asked for; return the exit status."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--odd", type=int, default=0, metavar="N")
    options.add_argument("--faults", type=int, default=0, metavar="TRIALS")
    chosen = options.parse_args()
    if chosen.faults:
        return 0 if show_faults(chosen.faults) else 1
    if chosen.odd:
        return 0 if show_odd(chosen.odd) else 1
    show_times()
    return 0


if __name__ == "__main__":
    sys.exit(main())
