"""The edit steps: what each does to a message, and what it leaves in the trace."""

import pytest

from engine.errors import TransformError
from engine.hl7 import Finding
from engine.transforms.edits import Ending, run_steps
from tests.builders import er7, msh
from tests.channel_files import context, edited, steps

LAB = er7(
    msh(),
    "PID|1||7^^^H^MR~8^^^X^PI||doe ^ann||19800229|1",
    "PV1|1|I",
    "ORC|RE",
    "OBR|1|||CBC^Blood count^L",
    "OBX|4|NM|GLU^Glucose^L||5.4",
    "NTE|1|L|first",
    "OBX|9|NM|2345-7^Glucose^LN||5.5",
    "ORC|RE",
    "OBR|2|||CHEM",
    "OBX|1|NM|K^Potassium^L||3.2",
)


def after(text, data=LAB, **options):
    """Return the edited message's segments."""
    passing, verdict = edited(text, data, **options)
    assert verdict is None
    return [segment.encoded for segment in passing.message.segments]


def line(text, name, data=LAB, **options):
    """Return the first segment of a kind after steps."""
    return next(each for each in after(text, data, **options) if each.startswith(name))


@pytest.mark.parametrize(
    ("step", "segment"),
    [
        ("{set: PID-5.1, to: upper(trim(PID-5.1))}", "|DOE^ann|"),
        ("{set: PID-5, value: a & b}", r"|a \T\ b|"),
        ("{set: PID-3, value: '9'}", "|9|"),
        ('{set: "PID-3[2].4", value: Y}', "8^^^Y^PI"),
        ('{set: "PID-3[*].4", value: Y}', "7^^^Y^MR~8^^^Y^PI"),
        ('{set: PID-8, to: number("5.0")}', "|5.0"),
        ("{copy: PID-3, to: PID-4}", "|7^^^H^MR~8^^^X^PI|7^^^H^MR~8^^^X^PI|"),
        ("{copy: PID-3, to: PID-5.1}", "|7^ann|"),
        ("{move: PID-5, to: PID-9}", "|||19800229|1|doe ^ann"),
        ("{clear: PID-5.2}", "|doe ^|"),
        ("{set-null: PID-7}", '|""|'),
        ("{append: PID-3, to: PID-8}", "~8^^^X^PI~1|"),
        ("{append: PID-3, components: {1: PID-8, 4: '\"Z\"'}}", "~1^^^Z|"),
        ("{append: PID-4, to: PID-8}", "|1|doe"),
        ('{keep-repetitions: PID-3, when: PID-3.5 == "MR"}', "|7^^^H^MR||"),
        ("{trim: [PID-5]}", "|doe^ann|"),
        ("{case: [PID-5], to: title}", "|Doe ^Ann|"),
        ("{replace: PID-5, find: n, with: '|'}", r"|doe ^a\F\\F\|"),
        (r"{replace: PID-5, find: '([a-z])$', with: '\1!', regex: true}", "ann!|"),
        ("{pad: PID-8, width: 3}", "|001"),
        ("{truncate: PID-7, length: 4}", "|1980|"),
        ("{split: PID-7, separator: '0', into: [PID-9, PID-10]}", "|198|0229"),
        ("{join: [PID-5.1, PID-5.2, PID-6], separator: +, into: PID-9}", "|doe +ann"),
        ("{format-date: PID-7, to: '%d/%m/%Y'}", "|29/02/1980|"),
        ("{format-date: PID-5, to: '%d/%m/%Y'}", "|doe ^ann|"),
        ("{translate: PID-8, table: sex}", "|M"),
        ("{translate: PID-8, table: sex, column: display}", "|Male"),
        ("{translate: PID-5, table: sex, on-missing: keep}", "|doe ^ann|"),
        ("{translate: PID-5, table: sex, on-missing: empty}", "|^ann|"),
        ("{translate: PID-5, table: sex, on-missing: 'default(\"U\")'}", "|U^ann|"),
        ("{redact: [PID-5, PID-7], with: remove}", "|||||1"),
        ("{redact: [PID-5, PID-7], with: mask}", "|XXX ^XXX||00000000|"),
        ("{redact: [PID-5], with: pseudonym}", "||||19800229"),
        ("{set: PID-8, to: PID-5, when: exists(PID-9)}", "|1"),
    ],
)  # fmt: skip
def test_a_step_writes_what_it_says(step, segment):
    assert segment in line(f"[{step}]", "PID") + "|"


