"""Python steps: real processes, real locks."""

from datetime import UTC, datetime

import pytest

from engine.channels.processing.steps import Call, StepLimits, StepRunner
from engine.errors import TransformError
from engine.hl7 import parse

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MESSAGE = b"MSH|^~\\&|A|B|||2030||ADT^A01|1|P|2.5\rPID|1||4711||Doe^Ann\rZPD|old\r"

STEPS = """
import os, socket, subprocess, hl7
from engine.hl7 import Message, parse_path
from engine.transforms.step_context import Resources, StepContext

def shout(message: Message, context: StepContext) -> None:
    message.set_text(parse_path("PID-5.1"), message["PID-5.1"].upper())
    context.flag("shouted " + context.arguments["how"])

def ward(message: Message, context: StepContext) -> None:
    message.set_text(parse_path("ZPD-1"), context.table("ward", message["ZPD-1"]))

def is_ann(message: Message, context: StepContext) -> bool:
    return message["PID-5.2"] == "Ann"

def vip(resources: Resources, message: Message, context: StepContext) -> None:
    resources[0]["active"] = True

def through_python_hl7(message: hl7.Message, context: StepContext) -> None:
    message.segment("PID")[5] = "Roe"

def refuse(message: Message, context: StepContext) -> None:
    context.fail("this feed is closed", "closed")

def leak(message: Message, context: StepContext) -> None:
    raise ValueError(message["PID-5.1"])

def loop(message: Message, context: StepContext) -> None:
    while True: pass

def work(message: Message, context: StepContext) -> None:
    import time
    end = time.process_time() + 0.4
    while time.process_time() < end: pass

def hoard(message: Message, context: StepContext) -> None:
    bytearray(8 << 30)

def crash(message: Message, context: StepContext) -> None:
    import ctypes; ctypes.string_at(0)

def babble(message: Message, context: StepContext) -> None:
    os.write(1, bytes(64))

def forge(message: Message, context: StepContext) -> None:
    for descriptor in range(3, 16):
        try:
            os.write(descriptor, bytes(64))
        except OSError:
            pass

def talk(message: Message, context: StepContext) -> None:
    socket.socket()

def read(message: Message, context: StepContext) -> None:
    open("/etc/passwd").read()

def write(message: Message, context: StepContext) -> None:
    open("/tmp/escaped", "w")

def spawn(message: Message, context: StepContext) -> None:
    subprocess.run(["/bin/true"])

def murder(message: Message, context: StepContext) -> None:
    os.kill(os.getppid(), 9)

def secrets(message: Message, context: StepContext) -> None:
    if dict(os.environ): raise RuntimeError
"""


@pytest.fixture
def runner(tmp_path):
    (tmp_path / "site.py").write_text(STEPS)
    runner = StepRunner(tmp_path, {"ward": {"old": "new"}}, StepLimits(wall_seconds=1))
    yield runner
    runner.close()


def call(step):
    return Call(f"site:{step}", "adt", "7", NOON, {"how": "loudly"})


def edited(runner, step):
    message, _, flags = runner.run(call(step), parse(MESSAGE))
    return message, flags


def test_a_step_edits_the_message_and_leaves_flags(runner):
    message, flags = edited(runner, "shout")

    assert message["PID-5.1"] == "DOE"
    assert flags == ["shouted loudly"]


def test_a_step_looks_up_code_tables(runner):
    assert edited(runner, "ward")[0]["ZPD-1"] == "new"


def test_a_step_in_a_filter_answers_whether_to_keep(runner):
    _, keep, _ = runner.run(call("is_ann"), parse(MESSAGE))

    assert keep


def test_a_step_in_map_changes_resources(runner):
    resources, _ = runner.map(
        call("vip"), parse(MESSAGE), [{"resourceType": "Patient"}]
    )

    assert resources == [{"resourceType": "Patient", "active": True}]


def test_an_annotation_hands_over_a_python_hl7_message(runner):
    assert edited(runner, "through_python_hl7")[0]["PID-5"] == "Roe"


def test_a_step_fails_a_message_with_its_own_sentence_and_label(runner):
    with pytest.raises(TransformError, match="this feed is closed") as caught:
        edited(runner, "refuse")

    assert (caught.value.code, caught.value.label) == ("step-failed", "closed")


def test_what_a_step_raises_is_told_without_its_text(runner):
    with pytest.raises(TransformError, match="ValueError at line") as caught:
        edited(runner, "leak")

    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize("step", ["loop", "crash", "forge"])
def test_a_step_that_hangs_or_dies_fails_its_message_and_the_next_one_works(
    runner, step
):
    with pytest.raises(TransformError, match=r"took too long|died") as caught:
        edited(runner, step)

    assert caught.value.code == "step-died"
    assert edited(runner, "shout")[0]["PID-5.1"] == "DOE"


@pytest.mark.parametrize(
    "escape", ["hoard", "talk", "read", "write", "spawn", "murder"]
)
def test_a_step_gets_no_memory_network_files_processes_or_signals(runner, escape):
    with pytest.raises(TransformError, match=r"MemoryError|PermissionError"):
        edited(runner, escape)


def test_what_a_step_writes_to_its_output_answers_nothing(runner):
    assert edited(runner, "babble")[0]["PID-5.1"] == "Doe"
    assert edited(runner, "shout")[0]["PID-5.1"] == "DOE"


def test_a_step_sees_no_environment(runner):
    edited(runner, "secrets")


def test_a_step_goes_on_however_much_its_calls_have_taken_together(tmp_path):
    (tmp_path / "site.py").write_text(STEPS)
    runner = StepRunner(tmp_path, {}, StepLimits(wall_seconds=30))

    texts = [edited(runner, "work")[0].encode() for _ in range(5)]

    runner.close()
    assert texts == [MESSAGE] * 5


def test_a_missing_step_is_named(runner):
    with pytest.raises(TransformError, match="there is no step site:nobody"):
        edited(runner, "nobody")
