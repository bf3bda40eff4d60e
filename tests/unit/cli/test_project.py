"""init, check, test, try, table: a project from nothing to a tested channel."""

import json

import pytest
from click.testing import CliRunner

from engine.cli.invocation import Exit
from engine.cli.root import interop


def run(*words, stdin=None):
    return CliRunner().invoke(interop, [str(word) for word in words], input=stdin)


def rows(result):
    assert result.exit_code == Exit.DONE, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def project(tmp_path):
    run("init", tmp_path / "site")
    return tmp_path / "site" / "config"


@pytest.mark.parametrize("template", ["full", "adt-to-fhir", "oru-lab"])
def test_a_new_project_checks_clean_and_passes_its_tests(tmp_path, template):
    run("init", tmp_path / "site", "--template", template)
    config = tmp_path / "site" / "config"

    checked = run("check", "--config", config)
    tested = run("test", "--config", config)

    assert checked.exit_code == Exit.DONE, checked.output
    assert {row["result"] for row in rows(tested)} == {"passed"}


def test_a_project_is_never_overwritten(project):
    result = run("init", project.parent)

    assert result.exit_code == Exit.USAGE


@pytest.mark.parametrize("options", [[], ["--with-project"]])
def test_the_schema_of_channels_is_printed(project, options):
    result = run("schema", "channel", "--config", project, *options)

    assert json.loads(result.stdout)["$schema"].endswith("2020-12/schema")
    assert (project / "channel.schema.json").is_file()


def test_check_prints_every_error_with_its_place(project):
    channel = project / "channels" / "laboratory.yaml"
    text = channel.read_text(encoding="utf-8")
    channel.write_text(text.replace("table: local-to-loinc", "table: ward"), "utf-8")

    result = run("check", "--config", project)

    assert result.exit_code == Exit.PROBLEMS
    assert "channels/laboratory.yaml:" in result.stdout
    assert "ward" in result.stdout


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
def test_check_has_every_form(project, form):
    assert run("check", "--config", project, "--format", form).exit_code == Exit.DONE


def test_a_broken_configuration_cannot_be_tested(project):
    (project / "channels" / "broken.yaml").write_text("channel: other\n", "utf-8")

    result = run("test", "--config", project)

    assert result.exit_code == Exit.CONFIGURATION
    assert "broken.yaml" in result.stderr


def test_a_red_test_is_a_problem_and_says_the_difference(project, tmp_path):
    channel = project / "channels" / "hospital-adt.yaml"
    text = channel.read_text(encoding="utf-8")
    channel.write_text(text.replace("PID-8: F", "PID-8: M"), "utf-8")
    junit = tmp_path / "junit.xml"

    result = run("test", "hospital-adt", "--config", project, "--junit", junit)

    assert result.exit_code == Exit.PROBLEMS
    assert "PID-8" in result.stdout
    assert "<failure>" in junit.read_text(encoding="utf-8")


def test_tests_can_be_chosen_by_name(project):
    result = run("test", "--config", project, "-k", "filtered")

    assert [row["test"] for row in rows(result)] == ["a test patient is filtered"]


def test_an_unknown_channel_is_wrong_usage(project):
    for words in (("test", "nobody"), ("try", "nobody", project / "tests/oru_r01.hl7")):
        assert run(*words, "--config", project).exit_code == Exit.USAGE


def test_try_tells_the_story_of_a_message(project):
    message = project / "tests" / "oru_r01.hl7"

    result = run(
        "try", "laboratory", message, "--trace", "--config", project, "-o", "table"
    )

    assert result.exit_code == Exit.DONE, result.output
    assert "channels/laboratory.yaml" in result.stdout
    assert "GLU -> 2345-7" in result.stdout
    assert "lost: context              MSH-12" in result.stdout
    assert "1 document, " in result.stdout
    assert result.stdout.endswith("Nothing was sent or stored.\n")


def test_try_ends_with_a_problem_where_the_message_would_stop(project):
    message = project / "tests" / "oru_unknown_code.hl7"

    result = run("try", "laboratory", message, "--config", project, "-o", "table")

    assert result.exit_code == Exit.PROBLEMS
    assert "error queue as unmapped-lab-codes" in result.stdout
    assert "interop table set local-to-loinc XGLU9" in result.stdout