@pytest.mark.parametrize(
    ("step", "ids"),
    [
        ("{add-segment: ZPI, after: PID, fields: {2.1: PID-8}}", "MSH PID ZPI PV1"),
        ("{add-segment: ZPI, before: PID}", "MSH ZPI PID PV1"),
        ("{add-segment: ZPI, after: AL1}", "MSH PID PV1"),
        ("{remove-segment: NTE}", "MSH PID PV1 ORC OBR OBX OBX"),
        ('{remove-segment: OBX, when: OBX-1 != "9"}', "MSH PID PV1 ORC OBR NTE OBX"),
        ("{move-segment: ORC, after: PID}", "MSH PID ORC ORC PV1"),
        ("{move-segment: PV1, before: PID}", "MSH PV1 PID ORC"),
    ],
)  # fmt: skip
def test_segments_come_and_go(step, ids):
    names = " ".join(each[:3] for each in after(f"[{step}]"))

    assert names.startswith(ids)


def test_a_segment_without_anchor_goes_to_the_end():
    assert after("[{add-segment: ZPI, fields: {2.1: PID-8}}]")[-1] == "ZPI||1"


def test_numbers_begin_anew_in_each_group():
    found = [each[:6] for each in after("[{renumber: OBX}]") if each[:3] == "OBX"]

    assert found == ["OBX|1|", "OBX|2|", "OBX|1|"]


def test_a_loop_means_the_current_segment():
    text = """
- for-each: OBX
  when: OBX-3.3 != "LN"
  do:
    - copy: OBX-3.1
      to: OBX-3.4
    - set: OBX-4
      to: index
"""
    found = [each for each in after(text) if each[:3] == "OBX"]

    assert found == [
        "OBX|4|NM|GLU^Glucose^L^GLU|1|5.4",
        "OBX|9|NM|2345-7^Glucose^LN||5.5",
        "OBX|1|NM|K^Potassium^L^K|3|3.2",
    ]


def test_an_inner_loop_sees_only_its_outer_ones_group():
    text = """
- for-each: OBR
  do:
    - for-each: OBX
      do:
        - set: OBX-4
          to: OBR-4.1
"""
    found = [each.split("|")[4] for each in after(text) if each[:3] == "OBX"]

    assert found == ["CBC", "CBC", "CHEM"]


def test_a_loop_over_repetitions_means_the_current_one():
    text = """
- for-each: PID-3[*]
  when: PID-3.5 == "PI"
  do:
    - set: PID-3.1
      to: concat("X", PID-3.1)
"""
    assert "|7^^^H^MR~X8^^^X^PI|" in line(text, "PID")


def test_a_segment_added_in_a_loop_stands_beside_the_current_one():
    text = """
- for-each: OBX
  do:
    - add-segment: ZZZ
      after: OBX
      fields: {1: OBX-3}
"""
    found = [each for each in after(text) if each[:3] == "ZZZ"]

    assert found == ["ZZZ|GLU", "ZZZ|2345-7", "ZZZ|K"]


def test_a_segment_removed_in_its_own_loop_is_no_place_to_stand_beside():
    text = """
- for-each: OBX
  do:
    - remove-segment: OBX
    - add-segment: ZZZ
      after: OBX
    - set: OBX-4
      value: gone
"""
    assert not [each for each in after(text) if each[:3] in ("ZZZ", "OBX")]


def test_the_first_true_branch_is_taken():
    text = """
- choose:
    - when: PID-8 == "2"
      do: [{set: PID-8, value: F}]
    - when: PID-8 == "1"
      do: [{set: PID-8, value: M}]
    - do: [{set: PID-8, value: U}]
"""
    assert line(text, "PID").endswith("|M")


