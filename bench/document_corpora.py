"""What becomes of real messages: every document judged, every fact looked for.

    python bench/document_corpora.py                  the corpora beside the checkout
    python bench/document_corpora.py --only PID-5     facts neither told nor lost

Each message is mapped and rendered in every template that has something to say, twice,
and judged by the reference validator under both rule files. Exit status 1 when one
document is not clean or not the same twice.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.ccda_survey import Survey, messages


def main() -> int:
    """Survey the corpora; return the exit status."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", help="show silent facts of this field")
    options.add_argument(
        "--every", type=int, default=1, help="every so manieth message"
    )
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        survey = Survey(Path(folder))
        for path in list(messages())[:: chosen.every]:
            survey.look(path)
    print(dict(survey.counts))
    for template, patterns in sorted(survey.patterns.items()):
        print(
            f"patterns fired, {template}: least {min(patterns)}, most {max(patterns)}"
        )
    for path, finding in survey.wrong[:20]:
        print("wrong:", path, finding)
    silent = Counter(fact.place for _, fact in survey.silent)
    print(f"facts told {survey.told}, reported lost {survey.lost}")
    print(f"facts in silence {len(survey.silent)}: {dict(silent.most_common())}")
    for path, fact in survey.silent:
        if chosen.only == fact.place:
            print(path, fact)
    return 1 if survey.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