def test_try_gives_one_object_to_a_script(project):
    message = project / "tests" / "adt_test_patient.hl7"

    (found,) = rows(run("try", "hospital-adt", message, "--config", project))

    assert (found["state"], found["reason"]) == ("filtered", "no test patients")


def test_try_tells_why_a_value_is_there(project):
    message = project / "tests" / "adt_a01.hl7"
    words = ("try", "hospital-adt", message, "--config", project)

    (found,) = rows(run(*words, "--why", "Patient.name[0].family"))
    missing = run(*words, "--why", "Patient.photo[0].url")
    unknown = run(*words, "--why", "Patient.surname")
    told = run(*words, "--why", "Encounter.class", "-o", "table").stdout

    assert found["value"] == "Thistlewood"
    assert found["sources"] == [{"path": "PID-5.1", "received": "Thistlewood"}]
    assert missing.exit_code == Exit.PROBLEMS
    assert unknown.exit_code == Exit.USAGE
    assert 'Encounter.class.code = "IMP"' in told
    assert '  from PV1-2.1  received "I"' in told
    assert "  map   built-in encounter.class" in told


def test_convert_can_use_a_channel(project):
    message = project / "tests" / "oru_r01.hl7"
    words = ("convert", message, "--channel", "laboratory", "--config", project)

    hl7 = run(*words, "--to", "hl7")
    fhir = run(*words, "--to", "fhir")

    assert b"2345-7^Glucose^LN^GLU^Glucose^L" in hl7.stdout_bytes
    assert "http://loinc.org" in fhir.stdout


def test_try_and_convert_tell_what_us_core_asks_for(project):
    channel, message = (
        project / "channels/laboratory.yaml",
        project / "tests/oru_r01.hl7",
    )
    text = channel.read_text("utf-8").replace(
        "\nsource:", "\nmap-options: {profile: us-core}\nsource:"
    )
    hint = "us_core Organization.active: US Core asks for it; no field tells it"
    words = ("--channel", "laboratory", "--config", project, "--to", "fhir")

    silent = run("convert", message, *words)
    channel.write_text(text, "utf-8")
    converted = run("convert", message, *words)
    tried = run("try", "laboratory", message, "--config", project, "-o", "table")
    (told,) = rows(run("try", "laboratory", message, "--config", project))

    assert hint not in silent.stderr
    assert hint in converted.stderr
    assert hint in tried.stderr
    assert "Organization.active" in dict(told["hints"])


def test_a_missing_code_is_added_and_the_message_passes(project):
    message = project / "tests" / "oru_unknown_code.hl7"

    added = run(
        "table", "set", "local-to-loinc", "XGLU9", "2345-7", "--config", project
    )
    again = run("try", "laboratory", message, "--config", project)

    assert added.exit_code == Exit.DONE
    assert rows(again)[0]["state"] == "processed"


def test_a_table_is_listed_shown_and_not_written_in_a_dry_run(project):
    path = project / "tables" / "sex.csv"
    before = path.read_bytes()

    run("table", "set", "sex", "X", "U", "--dry-run", "--config", project)

    assert path.read_bytes() == before
    names = [row["table"] for row in rows(run("table", "list", "--config", project))]
    assert names == ["assigning-authority", "local-to-loinc", "sex"]
    shown = rows(run("table", "show", "sex", "--config", project))
    assert shown[0]["from"] == "F"
    assert run("table", "show", "ward", "--config", project).exit_code == Exit.USAGE


def test_channels_are_listed_with_their_revision(project):
    found = rows(run("channel", "list", "--config", project))

    assert [row["channel"] for row in found] == ["hospital-adt", "laboratory", "relay"]
    assert all(row["revision"] for row in found)


def test_the_doctor_finds_nothing_in_a_new_project(project):
    result = run("doctor", "--config", project)

    areas = {row["area"] for row in rows(result)}
    assert {"store", "disk", "fsync", "channels", "port"} <= areas


