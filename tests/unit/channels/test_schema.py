"""The JSON Schema of channel files: editors accept and refuse what the loader does."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from engine.channels.format.schema import channel_schema
from tests.channel_files import CHANNEL
from tests.json_schema import faults
from tests.shared_data import shared

REPOSITORY = Path(__file__).parents[3]
VALID = sorted(
    path
    for folder in ("config/channels", "engine/cli/template/channels")
    for path in (REPOSITORY / folder).glob("*.yaml")
    if not path.name.startswith("_")
)
SCHEMA = channel_schema()


def typed(text):
    """Return YAML as an editor reads it: with types."""
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_valid_channels_fit(path):
    assert faults(SCHEMA, typed(path.read_text())) == []


def test_the_full_example_of_the_specification_fits():
    page = shared("spec", "channel-format.md").read_text()
    text = page.split("```yaml\n", 1)[1].split("```", 1)[0]

    assert faults(SCHEMA, typed(text)) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("port: 2575", "prot: 2575"),
        ("port: 2575", "port: many"),
        ("port: 2575", "port: 2575, ack: acepted"),
        ("channel: adt", "chanel: adt"),
        ("channel: adt", "channel: ADT Main"),
        ("  mllp: {port: 2575}", "  mllp: {port: 2575}\n  file: {path: in}"),
        ("    text: ", "    message: tests/a.hl7\n    text: "),
        ("tests:", "edit:\n  - sett: PID-5\n    to: PID-6\ntests:"),
        ("tests:", "edit:\n  - clear: PID-5\n    to: PID-6\ntests:"),
        ("tests:", "edit: {clear: PID-5}\ntests:"),
        ("tests:", "filter:\n  - name: both\n    keep: a\n    drop: b\ntests:"),
        ("host: 127.0.0.1", "retry: {frist: 2s}, host: 127.0.0.1"),
        ("destinations:", "identity: {match: yes please}\ndestinations:"),
        ("destinations:", "source: 1\ndestinations:"),
    ],
)
def test_mistakes_of_the_schema_kind_do_not_fit(right, wrong):
    assert right in CHANNEL
    text = CHANNEL.replace(right, wrong, 1)
    if wrong.startswith("source: 1"):
        text = text.replace("source:\n  mllp: {port: 2575}\n", "")

    assert faults(SCHEMA, typed(CHANNEL)) == []
    assert faults(SCHEMA, typed(text)) != []


def test_names_of_the_project_become_enums():
    schema = channel_schema({"tls": ["none", "his-mtls"]})
    text = CHANNEL.replace("port: 6661", "port: 6661, tls: his")

    assert faults(SCHEMA, typed(text)) == []
    assert faults(schema, typed(text)) != []
    assert faults(schema, typed(text.replace("tls: his", "tls: his-mtls"))) == []


def test_every_key_is_described():
    assert undescribed(SCHEMA["$defs"]) == []


def undescribed(definitions):
    return [
        f"{name}.{key}"
        for name, each in definitions.items()
        for key, value in each.get("properties", {}).items()
        if not value.get("description")
    ]
