"""interop scrub: the person is gone, wherever the message goes."""

import pytest

from engine.cli.invocation import Exit
from engine.cli.project import write_project
from tests.builders import adt_a01
from tests.sites import Site, site_at

PORTS = ("ADT_PORT", "LAB_PORT", "RELAY_PORT", "HIS_PORT")


@pytest.fixture
def message(tmp_path):
    path = tmp_path / "a01.hl7"
    path.write_bytes(adt_a01("NTE|1||quite well", family="Canary"))
    return path


def test_the_person_is_taken_out_and_what_was_replaced_is_counted(message, tmp_path):
    (tmp_path / "site").mkdir()
    site = site_at(tmp_path / "site")

    shown = site.run("scrub", message)
    kept = site.run("scrub", message, "--keep", "NTE-3.1", "-O", tmp_path / "out")
    wrong = site.run("scrub", message, "--as-test", "adt")

    assert "Canary" not in shown.output
    assert "XXXXX XXXX" in shown.stdout
    assert "words that became their shape: NTE-3.1" in shown.stderr
    written = (tmp_path / "out" / "a01-scrubbed.hl7").read_text()
    assert "quite well" in written
    assert "Canary" not in written + kept.output
    assert wrong.exit_code == Exit.USAGE


def test_a_scrubbed_message_becomes_a_test_of_its_channel(
    message, tmp_path, monkeypatch
):
    write_project(tmp_path / "project")
    for number, name in enumerate(PORTS, 21):
        monkeypatch.setenv(name, str(number))
    monkeypatch.setenv("FHIR_BASE_URL", "http://127.0.0.1:9/fhir")
    site = Site(tmp_path / "project" / "config")
    words = ("scrub", message, "--as-test", "hospital-adt", "--name", "an admission")

    saved = site.run(*words)
    again = site.run(*words)

    file = site.config / "tests" / "hospital-adt-an-admission.hl7"
    assert saved.exit_code == Exit.DONE, saved.output
    assert "Canary" not in file.read_text()
    assert "an admission" in (site.config / "channels/hospital-adt.yaml").read_text()
    assert "exists already" in again.stderr
