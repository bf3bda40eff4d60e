"""Python steps of a channel where they run: in a process of their own."""

import pytest

from engine.channels.format.load import load_site
from engine.channels.processing.assemble import lines_of
from engine.channels.processing.trial import attempt
from tests.channel_files import write_site
from tests.fhir_messages import obx, oru

CHANNEL = """\
channel: lab
source:
  mllp: {port: 2575}
edit:
  - for-each: OBX
    do:
      - python: notes:number
        with: {prefix: line}
      - set: OBX-6
        value: mg/dL
  - redact: [PID-5.1, PID-7]
    with: pseudonym
map-options:
  z: {ZPV-1: {url: "https://hospital.example/class", type: code}}
map:
  - for-each: OBX
    do:
      - python: notes:remark
destinations:
  - name: his
    mllp: {host: 127.0.0.1, port: 6661}
    edit:
      - redact: [PID-5.2]
        with: pseudonym
tests:
  - name: a message is passed on
    text: MSH|^~\\&|A|B|||20300101||ADT^A01|1|P|2.5.1
"""
STEPS = """
from engine.hl7 import Message, parse_path
from engine.transforms.step_context import Resources, StepContext


def number(message: Message, context: StepContext) -> None:
    segment = message.segments[context.position]
    segment.put(4, context.arguments["prefix"] + segment.text(1))
    if segment.text(5) == "grow":
        message.insert(1, message.new_segment("ZZZ"))


def remark(resources: Resources, message: Message, context: StepContext) -> None:
    line = message.segments[context.position].text(1)
    for each in resources:
        if each["resourceType"] == "Observation":
            each.setdefault("note", []).append({"text": "seen at " + line})
"""


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    folder = write_site(
        tmp_path_factory.mktemp("steps"),
        {"channels/lab.yaml": CHANNEL, "steps/notes.py": STEPS},
    )
    made = lines_of(load_site(folder))["lab"]
    yield made
    assert made.feed.step_runner is not None
    made.feed.step_runner.close()


def through(line, data):
    """Return what a channel makes of a message that reaches its end."""
    trial = attempt(line, data)
    assert trial.message is not None
    assert trial.mapped is not None
    return trial, trial.message, trial.mapped


def test_a_step_in_a_loop_edits_the_segment_the_loop_is_at(line):
    _, message, _ = through(line, oru(obx(f1="1"), obx(f1="2")))

    assert [each.text(4) for each in message.all("OBX")] == ["line1", "line2"]
    assert [each.text(6) for each in message.all("OBX")] == ["mg/dL", "mg/dL"]


def test_a_step_in_map_changes_the_resources(line):
    _, _, mapped = through(line, oru(obx(f1="1"), obx(f1="2")))

    notes = [each.resource["note"] for each in mapped.all("Observation")]
    assert notes == [[{"text": "seen at 1"}, {"text": "seen at 2"}]] * 2


def test_a_step_in_a_loop_may_not_change_which_segments_there_are(line):
    trial = attempt(line, oru(obx("ST", "grow")))

    assert "may not add, remove or move segments" in trial.outcome.reason


def test_a_z_field_becomes_the_extension_the_channel_names(line):
    _, _, mapped = through(line, oru(obx(), "ZPV|VIP"))

    extension = mapped.all("Encounter")[0].resource["extension"]
    assert extension == [{"url": "https://hospital.example/class", "valueCode": "VIP"}]


def test_a_pseudonym_is_the_same_for_the_same_and_says_nothing(line):
    trial, one, _ = through(line, oru(obx()))
    _, other, _ = through(line, oru(obx(value="2")))

    family, born = one["PID-5.1"], one["PID-7"]
    assert (family, born) == (other["PID-5.1"], other["PID-7"])
    assert len(family) == 16
    assert family not in ("Doe", born)
    assert b"^Ann" not in trial.deliveries["his"][0].content
