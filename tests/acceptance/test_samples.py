"""Every sample converts to exactly what stands beside it.

`make samples` writes them anew; the difference is reviewed like code.
"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.cli.root import interop

SAMPLES = Path(__file__).parents[2] / "samples"
FOLDERS = sorted(path.parent for path in SAMPLES.glob("*/message.hl7"))


def convert(folder, *options):
    arguments = ["convert", "-q", str(folder / "message.hl7"), *map(str, options)]
    result = CliRunner().invoke(interop, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_sample_becomes_its_bundle(folder, tmp_path):
    loss = tmp_path / "loss.json"

    bundle = convert(folder, "--to", "fhir", "--loss", loss)

    assert json.loads(bundle) == json.loads((folder / "bundle.json").read_bytes())
    assert json.loads(loss.read_bytes()) == json.loads(
        (folder / "loss.json").read_bytes()
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_sample_leaves_as_hl7_byte_for_byte(folder):
    assert convert(folder, "--to", "hl7") == (folder / "message.hl7").read_bytes()


@pytest.mark.parametrize(
    "document",
    sorted(SAMPLES.glob("*/document.xml")),
    ids=lambda path: path.parent.name,
)
def test_a_sample_becomes_its_document(document):
    template = "unstructured" if document.parent.name != "adt-a01-admit" else "ccd"

    made = convert(document.parent, "--to", "ccda", "--template", template)

    assert made == document.read_bytes()


def test_every_sample_is_described():
    described = (SAMPLES / "README.md").read_text(encoding="utf-8")

    assert FOLDERS
    assert [path.name for path in FOLDERS if f"`{path.name}`" not in described] == []
