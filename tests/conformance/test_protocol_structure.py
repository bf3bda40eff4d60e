"""protocol.md 3.3, structure: nothing lost, nothing invented, limits, plain data."""

import csv
import io
import json

import click
import pytest
from click.testing import CliRunner
from lxml import etree

from engine.cli.invocation import Command
from engine.cli.output import emit
from engine.hl7 import parse, parse_path
from engine.hl7.framing import enclose
from engine.store.words import Verdict
from tests.builders import adt_a01, er7, msh
from tests.feeding import HIS, Feed
from tests.linear_time import SHAPES, shape_seconds
from tests.listening import Peer, adt, codes, fault, heard

TRICKS = ["<Enter>", "<script>alert(1)</script>", "]]>", "{{x}}", "${x}", "=cmd()"]
EVERYWHERE = [
    HIS,
    {"name": "fhir", "fhir": {"url": "http://127.0.0.1:9/fhir", "validate": "always"}},
    {"name": "ccd", "cda": {"template": "ccd", "path": "out/{message.id}.xml"}},
    {"name": "lines", "file": {"path": "out/x.ndjson", "format": "fhir-ndjson"}},
]
TOUCH = [{"set": "PV1-3.2", "value": "102"}]


# ---- E62, what was sent


def test_E62_absent_empty_and_null_are_three_things(strict):
    message = parse(adt_a01().replace(b"|19800229|F", b'|""|'))
    path = {name: parse_path(name) for name in ("PID-7", "PID-8", "PID-9")}

    assert message.is_null(path["PID-7"])
    assert not any(message.is_null(path[name]) for name in ("PID-8", "PID-9"))
    assert message.encoded(path["PID-8"]) == message.encoded(path["PID-9"]) == ""
    assert message.segments[2].field_count == 8


UNEXPECTED = [
    "PID|1||1^^^HOSP^MR~~2^^^HOSP^PI||Doe^Ann^^^^^L^x^y^z^more|||F",
    'PID|1||1^^^HOSP&1.2.3&ISO^MR||Doe^Ann||""|F||||^^^',
    "PID|1||1^^^HOSP^MR||Doe^Ann||19800229|F|||||||||||||||||||||||||||||||||||x|y|",
]


@pytest.mark.parametrize("pid", UNEXPECTED)
def test_E62_what_is_not_touched_is_forwarded_byte_for_byte(pid, strict, tmp_path):
    data = er7(msh(), "EVN|A01|2030", pid, "PV1|1|I|WARD^101")

    taken = Feed(tmp_path, strict=strict).put(data)

    assert taken.state == "processed"
    assert taken.sent() == data


@pytest.mark.parametrize("pid", UNEXPECTED)
def test_E62_an_edit_keeps_the_unexpected_beside_it(pid, strict, tmp_path):
    data = er7(msh(), "EVN|A01|2030", pid, "PV1|1|I|WARD^101")

    taken = Feed(tmp_path, strict=strict, edit=TOUCH).put(data)

    assert taken.sent() == data.replace(b"WARD^101", b"WARD^102")


# ---- E63, segments


ODD = {
    "an unknown segment": ["EVN|A01|2030", "PID|1||1||Doe", "ABC|1", "PV1|1|I|W^101"],
    "a lower-case one": ["EVN|A01|2030", "PID|1||1||Doe", "zz1|1", "PV1|1|I|W^101"],
    "a short one": ["EVN|A01|2030", "PID|1||1||Doe", "ab|1", "PV1|1|I|W^101"],
    "a wrong order": ["PID|1||1||Doe", "EVN|A01|2030", "PV1|1|I|W^101"],
    "a missing one": ["PID|1||1||Doe", "PV1|1|I|W^101"],
}


@pytest.mark.parametrize("segments", ODD.values(), ids=ODD)
def test_E63_a_structure_fault_is_a_warning_and_in_strict_an_error(
    segments, strict, tmp_path
):
    data = er7(msh(), *segments)

    taken = Feed(tmp_path, strict=strict, edit=TOUCH).put(data)

    assert taken.code == "AA"
    [flag] = set(taken.flags)
    assert flag in {"segment_unknown", "segment_order", "segment_missing"}
    if strict:
        assert (taken.state, taken.cause) == ("error", ("accept", flag))
        assert taken.failure.sentence.startswith("the message departs from HL7 2.5.1")
    else:
        assert taken.sent() == data.replace(b"W^101", b"W^102")


def test_E63_z_segments_stay_in_place_and_are_no_fault(strict, tmp_path):
    segments = ["EVN|A01|2030", "ZA1|x", "PID|1||1||Doe", "ZP9|y", "PV1|1|I|W^101"]
    data = er7(msh(), *segments, "ZZZ|z")

    taken = Feed(tmp_path, strict=strict, edit=TOUCH).put(data)

    assert taken.flags == []
    assert taken.sent() == data.replace(b"W^101", b"W^102")


def test_E63_strict_looks_at_fields_too(strict, tmp_path):
    data = er7(msh(), "EVN|A01|2030", "PID|1||||Doe", "PV1|1|I")

    taken = Feed(tmp_path, strict=strict).put(data)

    assert taken.flags == (["field_required"] if strict else [])
    assert taken.cause == (("accept", "field_required") if strict else None)


def test_E63_a_broken_line_is_never_shown_as_a_segments_name(strict, tmp_path):
    data = er7(msh(), "EVN|A01|2030", "PID|1||1||Doe", "Thistlewood, Ann", "PV1|1|I")

    taken = Feed(tmp_path, strict=strict).put(data)

    assert "segment_unknown" in taken.flags
    assert b"Thistlewood" not in taken.trial.outcome.report
    assert not strict or "Thistlewood" not in taken.failure.sentence


