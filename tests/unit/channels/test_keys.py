"""Every key of the format: taken as its example, refused when wrong or misspelled."""

import re
from datetime import timedelta
from typing import Literal

import pytest

from engine.channels.format.channel import Channel
from engine.channels.format.keys import Shape, keys_of, shape_of, walk
from engine.channels.format.kinds import DURATION
from engine.channels.format.row_forms import ROWS, Choose, RowChoice
from engine.channels.format.segment_forms import Choice
from engine.channels.format.step_forms import STEPS
from engine.transforms.edits import Step
from engine.transforms.fhir_rows import MapRow
from engine.transforms.scope import Type
from tests.channel_files import read
from tests.shared_data import shared

SAMPLES = {
    Type.BOOLEAN: "exists(PID-5)",
    Type.TEXT: "PID-5",
    Type.ANY: "PID-5",
}
COMPILED = {Step: "{clear: PID-5}", MapRow: "{remove: Patient.active}"}
FITTING = {
    "MoveSegment.move-segment": "PV1",
    "Translate.column": "display",
    "FormatDate.from": "'%Y-%m-%d'",
    "FormatDate.to": "'%Y-%m-%d'",
    "Add.fields": "{code.text: PID-5}",
}
"""Examples where the kind alone does not say what fits its neighbours."""

WORDS_FOR_ANY_TEXT = {"", " "}


def example(shape):
    """Return YAML, in one line, that a shape takes."""
    if shape.items:
        return f"[{example(shape.items)}]"
    if shape.values:
        return f"{{{example(shape.names)}: {example(shape.values)}}}"
    if shape.inside:
        return COMPILED.get(shape.inside) or whole(shape.inside)
    return scalar(shape)


def scalar(shape):
    if shape.expression:
        return f"'{SAMPLES[shape.expression.type]}'"
    if shape.kind and shape.kind.names == "tables":
        return "sex"
    return shape.words[0] if shape.words else f"'{shape.kind.example}'"


def required(cls, besides=""):
    """Return the keys a mapping of a class must have, as YAML parts."""
    rows = keys_of(cls)
    parts = {row.name: fit(cls, row) for row in rows.values() if row.required}
    one_of = getattr(cls, "ONE_OF", ())
    if one_of and besides not in one_of:
        parts[one_of[0]] = example(rows[one_of[0]].shape)
    if besides:
        parts.pop(besides, None)
    return parts


def fit(cls, row):
    """Return the example of one key."""
    return FITTING.get(f"{cls.__name__}.{row.name}") or example(row.shape)


def whole(cls, **given):
    parts = {**required(cls, next(iter(given), "").replace("_", "-")), **given}
    return "{" + ", ".join(f"{name}: {text}" for name, text in parts.items()) + "}"


def classes():
    found = {Channel, Choice, RowChoice, *STEPS.values(), *ROWS.values(), Choose}
    for _, row in walk(Channel):
        shape = row.shape.items or row.shape.values or row.shape
        if shape.inside and shape.inside not in (Step, MapRow):
            found.add(shape.inside)
    return sorted(found, key=lambda cls: (cls.__module__, cls.__qualname__))


ROWS_OF_TABLE = [
    pytest.param(
        cls, row, id=f"{cls.__module__.split('.')[-1]}.{cls.__name__}.{row.name}"
    )
    for cls in classes()
    for row in keys_of(cls).values()
]


def wrong(shape):
    """Return YAML that a shape refuses, and the code it is refused with."""
    if shape.items or shape.values or (shape.inside and not shape.words):
        return "text", {"CH102"}
    if shape.expression:
        return "'1 +'", {"CH200"}
    if shape.kind and shape.kind.names == "tables":
        return "ward", {"CH220"}
    if shape.kind and shape.kind.wrong not in WORDS_FOR_ANY_TEXT:
        codes = {"CH110", "CH111", "CH150", "CH210", "CH370"}
        return f"'{shape.kind.wrong}'", codes
    if shape.words and not shape.kind:
        return "no-such-word", {"CH111"}
    return "{a: 1}", {"CH102"}


def first_fault(cls, text):
    place = "map" if cls.__module__.endswith("row_forms") else "destination"
    shape = Shape(inside=cls)
    head = next(
        (name for name, form in (*STEPS.items(), *ROWS.items()) if form is cls), ""
    )
    if head and place == "map":
        shape = Shape(inside=MapRow)
    elif head:
        shape = Shape(inside=Step)
    _, found = read(shape, text, place=place)
    return sorted(found, key=lambda each: each.place)


