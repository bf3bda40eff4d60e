"""explain, diff, convert: commands that need no engine and no store."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.cli.invocation import Exit
from engine.cli.root import interop
from tests.builders import adt_a01
from tests.ccda_facts import about, document, patient
from tests.channel_files import CHANNEL
from tests.fhir_messages import adt
from tests.sites import busy_site, site_at
from tests.small_guide import write_guide

SAMPLES = Path(__file__).parents[3] / "samples"


def run(*words, stdin=None):
    return CliRunner().invoke(interop, [str(word) for word in words], input=stdin)


def rows(result):
    assert result.exit_code == Exit.DONE, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def message(tmp_path):
    path = tmp_path / "a01.hl7"
    path.write_bytes(adt_a01())
    return path


def test_explain_names_every_filled_field(message):
    names = {row["path"]: row["name"] for row in rows(run("explain", message))}

    assert names["PID-5.1"] == "Patient Name: Family Name"
    assert names["PV1-2"] == "Patient Class"


def test_explain_knows_what_the_site_calls_its_own_fields(tmp_path):
    site = site_at(tmp_path)
    with (site.config / "interop.toml").open("a") as settings:
        settings.write("\n[hl7.ZPI]\n2 = 'card'\n'2.2' = 'colour'\n")
    path = tmp_path / "z.hl7"
    path.write_bytes(adt_a01() + b"ZPI|1|7^red|x\r")

    told = rows(site.run("explain", path))
    defined = rows(site.run("explain", "ZPI-2"))

    names = {each["path"]: each["name"] for each in told}
    assert names["ZPI-2.1"] == "card"
    assert names["ZPI-2.2"] == "card: colour"
    assert names["ZPI-3"] == ""
    assert defined == [{"path": "ZPI-2", "name": "card"}]


def test_explain_reads_stdin():
    assert rows(run("explain", "-", stdin=adt_a01()))


def test_explain_can_be_restricted_to_a_place(message):
    found = rows(run("explain", message, "--path", "PID-3"))

    assert {row["path"].split(".")[0] for row in found} == {"PID-3"}


def test_explain_tells_what_a_place_means():
    (row,) = rows(run("explain", "PV1-2"))

    assert (row["name"], "I" in row["codes"]) == ("Patient Class", True)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["PV1-999"], Exit.PROBLEMS),
        (["none-such.hl7"], Exit.PROBLEMS),
        (["-", "--path", "not a path"], Exit.USAGE),
        (["-", "--path", "ZZZ-1"], Exit.PROBLEMS),
    ],
)
def test_explain_says_what_it_cannot_find(words, code):
    result = run("explain", *words, stdin=adt_a01())

    assert result.exit_code == code
    assert result.stderr.startswith(("interop: ", "Usage"))


def test_a_stored_message_is_explained_by_its_number(tmp_path):
    site = busy_site(tmp_path)
    number = json.loads(site.run("messages", "search").stdout.splitlines()[0])["id"]

    assert rows(site.run("explain", number))


def test_equal_messages_do_not_differ(message):
    assert run("diff", message, message).exit_code == Exit.DONE


def test_a_difference_is_shown_by_field(message, tmp_path):
    other = tmp_path / "other.hl7"
    other.write_bytes(adt_a01(family="Roe"))

    result = run("diff", message, other)

    assert result.exit_code == Exit.PROBLEMS
    (row,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert (row["path"].strip(), row["one"], row["other"]) == ("PID-5.1", "Doe", "Roe")


def test_a_path_can_be_left_out_of_the_comparison(message, tmp_path):
    other = tmp_path / "other.hl7"
    other.write_bytes(adt_a01(family="Roe"))

    assert run("diff", message, other, "--ignore", "PID-5").exit_code == Exit.DONE


def test_convert_prints_a_bundle_and_its_loss_report(message, tmp_path):
    loss = tmp_path / "loss.json"

    result = run("convert", message, "--to", "fhir", "--loss", loss)

    bundle = json.loads(result.stdout)
    kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert {"Patient", "Encounter", "MessageHeader"} <= kinds
    assert set(json.loads(loss.read_text())) == {"losses", "findings"}


@pytest.mark.parametrize("kind", ["transaction", "message", "collection"])
def test_convert_makes_each_kind_of_bundle(message, kind):
    result = run("convert", message, "--to", "fhir", "--bundle", kind, "--compact")

    assert json.loads(result.stdout)["type"] == kind
    assert result.stdout.count("\n") == 1


def test_the_same_message_gives_the_same_bytes(message):
    first, second = (run("convert", message, "--to", "fhir") for _ in range(2))

    assert first.stdout_bytes == second.stdout_bytes


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"MSH|^~\\&|A|B|C|D|20260101||QRY^Q99|1|P|2.5.1\rQRD|1\r"],
)
def test_what_cannot_be_converted_ends_in_one_line(content):
    result = run("convert", "-", "--to", "fhir", stdin=content)

    assert result.exit_code == Exit.PROBLEMS
    assert result.stdout == ""
    assert result.stderr.startswith("interop: ")


UNMAPPED = b"MSH|^~\\&|A|B|C|D|20260101||QRY^Q99|Q7|P|2.5.1\rPID|1||9||Doe\r"
UNREADABLE = b"MSH||||||||Doe\r"


@pytest.fixture
def channel(tmp_path):
    """Return the words for a channel that passes on what it gets."""
    folder = site_at(tmp_path).config / "channels"
    folder.mkdir()
    (folder / "adt.yaml").write_text(CHANNEL, "utf-8")
    return ("--channel", "adt", "--config", folder.parent)


@pytest.mark.parametrize("through_a_channel", [False, True])
def test_one_message_that_cannot_be_converted_does_not_stop_the_others(
    channel, through_a_channel
):
    words = ["convert", "-", "--to", "fhir", "--compact"]
    several = adt() + UNMAPPED + UNREADABLE + adt("A03")

    result = run(*words, *(channel if through_a_channel else ()), stdin=several)

    second, third, last = result.stderr.splitlines()[:3]
    assert result.exit_code == Exit.PROBLEMS
    assert len(result.stdout.splitlines()) == 2
    assert second.startswith("interop: message 2 (Q7): trigger-not-mapped: ")
    assert third.startswith("interop: message 3: unreadable: ")
    assert last == "interop: not converted: 2 of 4 messages"
    assert "Doe" not in result.stderr


def test_what_the_map_does_not_know_still_leaves_as_hl7(channel):
    result = run("convert", "-", "--to", "hl7", *channel, stdin=UNMAPPED)

    assert (result.exit_code, result.stdout_bytes) == (Exit.DONE, UNMAPPED)


def test_no_document_is_written_that_lacks_what_a_message_says():
    result = run("convert", "-", "--to", "ccda", stdin=adt() + UNMAPPED)

    assert (result.exit_code, result.stdout) == (Exit.PROBLEMS, "")
    assert "it would lack 1 of 2 messages" in result.stderr


def test_a_folder_of_samples_is_converted_message_by_message():
    result = run("convert", SAMPLES, "--to", "fhir", "--compact")

    assert len(result.stdout.splitlines()) == len(list(SAMPLES.glob("*/message.hl7")))


@pytest.fixture
def converted(tmp_path):
    """Return a message, our Bundle of it, and a folder with a small guide."""
    message = tmp_path / "a01.hl7"
    message.write_bytes(adt())
    bundle = tmp_path / "bundle.json"
    bundle.write_text(run("convert", message, "--to", "fhir").stdout)
    return message, bundle, write_guide(tmp_path / "ig")


def test_check_transform_passes_our_own_bundle(converted, tmp_path):
    message, bundle, guide = converted
    report = tmp_path / "report.xml"
    words = ("check-transform", message, bundle, "--ig", guide, "--junit", report)

    result = run(*words)
    everything = run(*words, "-v")

    assert result.exit_code == Exit.DONE, result.output
    assert "100.0% of what the guide maps is placed" in result.stderr
    assert len(everything.stdout.splitlines()) > len(result.stdout.splitlines())
    assert "missing" not in report.read_text()


def test_check_transform_tells_what_is_missing_from_a_damaged_bundle(
    converted, tmp_path
):
    message, bundle, guide = converted
    report = tmp_path / "report.xml"
    damaged = json.loads(bundle.read_text())
    for row in damaged["entry"]:
        if row["resource"]["resourceType"] == "Patient":
            row["resource"] |= {"name": [{"text": "Zebra"}], "gender": "male"}
    bundle.write_text(json.dumps(damaged))

    result = run("check-transform", message, bundle, "--ig", guide, "--guide-only",
                 "--junit", report)  # fmt: skip

    found = {
        row["path"] or row["found"][0]: row["verdict"]
        for row in map(json.loads, result.stdout.splitlines())
    }
    assert result.exit_code == Exit.PROBLEMS
    assert found["PID-5.1"] == found["PID-8.1"] == "missing"
    assert found["Patient.name[0].text"] == "unexplained"
    assert "wanted at Patient.name.family" in report.read_text()
    assert "Doe" not in result.stdout


@pytest.mark.parametrize(
    ("message", "bundle", "sentence"),
    [
        (b"no message", "{}", "cannot"),
        (adt(), "{}", "not a FHIR Bundle"),
        (adt(), "no", "not JSON"),
        (adt().replace(b"ADT", b"QRY"), '{"resourceType": "Bundle"}', "no map for QRY"),
    ],
)
def test_check_transform_says_what_it_cannot_read(
    converted, tmp_path, message, bundle, sentence
):
    wrong, other = tmp_path / "wrong.hl7", tmp_path / "wrong.json"
    wrong.write_bytes(message)
    other.write_text(bundle)

    result = run("check-transform", wrong, other, "--ig", converted[2])

    assert result.exit_code != Exit.DONE
    assert sentence in result.stderr or sentence == "cannot"


def test_check_transform_uses_the_nearest_structure(converted):
    message, bundle, guide = converted
    message.write_bytes(adt("A08", structure="ADT_X99"))

    assert "ADT_A01" in run("check-transform", message, bundle, "--ig", guide).stderr


def test_explain_tells_what_a_document_says(tmp_path):
    place = tmp_path / "ccd.xml"
    place.write_bytes(document("ccd", person=patient()).document)

    found = rows(run("explain", place))

    told = {row["name"]: row["value"] for row in found if row["path"] == "document"}
    assert told["Patient"] == "Ann Doe"
    assert told["Allergies and Intolerances"] == "No information"
    assert "OBX-5.5" not in {row["path"] for row in found}
    page = run("explain", place, "--html").stdout
    assert "<h2>Allergies and Intolerances</h2>" in page


def test_explain_refuses_a_hostile_document_and_a_page_of_none(tmp_path, message):
    place = tmp_path / "x.xml"
    place.write_bytes(b'<!DOCTYPE x><ClinicalDocument xmlns="urn:hl7-org:v3"/>')

    hostile = run("explain", place)
    nothing = run("explain", message, "--html")

    assert hostile.exit_code == nothing.exit_code == Exit.PROBLEMS
    assert "declares a document type" in hostile.stderr
    assert "no C-CDA document" in nothing.stderr


def test_a_document_is_converted_as_a_document_or_by_what_stands_in_it(tmp_path):
    pytest.importorskip("ccda_to_fhir", reason="interop-engine[documents]")
    place = tmp_path / "ccd.xml"
    allergy = about("AllergyIntolerance", code={"text": "nuts"})
    place.write_bytes(document("ccd", allergy, person=patient()).document)

    whole = json.loads(run("convert", place, "--to", "fhir").stdout)
    inside, again = (
        run("convert", place, "--to", "fhir", "--inside", "--compact").stdout
        for _ in range(2)
    )

    kinds = {each["resource"]["resourceType"] for each in whole["entry"]}
    assert {"Patient", "DocumentReference"} <= kinds
    assert "AllergyIntolerance" not in kinds
    assert "nuts" in inside
    assert inside == again


def test_what_is_no_document_has_nothing_inside(tmp_path, message):
    place = tmp_path / "x.xml"
    place.write_bytes(b'<!DOCTYPE x><ClinicalDocument xmlns="urn:hl7-org:v3"/>')

    nothing = run("convert", message, "--to", "fhir", "--inside")
    hostile = run("convert", place, "--to", "fhir", "--inside")

    assert nothing.exit_code == hostile.exit_code == Exit.PROBLEMS
    assert "no C-CDA document" in nothing.stderr
    assert "document type" in hostile.stderr