def test_the_doctor_says_what_is_wrong_and_how_to_mend_it(tmp_path):
    result = run("doctor", "--config", tmp_path / "nowhere")

    assert result.exit_code == Exit.PROBLEMS
    bad = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["fix"] for row in bad if row["result"] == "problem"]


@pytest.mark.parametrize("command", ["reload", "stop"])
def test_without_a_running_engine_there_is_nobody_to_tell(project, command):
    run("channel", "list", "--config", project)

    assert run(command, "--config", project).exit_code == Exit.UNREACHABLE


def test_check_fix_mends_dotted_paths_and_then_finds_nothing(project):
    channel = project / "channels" / "hospital-adt.yaml"
    text = channel.read_text()
    channel.write_text(text.replace("- set: PID-5.1", "- set: PID.5.1"))
    assert channel.read_text() != text

    result = run("check", "--fix", "--config", project)

    assert result.exit_code == Exit.DONE, result.output
    assert channel.read_text() == text


def test_schema_prints_what_editors_need(project):
    plain = json.loads(run("schema", "channel").stdout)
    named = run("schema", "channel", "--with-project", "--config", project).stdout

    assert plain["properties"]["channel"]["description"]
    assert '"local-to-loinc"' in named


def test_a_table_goes_out_as_concept_map_and_comes_in_again(project, tmp_path):
    here = ("--config", project)
    before = rows(run("table", "show", "local-to-loinc", *here))
    file = tmp_path / "map.json"
    made = run("table", "export", "local-to-loinc", "--as", "fhir", *here)
    file.write_text(made.stdout)

    (taken,) = rows(run("table", "import", "local-to-loinc", file, *here))
    after = rows(run("table", "show", "local-to-loinc", *here))

    assert taken["written"]
    assert [(row["from"], row["to"]) for row in after] == [
        (row["from"], row["to"]) for row in before
    ]


def test_a_table_comes_in_as_csv_if_it_is_one(project, tmp_path):
    here = ("--config", project)
    good, bad, wrong = (tmp_path / name for name in ("good.csv", "bad.csv", "x.json"))
    good.write_text(run("table", "export", "local-to-loinc", *here).stdout)
    bad.write_text("from,to\nA,1\nA,2\n")
    wrong.write_text("{}")

    dry = rows(run("table", "import", "local-to-loinc", good, "--dry-run", *here))

    assert dry[0]["written"] is False
    for file, sentence in ((bad, "stands in line 2"), (wrong, "not a ConceptMap")):
        result = run("table", "import", "local-to-loinc", file, *here)
        assert (result.exit_code, sentence in result.stderr) == (Exit.PROBLEMS, True)


TRIED = """\
channel: adt
source:
  mllp: {port: 2575}
map:
  - set: Patient.birthDate
    value: "1980-13-45"
destinations:
  - name: clinic
    fhir: {url: "http://127.0.0.1:1/fhir", validate: off}
tests:
  - name: an admission is held
    text: |
      MSH|^~\\\\&|A|B|C|D|20240102030405-0500||ADT^A01^ADT_A01|1|P|2.5.1
      PID|1||1^^^H^MR||Doe^Ann
    expect: {status: held}
"""


def test_check_tries_the_channels_and_names_place_and_fault(tmp_path):
    config = tmp_path / "config"
    (config / "channels").mkdir(parents=True)
    (config / "interop.toml").write_text('site = "test"\n', "utf-8")
    (config / "channels" / "adt.yaml").write_text(TRIED.replace("\\\\", "\\"), "utf-8")

    result = run("check", "--config", config, "--format", "json")

    assert result.exit_code == Exit.PROBLEMS
    found = json.loads(result.stdout)
    assert {(each["file"], each["line"]) for each in found} == {
        ("channels/adt.yaml", 11)
    }
    assert {each["code"] for each in found} == {"CH360", "CH380"}
    said = " ".join(each["sentence"] for each in found)
    assert "'an admission is held': status: expected held, found processed" in said
    assert "entry.7.resource.birthDate is not R4" in said
    assert "1980-13-45" not in said
