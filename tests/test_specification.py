"""What the specification names is there: rows with a test, knobs with their default.

The pages stay outside the repository; what is compared with them is skipped without.
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from engine.channels.format.channel import Channel, Duplicates, Hl7Options
from engine.channels.format.endpoints import MllpDestination, MllpSource
from engine.channels.format.keys import keys_of, walk
from engine.channels.format.load import check_site
from engine.channels.format.reference import reference_page
from engine.channels.format.schema import channel_schema
from tests.channel_files import CHANNEL
from tests.json_schema import faults
from tests.shared_data import shared

ROOT = Path(__file__).parents[1]
ROWS = [f"E{number:02}" for number in range(1, 91)]

WITHOUT_A_TEST: set[str] = set()
"""Rows that no test carries yet; a row leaves this set with its first test."""

BOTH_PROFILES = {*ROWS[:80]}
ONE_PROFILE = {"E23", "E28", "E31"}
"""Rows of the socket itself, where no message is read."""

SAMPLE_FILES = {"message.hl7", "bundle.json", "loss.json"}


# ---- rows


def row_tests():
    """Return the id of each row that a test carries, with the test's arguments."""
    texts = (
        path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
    )
    pattern = re.compile(r"^def test_(E\d\d)_\w+\(([^)]*)\)", re.MULTILINE)
    return [
        (row, set(re.findall(r"\w+", arguments)))
        for text in texts
        for row, arguments in pattern.findall(text)
    ]


def test_every_row_of_the_protocol_has_a_test_that_carries_its_id():
    carried = {row for row, _ in row_tests()}

    assert carried <= set(ROWS)
    assert set(ROWS) - carried == WITHOUT_A_TEST


RULES = [f"T{number:02}" for number in range(1, 37)]
DECISIONS = [f"D{number:02}" for number in range(1, 22)]
DEFENCES = [f"S{number:02}" for number in range(1, 53)]
DEFENCES_WITHOUT_A_TEST = {
    "S02", "S04", "S05", "S07", "S10", "S12", "S25",
    *(f"S{number}" for number in (*range(17, 24), *range(28, 40), *range(41, 53))),
}  # fmt: skip
"""Rows of the security page that no test carries yet; none may be added."""


def carried(letter):
    """Return the numbers after a letter that names of tests carry."""
    pattern = re.compile(rf"^def test_({letter}\d\d)_", re.MULTILINE | re.IGNORECASE)
    return {
        found.upper()
        for path in (ROOT / "tests").rglob("test_*.py")
        for found in pattern.findall(path.read_text(encoding="utf-8"))
    }


def test_every_rule_of_the_fhir_map_has_a_test_that_carries_its_number():
    assert carried("t") == set(RULES)


def test_every_decision_of_the_fhir_map_has_a_test_that_carries_its_number():
    assert carried("d") == set(DECISIONS)


def test_a_row_of_the_security_page_that_has_a_test_keeps_one():
    assert set(DEFENCES) - carried("s") <= DEFENCES_WITHOUT_A_TEST


def test_the_pages_have_the_rules_and_rows_that_are_looked_for():
    rules = shared("spec", "fhir.md").read_text(encoding="utf-8")
    defences = shared("spec", "security.md").read_text(encoding="utf-8")

    assert re.findall(r"^\*\*(T\d\d) ", rules, re.MULTILINE) == RULES
    assert re.findall(r"^\| (D\d\d) \|", rules, re.MULTILINE) == DECISIONS
    assert re.findall(r"^\| (S\d\d) \|", defences, re.MULTILINE) == DEFENCES


def test_every_row_of_text_and_listener_runs_with_lenient_and_strict_settings():
    twice = {row for row, arguments in row_tests() if "strict" in arguments}

    assert BOTH_PROFILES - twice - ONE_PROFILE == set()


BEHAVIOURS = [f"M{number:02}" for number in range(1, 23)]

UNTESTED_BEHAVIOURS: set[str] = set()
"""Behaviours of the patient index that no test carries yet."""


def test_every_behaviour_of_the_patient_index_has_a_test_that_carries_its_id():
    texts = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    named = {row for text in texts for row in re.findall(r"def test_(M\d\d)_", text)}

    assert named <= set(BEHAVIOURS)
    assert set(BEHAVIOURS) - named == UNTESTED_BEHAVIOURS


def test_the_page_of_the_index_has_the_behaviours_that_are_looked_for():
    page = shared("spec", "identity.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| (M\d\d) \|", page, re.MULTILINE) == BEHAVIOURS


def test_the_page_has_the_rows_that_are_looked_for():
    page = shared("spec", "protocol.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| (E\d\d) \|", page, re.MULTILINE) == ROWS


# ---- knobs


SOURCE, DESTINATION = "source.", "destinations[]."
COMPOSITE: dict[str, dict[str, object]] = {
    "keepalive, user timeout": {
        "source.mllp.keepalive.idle": timedelta(seconds=60),
        "source.mllp.keepalive.every": timedelta(seconds=10),
        "source.mllp.keepalive.tries": 6,
        "source.mllp.user-timeout": timedelta(seconds=30),
    },
    "`mllp.ack`, `mllp.ack-wait`": {
        "source.mllp.ack": "accepted",
        "source.mllp.ack-wait": timedelta(seconds=20),
    },
    "`mllp.on-storage-failure`": {"source.mllp.on-storage-failure": None},
    "`hl7.max-segments`, `-repetitions`, `-field`": {
        "source.hl7.max-segments": 100_000,
        "source.hl7.max-repetitions": 1_000_000,
        "source.hl7.max-field": None,
    },
    "`retry.first`, `max`, `attempts.*`": {
        "destinations[].retry.first": timedelta(seconds=1),
        "destinations[].retry.max": timedelta(minutes=5),
        "destinations[].retry.attempts.transient": None,
        "destinations[].retry.attempts.ambiguous": 3,
        "destinations[].retry.attempts.not-now": 10,
        "destinations[].retry.attempts.permanent": 0,
    },
}
"""Cells of the table that hold more than one key, or a default in words."""