# ---- E78, limits


def repeated(count):
    return adt(body="PID|1||" + "~".join(["1"] * count) + "\r")


@pytest.mark.parametrize(
    ("limit", "body", "code"),
    [
        ({"max_segments": 3}, adt(body="NTE|1\r" * 3), "198"),
        ({"max_segments": 3}, adt(body="NTE|1\r" * 3).replace(b"\r", b"\n"), "198"),
        ({"max_repetitions": 50}, repeated(51), "198"),
        ({"max_field": 99}, adt(body="OBX|1||" + "x" * 100 + "\r"), "104"),
        ({"max_field": 99}, adt(body="OBX|1||" + "x" * 100), "104"),
    ],
)
def test_E78_too_much_of_anything_is_refused_and_kept(limit, body, code, strict):
    line_feeds = b"\r" not in body

    peer = heard(body, strict=strict, hl7=limit)
    enhanced = heard(body.replace(b"2.5.1", b"2.5.1|||AL", 1), strict=strict, hl7=limit)

    assert codes(peer.sent) == [("AR", "M1")]
    assert codes(enhanced.sent) == [("CE", "M1")]
    assert fault(peer)[0] == ("100" if strict and line_feeds else code)
    assert peer.verdicts == [Verdict.QUARANTINED]
    assert peer.journalled == [body]


@pytest.mark.parametrize(
    ("limit", "body"),
    [
        ({"max_segments": 4}, adt(body="NTE|1\r" * 3)),
        ({"max_repetitions": 50}, repeated(50)),
        ({"max_field": 100}, adt(body="OBX|1||" + "x" * 100 + "|y\r")),
        ({"max_field": 20}, adt(body="OBX|1|" + "|".join(["x" * 20] * 50))),
        ({"max_repetitions": 9, "charset": "GB 18030-2000"}, None),
    ],
)
def test_E78_up_to_the_limit_everything_is_taken(limit, body, strict):
    if body is None:  # a second byte that looks like the mark repeats nothing
        body = adt(body="NTE|1||") + "亊".encode("gb18030") * 20 + b"\r"
        assert body.count(b"~") > limit["max_repetitions"]

    assert codes(heard(body, strict=strict, hl7=limit).sent) == [("AA", "M1")]


@pytest.mark.parametrize(
    ("most", "code"),
    [
        (adt(body="NTE\r" * 99_999), "198"),
        (adt(body="OBX|1||" + "~" * 999_999 + "\r"), "198"),
        (adt(body="OBX|1||" + "^" * 10_000 + "x" * 1_000_000 + "\r"), ""),
    ],
    ids=["segments", "repetitions", "components and a long field"],
)
def test_E78_the_limits_are_where_they_are_said_to_be(most, code, strict):
    one_more = most[:-1] + b"~\rNTE\r"

    assert codes(heard(most, strict=strict).sent) == [("AA", "M1")]
    if code:
        peer = heard(one_more, strict=strict)
        assert (codes(peer.sent), fault(peer)[0]) == ([("AR", "M1")], code)


@pytest.mark.parametrize("shape", SHAPES)
def test_E78_work_is_linear_in_every_direction(shape, strict):
    size = 25_000
    least = min(shape_seconds(shape, size, strict=strict) for _ in range(3))

    assert shape_seconds(shape, 8 * size, strict=strict) <= 24 * least


def test_E78_a_refusal_leaves_the_connection_to_the_next_message(strict):
    peer = Peer(strict=strict, hl7={"max_segments": 3})

    peer.hear(enclose(adt(body="NTE|1\r" * 9)) + enclose(adt("M2")))

    assert codes(peer.sent) == [("AR", "M1"), ("AA", "M2")]


# ---- E79, content is only content


def test_E79_markup_and_formulas_are_plain_data_wherever_they_go(strict, tmp_path):
    feed = Feed(tmp_path, strict=strict, destinations=EVERYWHERE)

    for number, trick in enumerate(TRICKS, start=1):
        family = trick.replace("&", r"\T\ ".strip())
        data = adt_a01(family=family, number=str(number), header=msh(f10=f"M{number}"))
        taken = feed.put(data)

        assert taken.state == "processed", taken.failure
        assert taken.sent() == data
        for text in (taken.sent("fhir"), taken.sent("lines").splitlines()[0]):
            assert trick in names_in(json.loads(text))
        document = etree.fromstring(taken.sent("ccd"))
        assert trick in "".join(map(str, document.itertext()))
        assert document.findall(".//{*}script") == document.findall(".//{*}Enter") == []


def names_in(found):
    """Return every string in a JSON value."""
    if isinstance(found, dict):
        return {text for each in found.values() for text in names_in(each)}
    if isinstance(found, list):
        return {text for each in found for text in names_in(each)}
    return {found} if isinstance(found, str) else set()


@pytest.mark.parametrize("trick", TRICKS)
def test_E79_a_listing_shows_them_as_they_are(trick, strict):
    @click.command(cls=Command)
    def lists():
        emit(iter([{"name": trick}]), ["name"])

    def told(form):
        return CliRunner().invoke(lists, ["-o", form]).stdout

    in_csv = next(csv.DictReader(io.StringIO(told("csv"))))["name"]
    assert json.loads(told("json"))[0]["name"] == trick
    assert trick in told("table")
    assert in_csv == ("'" if trick.startswith("=") else "") + trick