@pytest.mark.parametrize(("cls", "row"), ROWS_OF_TABLE)
def test_the_example_of_each_key_is_taken(cls, row):
    text = whole(cls, **{row.name: fit(cls, row)})

    assert first_fault(cls, text) == []


@pytest.mark.parametrize(("cls", "row"), ROWS_OF_TABLE)
def test_a_wrong_value_of_each_key_is_refused_at_its_column(cls, row):
    value, codes = wrong(row.shape)
    text = (
        "{"
        + ", ".join(
            [f"{row.name}: {value}"]
            + [f"{name}: {each}" for name, each in required(cls, row.name).items()]
        )
        + "}"
    )

    fault = first_fault(cls, text)[0]

    start = text.index(":") + 3
    assert fault.code in codes
    assert fault.place.line == 1
    assert start <= fault.place.column <= start + len(value)
    assert fault.sentence


@pytest.mark.parametrize(("cls", "row"), ROWS_OF_TABLE)
def test_a_misspelled_name_of_each_key_is_refused_with_the_right_one(cls, row):
    misspelled = row.name + "q"
    parts = required(cls, row.name)
    text = (
        "{"
        + ", ".join(
            [f"{misspelled}: {example(row.shape)}"]
            + [f"{name}: {each}" for name, each in parts.items()]
        )
        + "}"
    )

    fault = first_fault(cls, text)[0]

    assert (fault.place.line, fault.place.column) == (1, 2)
    assert f"'{misspelled}'" in fault.sentence
    assert row.name in fault.hint


@pytest.mark.parametrize(("cls", "row"), ROWS_OF_TABLE)
def test_every_key_is_described(cls, row):
    assert row.description


@pytest.mark.parametrize("name", STEPS)
def test_a_step_has_no_key_that_names_another_step(name):
    assert STEPS.keys() & names_of(STEPS[name]) == {name}


def names_of(cls):
    return keys_of(cls).keys()


def test_every_key_of_the_specification_is_a_key_of_the_table():
    page = shared("spec", "channel-format.md").read_text()
    tables = page[page.index("### 3.2") : page.index("### 3.10")]
    known = {
        path.replace("destinations[].", "").replace("source.", "")
        for path, _ in walk(Channel)
    }
    known = {re.sub(r"\[\]|\.NAME", "", path) for path in known}
    documented = set(
        re.findall(
            r"^\| `((?:mllp|file|http|hl7|duplicate|fhir|cda)\.[a-z-]+)",
            tables,
            re.MULTILINE,
        )
    )

    assert documented - known == set()
    assert len(documented) > 40


def test_every_knob_of_the_protocol_is_a_key_with_the_same_default():
    page = shared("spec", "protocol.md").read_text()
    knobs = page[page.index("## 6 Knobs") : page.index("## 7 Known")]
    written = re.findall(
        r"\| `((?:mllp|hl7|duplicate)\.[a-z-]+)`[^|]*\| ([^|]+) \|", knobs
    )
    known = dict(walk(Channel))

    for name, default in written:
        row = known.get(f"source.{name}") or known[f"destinations[].{name}"]
        if row.shape.kind and row.written_default:
            assert same(row, default), (name, default, row.written_default)

    assert len(written) > 25


def same(row, default):
    """Whether the protocol page and the table mean the same default."""
    words = {"off": "false", "100k, 1 M, `max-size`": row.written_default}
    text = default.strip().rstrip("*")
    text = words.get(text, text.replace(" kB", "KB").replace(" MB", "MB"))
    text = re.sub(r"^(\d+) (s|min|d)$", lambda hit: hit[1] + hit[2][0], text)
    ours = row.written_default.strip("[]").replace(" ", "")
    read = row.shape.kind.read
    return text.replace(" ", "") == ours or read(text) == read(row.written_default)


def test_a_union_of_a_kind_and_words_takes_both():
    shape = shape_of(timedelta | Literal["learned"] | None)

    assert (shape.words, shape.kind) == (("learned",), DURATION)


@pytest.mark.parametrize(("cls", "row"), ROWS_OF_TABLE)
def test_a_default_as_it_is_written_is_taken(cls, row):
    if row.written_default and not row.required:
        quoted = row.written_default
        if not quoted.startswith("["):
            quoted = f"'{quoted}'"
        text = whole(cls, **{row.name: quoted})

        assert first_fault(cls, text) == []