UNITS: dict[str, Any] = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "d": timedelta(days=1),
    "kB": 1024,
    "MB": 1024**2,
}
AT_A_DESTINATION = {"mllp.ack-timeout", "mllp.app-ack-timeout", "mllp.unrepresentable"}
KEYS: dict[str, Any] = dict(walk(Channel))


def knobs():
    """Return each knob of the page, as a path of the loader, with its default."""
    page = shared("spec", "protocol.md").read_text(encoding="utf-8")
    section = page.split("\n## 6 Knobs", 1)[1].split("\n## 7", 1)[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if "|" in line]
    cells = [
        (row[place].strip(), row[place + 1].strip().rstrip("*"))
        for row in rows[2:]
        for place in (0, 3)
    ]
    found: dict[str, object] = {}
    for cell, default in cells:
        found |= COMPOSITE.get(cell) or {_path(cell): default}
    return found


def _path(cell):
    key = re.findall(r"`([^`]+)`", cell)[0]
    above = key.partition(".")[0] in {"mllp", "hl7", "duplicate"}
    listens = above and key not in AT_A_DESTINATION
    return f"{SOURCE if listens else DESTINATION}{key}"


def _meant(text, default):
    """Return what the page's text means where the loader has this default."""
    if isinstance(default, bool):
        return {"off": False, "on": True}[text]
    if isinstance(default, tuple):
        return [] if text == "any" else text.split(", ")
    if isinstance(default, int | timedelta) and " " in text:
        count, unit = text.split(" ")
        return int(count) * UNITS[unit]
    return type(default)(text)


def test_every_knob_is_a_key_of_the_loader_with_the_same_default():
    told = knobs()
    assert len(told) >= 50

    for path, wanted in told.items():
        default = KEYS[path].default
        meant = wanted
        if isinstance(wanted, str) and not isinstance(default, str):
            meant = _meant(wanted, default)
        have = list(map(str, default)) if isinstance(default, tuple) else default
        assert have == meant, path


def test_every_knob_is_in_the_reference_page_and_in_the_schema():
    page, schema = reference_page(), channel_schema()
    plain = YAML(typ="safe", pure=True).load(CHANNEL)
    assert faults(schema, plain) == []

    for path in knobs():
        assert f"| `{path}` |" in page
        assert faults(schema, _with(path)) == [], path
        assert faults(schema, _with(f"{path}x")) != [], path


def _with(path):
    """Return a channel that has this key, with a value an editor would accept."""
    channel = YAML(typ="safe", pure=True).load(CHANNEL)
    *above, last = path.replace("[]", "").split(".")
    holder = channel
    for name in above:
        holder = holder[0] if isinstance(holder, list) else holder
        holder = holder.setdefault(name, {})
    holder = holder[0] if isinstance(holder, list) else holder
    holder[last] = _example(path)
    return channel


def _example(path):
    row = KEYS.get(path)
    if row is None:
        return "x"
    shape = row.shape.items or row.shape
    text = shape.words[0] if shape.words else shape.kind.example if shape.kind else "x"
    one = YAML(typ="safe", pure=True).load(text)
    return [one] if row.shape.items else one


# ---- nothing is read and then ignored


def readers():
    """Return the engine's code that is not the reading of channel files itself."""
    folder = ROOT / "engine"
    outside = [path for path in folder.rglob("*.py") if path.parent.name != "format"]
    return "\n".join(path.read_text(encoding="utf-8") for path in outside)


@pytest.mark.parametrize(
    "options", [MllpSource, Hl7Options, Duplicates, MllpDestination]
)
def test_no_knob_is_read_and_then_passed_over_in_silence(options):
    code = readers()

    for row in keys_of(options).values():
        acted_on = re.search(rf"\.{row.field}\b", code)
        assert acted_on, f"{row.name} changes nothing and nobody is told"


# ---- what the repository names


def test_the_example_site_names_nothing_that_is_not_there():
    checked = check_site(ROOT / "config", None, {})

    assert [each for each in checked.faults if each.level == "error"] == []


@pytest.mark.parametrize(
    ("pattern", "folder", "ending"),
    [
        (r"python: ([a-z_0-9]+):", "steps", ".py"),
        (r"""table(?:: |\(")([a-z0-9-]+)""", "tables", ".csv"),
        (r"message: tests/(\w+)\.hl7", "tests", ".hl7"),
    ],
)
def test_every_step_table_and_message_named_in_the_example_site_exists(
    pattern, folder, ending
):
    channels = sorted((ROOT / "config" / "channels").glob("*.yaml"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in channels)

    named = set(re.findall(pattern, text))

    assert named
    for name in named:
        assert (ROOT / "config" / folder / f"{name}{ending}").is_file(), name


def test_every_sample_has_its_expected_files_and_its_line_in_the_list():
    page = (ROOT / "samples" / "README.md").read_text(encoding="utf-8")
    folders = [path for path in (ROOT / "samples").iterdir() if path.is_dir()]
    assert folders

    for folder in folders:
        assert {each.name for each in folder.iterdir()} >= SAMPLE_FILES, folder.name
        assert folder.name in page
