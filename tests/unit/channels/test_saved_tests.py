"""Messages saved as tests: every line of the channel's file stays."""

import pytest

from engine.channels.saved_tests import NewTest, add_test, expectation, with_test
from engine.errors import ConfigurationError

TEST = NewTest("an admission goes on", b"MSH|^~\\&|A\rPID|1\r", {"status": "processed"})
ENTRY = """- name: "an admission goes on"
{0}  message: f.hl7
{0}  expect:
{0}    status: "processed"
"""
PASSED = {"tests": [{"name": TEST.name, "differences": []}]}


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("name: a", "name: a\n\ntests:\n  " + ENTRY.format("  ")),
        ("tests: []\nname: a\n", "tests:\n  " + ENTRY.format("  ") + "name: a\n"),
        (
            "tests:  # ours\n    - name: b\n\nname: a\n",
            "tests:  # ours\n    - name: b\n    "
            + ENTRY.format("    ")
            + "\nname: a\n",
        ),
        ("tests:\n- name: b\n", "tests:\n- name: b\n" + ENTRY.format("")),
    ],
)
def test_an_entry_is_added_below_the_others(text, after):
    assert with_test(text, TEST, "f.hl7") == after


def flow(**fields):
    base = {"state": "processed", "code": "AA", "reason": "", "identity": "new"}
    outputs = [{"destination": "fhir"}, {"destination": "fhir"}]
    change = [
        ("PID-8", "1", "F", ""),
        ("OBX[*]-3", "", "x", ""),
        ("PID-9", "x", "", ""),
    ]
    parts = [{"stage": "edit", "changes": change}, {"stage": "map", "changes": []}]
    return {**base, "outputs": outputs, "parts": parts, **fields}


def test_what_came_out_is_what_must_come_out():
    assert expectation(flow()) == {
        "status": "processed",
        "ack": "AA",
        "identity": "new",
        "destinations": ["fhir"],
        "fields": {"PID-8": "F"},
    }
    assert expectation(flow(state="filtered", code="", reason="tests")) == {
        "status": "filtered",
        "by": "tests",
    }
    assert "identity" not in expectation(flow(identity=""))


@pytest.fixture
def config(tmp_path):
    (tmp_path / "channels").mkdir()
    (tmp_path / "channels" / "adt.yaml").write_text("name: adt\n")
    return tmp_path


def test_a_test_that_passes_is_written_with_its_message(config):
    file = add_test(config, "adt", TEST, lambda draft: PASSED)

    assert file == "tests/adt-an-admission-goes-on.hl7"
    assert (config / file).read_bytes() == b"MSH|^~\\&|A\nPID|1\n"
    assert file in (config / "channels" / "adt.yaml").read_text()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"tests": [{"name": TEST.name, "differences": ["ack AE"]}]}, "ack AE"),
        ({"tests": []}, "another test"),
        ({"refused": "line 3 is wrong"}, "line 3 is wrong"),
        ({"ran_out": "tests"}, "out of time"),
    ],
)
def test_a_test_that_does_not_pass_leaves_nothing(config, found, said):
    with pytest.raises(ConfigurationError, match=said):
        add_test(config, "adt", TEST, lambda draft: found)

    assert not list((config / "tests").iterdir())
    assert (config / "channels" / "adt.yaml").read_text() == "name: adt\n"


def test_a_file_that_somebody_changed_meanwhile_is_not_overwritten(config):
    def slow(draft):
        (config / "channels" / "adt.yaml").write_text("name: adt\n# theirs\n")
        return PASSED

    with pytest.raises(ConfigurationError, match="changed meanwhile"):
        add_test(config, "adt", TEST, slow)

    assert "theirs" in (config / "channels" / "adt.yaml").read_text()


def test_a_test_needs_a_name_of_its_own(config):
    add_test(config, "adt", TEST, lambda draft: PASSED)

    for name, said in ((TEST.name, "exists already"), ("!!", "in words")):
        with pytest.raises(ConfigurationError, match=said):
            add_test(config, "adt", NewTest(name, b"", {}), lambda draft: PASSED)