@pytest.mark.parametrize(
    ("step", "ending"), [("drop", Ending.DROP), ("hold", Ending.HOLD)]
)
def test_a_step_can_end_the_message(step, ending):
    text = f"""
- for-each: OBX
  do:
    - {step}: not for us
- clear: PID-5
"""
    passing, verdict = edited(text, LAB)

    assert (verdict.ending, verdict.reason) == (ending, "not for us")
    assert verdict.line == "channels/adt.yaml:4"
    assert passing.message.data == passing.message.encode()


def test_fail_stops_with_its_sentence_and_label():
    with pytest.raises(TransformError) as caught:
        edited("[{fail: no room, label: beds, when: exists(PV1-2)}]", LAB)

    assert (str(caught.value), caught.value.code, caught.value.label) == (
        "no room",
        "failed-by-step",
        "beds",
    )


def test_a_miss_stops_with_the_label_of_the_step():
    with pytest.raises(TransformError) as caught:
        edited('[{translate: PID-5, table: sex, on-missing: error("odd")}]', LAB)

    assert (caught.value.code, caught.value.label) == ("table-miss", "odd")
    assert "doe" not in str(caught.value)


def test_a_miss_in_a_condition_stops_too():
    with pytest.raises(TransformError, match="no row for the code in table sex"):
        edited('- clear: PID-8\n  when: table("sex", PID-5) == "M"', LAB)


def test_a_flagged_miss_goes_on_and_leaves_a_finding():
    passing, _ = edited("[{translate: PID-5, table: sex, on-missing: flag}]", LAB)

    assert [each.code for each in passing.findings] == ["table_miss"]
    assert "doe" not in str(passing.findings)


def test_flag_and_index_collect():
    passing, _ = edited("[{flag: odd}, {index: ward, to: PID-8}]", LAB)

    assert passing.findings == [
        Finding("flagged_by_step", "channels/adt.yaml:1", "odd")
    ]
    assert passing.index_keys == {"ward": "1"}


def test_the_trace_names_line_path_before_and_after():
    text = "[{set: PID-5.1, to: trim(PID-5.1)},\n {translate: PID-8, table: sex}]"

    passing, _ = edited(text, LAB)

    found = [(each.line, each.path, each.after, each.note) for each in passing.changes]
    assert found == [
        ("channels/adt.yaml:1", "PID-5.1", "doe", ""),
        ("channels/adt.yaml:2", "PID-8.1", "M", "table sex"),
    ]


def test_an_edit_that_changes_nothing_leaves_the_bytes_alone():
    passing, _ = edited("[{set: PID-8, value: '1'}, {trim: [PID-3]}]", LAB)

    assert passing.changes == []
    assert passing.message.encode() == LAB


def test_a_step_on_a_segment_that_is_not_there_does_nothing_and_says_so():
    passing, _ = edited("[{set: ZZZ-1, value: x}]", LAB)

    assert passing.message.encode() == LAB
    assert passing.changes[0].note == "the message has no ZZZ here"


def test_null_is_kept_by_copy_and_left_alone_by_text_steps():
    data = er7(msh(), 'PID|1||||""')

    assert line("[{copy: PID-5, to: PID-6}]", "PID", data) == 'PID|1||||""|""'
    assert line("[{case: [PID-5], to: upper}]", "PID", data) == 'PID|1||||""'


def test_a_slow_step_is_a_finding_and_a_stuck_one_a_failure():
    passing = context(LAB)
    times = iter([0.0, 0.06])
    passing.clock = lambda: next(times)
    run_steps(steps("[{clear: PID-5}]"), passing)
    assert [each.code for each in passing.findings] == ["slow_step"]

    times = iter([0.0, 0.6])
    with pytest.raises(TransformError, match="took too long"):
        run_steps(steps("[{clear: PID-5}]"), passing)


def test_a_python_step_runs_where_the_caller_says():
    passing = context(LAB)
    asked = []
    passing.run_python = lambda call, _context: asked.append(call)

    run_steps(steps("[{python: notes:join, with: {mark: +}}]"), passing)

    [call] = asked
    assert (call.module, call.function, call.arguments) == (
        "notes",
        "join",
        {"mark": "+"},
    )


def test_without_a_place_to_run_a_python_step_fails_the_message():
    with pytest.raises(TransformError, match="cannot run here"):
        edited("[{python: notes:join}]", LAB)
