"""From a configuration folder to channels: all of it, or every fault at its place."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.channels.format.faults import as_github, as_json, as_sarif, report
from engine.channels.format.load import check_site, load_site
from engine.channels.format.nodes import Entries, Items, Scalar
from engine.errors import ConfigurationError
from tests.channel_files import (
    CHANNEL,
    SEX,
    checked,
    only_channel,
    sentences,
    tree,
    write_site,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "check"


def fault(found):
    [only] = found.faults
    return only


def test_the_broken_file_of_the_specification_prints_exactly_its_nine_errors(tmp_path):
    tables = {
        f"tables/{name}.csv": SEX for name in ("facility", "local-to-loinc", "sex")
    }
    broken = (GOLDEN / "lab-north.yaml").read_text()

    found = checked(tmp_path, tables, lab_north=broken)

    assert (
        report(found.faults, found.files) + "\n"
        == (GOLDEN / "lab-north.txt").read_text()
    )


def test_a_clean_folder_gives_its_channels_with_their_defaults(tmp_path):
    write_site(tmp_path, adt=CHANNEL)

    channel = only_channel(tmp_path)

    assert channel.source.mllp.ack == "accepted"
    assert channel.source.duplicate.within == timedelta(days=7)
    assert channel.destinations[0].order_key.text == "identity.enterprise_id"
    assert channel.title == "adt"
    assert load_site(tmp_path, variables={}).channel("adt") == channel


def test_without_matching_the_lane_is_the_message_s_own_identifier(tmp_path):
    found = checked(tmp_path, adt=CHANNEL + "identity: {match: false}\n")

    assert found.site.channels[0].destinations[0].order_key.text == "PID-3.1"


def test_one_error_anywhere_gives_no_site_but_every_fault(tmp_path):
    write_site(tmp_path, adt=CHANNEL, lab=CHANNEL.replace("adt", "lab") + "x: 1\n")

    with pytest.raises(ConfigurationError) as caught:
        load_site(tmp_path, variables={})

    port, key = caught.value.faults
    assert "error: port 2575 is used by channel adt already" in port
    assert key.startswith("channels/lab.yaml:10:1: error: unknown key 'x'")


def test_an_unknown_channel_is_answered_with_those_there_are(tmp_path):
    site = load_site(write_site(tmp_path, adt=CHANNEL), variables={})

    with pytest.raises(ConfigurationError, match="channels here: adt"):
        site.channel("lab")


@pytest.mark.parametrize(
    "text",
    [
        "NO", "on", "off", "yes", "0012", "1e3", "12:30:00", "2.5.1", "~", "null",
        "True", "2024-02-30", "0x1F", "0o17", "1_000", ".inf", "-.5", "+1", "=", "1.0",
        "2024-01-01T00:00:00Z", "''", '" x "', "|-\n  two\n  lines",
    ],
)  # fmt: skip
def test_every_scalar_survives_as_text(text):
    root = tree(f"a: {text}\n")

    expected = text.strip("'\"") if text[0] in "'\"" else text
    expected = "two\nlines" if text[0] == "|" else expected
    assert root.items["a"][1].text == expected


@pytest.mark.parametrize(
    ("text", "sentence", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3\n", "the key 'a' stands twice", 3, 1),
        ("a: &x 1\n", "anchors are not part of the format", 1, 4),
        ("a: *x\n", "aliases are not part of the format", 1, 4),
        ("<<: {a: 1}\n", "merge keys are not part of the format", 1, 1),
        ("a: !!str 1\n", "tags are not part of the format", 1, 4),
        ("a: 1\n---\nb: 2\n", "this is a second document", 2, 1),
        ("a:\n\tb: 1\n", "a tab cannot stand in the indentation", 2, 1),
        ("a: [1, 2\nb: 3\n", "this is not YAML", 2, 2),
        ('a: "x\n', "this is not YAML", 2, 1),
        ("a: {b: ${X}}\n", "this is not YAML", 1, 9),
        ("", "the file is empty", 1, 1),
        ("? [a]\n: 1\n", "a key must be a text", 1, 3),
        ("- a\n", "a channel file holds keys and values", 1, 1),
        ("a: " + "[" * 30 + "]" * 30, "nested deeper than 20 levels", 1, 23),
    ],
)
def test_what_makes_yaml_surprising_is_refused_at_its_place(
    tmp_path, text, sentence, line, column
):
    found = checked(tmp_path, adt=text)

    first = next(each for each in found.faults if sentence in each.sentence)
    assert (first.place.line, first.place.column) == (line, column)
    assert found.site is None


def test_bytes_that_are_no_text_and_files_too_large_are_refused(tmp_path):
    write_site(tmp_path)
    (tmp_path / "channels/a.yaml").write_bytes(b"channel: a\n\xff\n")
    (tmp_path / "channels/b.yaml").write_bytes(b"#" * 1_000_001)

    found = check_site(tmp_path, None, {})

    assert [(each.place.short, each.code) for each in found.faults] == [
        ("channels/a.yaml:2", "CH006"),
        ("channels/b.yaml:1", "CH005"),
    ]


def test_the_column_is_true_inside_quotes_and_block_text(tmp_path):
    text = CHANNEL + (
        "filter:\n"
        "  - name: a\n"
        '    keep: "uper(PID-5) == PID-6"\n'
        "  - name: b\n"
        "    keep: |\n"
        "      PID-5 ==\n"
        "        uper(PID-6)\n"
    )

    found = checked(tmp_path, adt=text)

    places = [(each.place.line, each.place.column) for each in found.faults]
    assert places == [(12, 12), (16, 9)]


def test_shared_values_are_merged_and_the_channel_wins(tmp_path):
    write_site(tmp_path, adt=CHANNEL + "defaults: _all.yaml\nowner: me\n")
    shared = "owner: us\ntime-zone: America/Detroit\nsource: {hl7: {version: '2.4'}}\n"
    (tmp_path / "channels/_all.yaml").write_text(shared)

    channel = only_channel(tmp_path)

    assert channel.owner == "me"
    assert (str(channel.time_zone), channel.source.hl7.version) == (
        "America/Detroit",
        "2.4",
    )


def test_included_items_are_spliced_in_and_faults_name_both_files(tmp_path):
    text = CHANNEL + "edit:\n  - include: _names.yaml\n  - clear: PID-9\n"
    write_site(tmp_path, adt=text)
    shared = tmp_path / "channels/_names.yaml"
    shared.write_text("- trim: [PID-5]\n- clear: PID-6\n")

    channel = only_channel(tmp_path)
    assert [step.name for step in channel.edit] == ["trim", "clear", "clear"]

    shared.write_text("- trim: [PID.5]\n")
    printed = report(check_site(tmp_path, None, {}).faults, 1)
    assert "channels/_names.yaml:1:10: error: 'PID.5' is not an HL7 path" in printed
    assert "from: channels/adt.yaml:11" in printed


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("names.yaml", "a file in channels/ whose name begins with _"),
        ("../_x.yaml", "a file in channels/ whose name begins with _"),
        ("_none.yaml", "channels/_none.yaml does not exist"),
        ("_loop.yaml", "a shared part cannot pull in others"),
        ("_keys.yaml", "an included file is a list"),
    ],
)
def test_a_shared_part_that_cannot_be_used_is_refused(tmp_path, name, sentence):
    write_site(tmp_path, adt=CHANNEL + f"edit:\n  - include: {name}\n")
    (tmp_path / "channels/_loop.yaml").write_text("- include: _loop.yaml\n")
    (tmp_path / "channels/_keys.yaml").write_text("a: 1\n")

    assert any(sentence in each for each in sentences(check_site(tmp_path, None, {})))


def test_placeholders_are_filled_process_environment_first(tmp_path):
    text = CHANNEL.replace("2575", "'${PORT}'").replace("6661", "'${HIS:-6000}'")
    toml = '[environments.default]\nPORT = "1111"\n[environments.test]\nPORT = "2222"\n'
    write_site(tmp_path, {"interop.toml": toml}, adt=text)

    def ports(environment, **variables):
        channel = only_channel(tmp_path, environment, variables)
        return channel.source.mllp.port, channel.destinations[0].mllp.port

    assert ports(None) == (1111, 6000)
    assert ports("test") == (2222, 6000)
    assert ports("test", PORT="3333", HIS="4444") == (3333, 4444)


def test_a_value_of_the_environment_is_never_printed(tmp_path):
    text = CHANNEL.replace("2575", "'${PORT}'")

    found = checked(tmp_path, variables={"PORT": "hunter2"}, adt=text)

    assert fault(found).sentence == "${PORT} is not a port"


def test_a_placeholder_stands_in_connection_settings_only(tmp_path):
    text = CHANNEL + "title: ${X}\nfilter:\n  - name: a\n    keep: PID-5 == '${X}'\n"

    found = checked(tmp_path, variables={"X": "1"}, adt=text)

    assert sentences(found) == [
        "a placeholder cannot stand here",
        "a placeholder cannot stand in an expression",
    ]


@pytest.mark.parametrize("key", ["password", "api-key", "Authorization", "auth_token"])
def test_a_secret_is_refused_whatever_the_key_is_called(tmp_path, key):
    found = checked(tmp_path, adt=CHANNEL + f"{key}: hunter2\n")

    assert fault(found).code == "CH130"
    assert "hunter2" not in fault(found).sentence


def test_a_url_with_a_password_is_refused_without_repeating_it(tmp_path):
    text = CHANNEL.replace(
        "mllp: {host: 127.0.0.1, port: 6661}", "fhir: {url: 'https://u:hunter2@h/fhir'}"
    )

    found = checked(tmp_path, adt=text)

    assert "secret" in fault(found).sentence
    assert "hunter2" not in fault(found).sentence + fault(found).hint


def test_a_wrong_key_and_the_missing_one_it_causes_are_one_fault(tmp_path):
    found = checked(tmp_path, adt=CHANNEL.replace("port: 2575", "prot: 2575"))

    assert (fault(found).sentence, fault(found).hint) == (
        "unknown key 'prot'",
        "did you mean 'port'?",
    )


def test_names_of_the_project_are_checked_with_a_suggestion(tmp_path):
    toml = "[contacts.oncall]\nemail = 'x'\n[tls.his-mtls]\nca = 'x'\n"
    text = CHANNEL + "alerts: [{silent-for: 30m, notify: [oncal]}]\n"
    text = text.replace("port: 6661}", "port: 6661, tls: his-mtl}")

    found = checked(tmp_path, {"interop.toml": toml}, adt=text)

    assert [(each.sentence, each.hint) for each in found.faults] == [
        ("no TLS profile named 'his-mtl'", "did you mean his-mtls?"),
        ("no contact named 'oncal'", "did you mean oncall?"),
    ]


def test_settings_tables_and_models_are_part_of_the_same_run(tmp_path):
    files = {
        "interop.toml": "[log]\nlevl = 'x'\n[tables.sex]\nmatch = 'maybe'\n",
        "identity.yaml": "models: {default: {mode: sure}}\n",
        "tables/sex.csv": "from,to\n1,M\n1,F\n",
    }

    found = checked(tmp_path, files, adt=CHANNEL + "x: 1\n")

    assert [each.place.file for each in found.faults] == [
        "channels/adt.yaml",
        "identity.yaml",
        "interop.toml",
        "tables/sex.csv",
    ]


def test_a_matching_model_takes_thresholds_of_its_own(tmp_path):
    text = "models:\n  strict: {mode: safe, hi: 9, lo: -1.5}\n"
    channel = CHANNEL + "identity: {model: strict}\n"
    write_site(tmp_path, {"identity.yaml": text}, adt=channel)

    models = load_site(tmp_path, variables={}).models

    strict = models["strict"].thresholds
    assert (strict.high, strict.low, models["default"].thresholds.high) == (9, -1.5, 6)


@pytest.mark.parametrize(
    ("text", "share"), [("0%", 0.0), ("7.5%", 0.075), ("half", None), ("5", None)]
)
def test_a_site_says_what_share_is_read_blind_and_none_is_a_share(
    tmp_path, text, share
):
    found = checked(tmp_path, {"identity.yaml": f"blind-share: {text}\n"}, adt=CHANNEL)

    assert (not found.faults) == (share is not None)
    if share is not None:
        site = load_site(tmp_path, variables={})
        assert site.matching.blind_share == pytest.approx(share)


def test_a_site_says_whom_to_trust_and_who_is_no_patient(tmp_path):
    text = "source-rank: [GENERAL, CLINIC]\ntest-patients: [ZZTEST]\n"
    write_site(tmp_path, {"identity.yaml": text}, adt=CHANNEL)

    matching = load_site(tmp_path, variables={}).matching

    assert matching.source_rank == ("GENERAL", "CLINIC")
    assert matching.test_patients == ("ZZTEST",)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    write_site(tmp_path, adt=CHANNEL.replace("6661", "'${file:port.txt}'"))
    (tmp_path / "tables/sex.csv").write_bytes(b"from,to\n\xff,M\n")

    found = check_site(tmp_path, None, {})
    assert sentences(found) == [
        "port.txt cannot be read",
        "this is not UTF-8, or unreadable",
    ]

    (tmp_path / "port.txt").write_text("6000\n")
    (tmp_path / "tables/sex.csv").unlink()
    assert only_channel(tmp_path).destinations[0].mllp.port == 6000


def test_the_revision_follows_everything_a_channel_depends_on(tmp_path):
    text = CHANNEL + 'edit:\n  - set: PID-8\n    to: table("sex", PID-8)\n'
    text += "  - python: notes:join\n"
    step = "def join(message: Message, context: StepContext) -> None:\n    pass\n"
    files = {"tables/sex.csv": SEX, "tables/other.csv": SEX, "steps/notes.py": step}
    write_site(tmp_path, files, adt=text)

    def revision():
        return only_channel(tmp_path).revision

    first = revision()
    (tmp_path / "tables/other.csv").write_text(SEX + "3,U,Unknown\n")
    assert revision() == first, "a table it does not use"
    (tmp_path / "channels/adt.yaml").write_text("# a comment\n" + text)
    assert revision() == first, "a comment"
    (tmp_path / "tables/sex.csv").write_text(SEX + "3,U,Unknown\n")
    second = revision()
    assert second != first
    (tmp_path / "steps/notes.py").write_text(step + "# changed\n")
    assert revision() not in (first, second)


def test_faults_are_given_in_the_formats_of_other_tools(tmp_path):
    found = checked(tmp_path, adt=CHANNEL + "x: 1\n").faults

    assert '"code": "CH100"' in as_json(found)
    assert "::error file=config/channels/adt.yaml,line=10,col=1" in as_github(
        found, "config"
    )
    assert '"startColumn": 1' in as_sarif(found, "config")


YAML_LIKE = st.text(alphabet="abchnel: -[]{}\n'\"|>&*!#%@`,?\t0${}", max_size=80)


@given(data=st.one_of(st.binary(max_size=60), YAML_LIKE.map(str.encode)))
@example(b"channel: \xef\xbb\xbf")
@example(b"%YAML 9.9\n---\na")
@example(b"a: !<\n")
@example(b'"\\ud800"')
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_no_bytes_make_the_loader_raise(tmp_path, data):
    write_site(tmp_path)
    (tmp_path / "channels/adt.yaml").write_bytes(data)

    found = check_site(tmp_path, None, {})

    assert found.site is None
    assert all(isinstance(each.text(), str) for each in found.faults)


def test_the_example_site_is_clean(tmp_path):
    site = Path(__file__).parents[3] / "config"

    found = check_site(site, None, {})

    assert report(found.faults, found.files) == "0 errors, 0 warnings in 6 files."


def test_the_example_site_is_clean_with_the_values_of_production(tmp_path):
    shutil.copytree(Path(__file__).parents[3] / "config", tmp_path / "config")
    variables = {
        "HIS_TLS": "his-mtls",
        "INTEROP_FILES__ALLOWED": "/var/lib/interop/out",
    }

    found = check_site(tmp_path / "config", "production", variables)

    assert found.faults == ()


def test_nodes_are_what_they_look_like():
    root = tree("a: [1, {b: c}]\n")

    assert isinstance(root, Entries)
    items = root.items["a"][1]
    assert isinstance(items, Items)
    assert isinstance(items.items[0], Scalar)
    assert items.items[0].place == ("x.yaml", 1, 5, "")
