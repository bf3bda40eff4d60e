"""What is wrong between the parts of channels that are right one by one."""

import json

import pytest

from engine.channels.format.endpoint_checks import is_loopback
from engine.channels.format.schema import channel_schema
from tests.channel_files import CHANNEL, SEX, checked, sentences

HIS = "    mllp: {host: 127.0.0.1, port: 6661}\n"
ALLOWED = '[files]\nallowed = ["out"]\n'
STEP = "def join(message: Message, context: StepContext) -> None:\n    pass\n"


def levels(found):
    return [(each.level, each.sentence) for each in found.faults]


def one(tmp_path, files=None, *, more="", **replaced):
    """Return the only fault of the channel with one part replaced."""
    text = CHANNEL + more
    for old, new in replaced.get("parts", {}).items():
        assert old in text
        text = text.replace(old, new)
    found = checked(tmp_path, files, adt=text)
    assert len(found.faults) == 1, sentences(found)
    return found.faults[0]


def test_a_file_carries_the_name_of_its_channel(tmp_path):
    fault = one(tmp_path, parts={"channel: adt": "channel: adtx"})

    assert fault.hint == "rename the file to adtx.yaml"
    assert fault.place == ("channels/adt.yaml", 1, 10, "")


def test_a_channel_with_an_error_is_told_what_is_wrong_with_its_ends_in_the_same_run(
    tmp_path,
):
    edit = "edit:\n  - set: PID-5.1\n    to: lover(PID-5.1)\n"
    far = CHANNEL.replace("port: 2575", "port: 2575, host: 0.0.0.0") + edit

    found = checked(tmp_path, adt=far, lab=CHANNEL.replace("adt", "lab"))

    assert sorted(sentences(found)) == [
        "beyond this machine, tls must be written out",
        "port 2575 is used by channel lab already",
        "unknown function lover()",
    ]


def test_the_ends_of_a_channel_that_lacks_a_destination_are_not_guessed(tmp_path):
    other = CHANNEL.replace(HIS, HIS.replace("port", "prot"))
    assert other != CHANNEL

    found = checked(tmp_path, adt=other)

    assert sentences(found) == ["unknown key 'prot'"]


def test_two_channels_cannot_listen_on_one_port(tmp_path):
    lab = CHANNEL.replace("adt", "lab")

    found = checked(tmp_path, adt=CHANNEL, lab=lab)

    assert sentences(found) == ["port 2575 is used by channel adt already"]


@pytest.mark.parametrize(("port", "owner"), [(8080, "console"), (9464, "metrics")])
def test_the_node_s_own_ports_are_taken(tmp_path, port, owner):
    fault = one(tmp_path, parts={"2575": str(port)})

    assert fault.sentence == f"port {port} is used by {owner}.bind already"


def test_a_low_port_is_a_warning(tmp_path):
    fault = one(tmp_path, parts={"2575": "575"})

    assert (fault.level, fault.code) == ("warning", "CH310")


def test_beyond_this_machine_tls_is_written_out_and_none_is_a_warning(tmp_path):
    silent = one(tmp_path, parts={"port: 2575": "port: 2575, host: 0.0.0.0"})
    said = one(tmp_path, parts={"port: 2575": "port: 2575, host: 0.0.0.0, tls: none"})

    assert (silent.level, silent.sentence) == (
        "error",
        "beyond this machine, tls must be written out",
    )
    assert said.level == "warning"


def test_a_destination_beyond_this_machine_needs_tls_too(tmp_path):
    fault = one(tmp_path, parts={"host: 127.0.0.1": "host: his.example"})

    assert fault.place.line == 6
    assert fault.level == "error"


def test_a_web_address_in_plain_text_is_a_warning(tmp_path):
    web = "    fhir: {url: 'http://fhir.example/r4'}\n"

    assert one(tmp_path, parts={HIS: web}).level == "warning"


@pytest.mark.parametrize(
    ("allowed", "count"),
    [
        ("https://fhir.example", 0),
        ("fhir.example:443", 0),
        ("fhir.example", 0),
        ("other.example", 1),
        ("fhir.example:8443", 1),
    ],
)
def test_hosts_stand_in_the_list_of_the_node(tmp_path, allowed, count):
    files = {"interop.toml": f'[outbound]\nallowed = ["{allowed}"]\n'}
    text = CHANNEL.replace(HIS, "    fhir: {url: 'https://fhir.example/r4'}\n")

    assert len(checked(tmp_path, files, adt=text).faults) == count


def test_a_destination_is_not_its_own_source(tmp_path):
    fault = one(tmp_path, parts={"6661": "2575"})

    assert fault.sentence == "this destination is the channel's own source"


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("out/{message.id}.hl7", ""),
        ("elsewhere/{message.id}.hl7", "outside the folders"),
        ("../out/{message.id}.hl7", "outside the folders"),
        ("outx/{message.id}.hl7", "outside the folders"),
        ("/etc/cron.d/{message.id}", "outside the folders"),
        ("out/{message.idd}.hl7", "neither a context name nor an HL7 path"),
        ("out/{document.id}.hl7", "neither a context name nor an HL7 path"),
        ("out/{PID-3.1}.hl7", ""),
        ("out/../../x", "may stand at the beginning only"),
    ],
)
def test_files_stay_in_the_allowed_folders(tmp_path, path, wrong):
    text = CHANNEL.replace(HIS, f"    file: {{path: '{path}'}}\n")

    found = sentences(checked(tmp_path, {"interop.toml": ALLOWED}, adt=text))

    assert (wrong in found[0]) if wrong else found == []


def test_two_destinations_cannot_write_the_same_files(tmp_path):
    twice = "    file: {path: 'out/{message.id}'}\n"
    text = CHANNEL.replace(HIS, twice + "  - name: copy\n" + twice)

    found = checked(tmp_path, {"interop.toml": ALLOWED}, adt=text)

    assert sentences(found) == ["adt/his writes the same files"]


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        (STEP, ""),
        ("", "has no function join()"),
        ("def join(:", "is not Python"),
        (STEP.replace(", context: StepContext", ""), "takes message and context"),
        (STEP.replace("None", "bool"), "must be annotated to return None here"),
        (STEP.replace("context", "*context"), "takes message and context"),
        (None, "steps/notes.py does not exist"),
    ],
)
def test_python_steps_are_read_but_never_run(tmp_path, step, sentence):
    files = {} if step is None else {"steps/notes.py": step}
    text = CHANNEL + "edit:\n  - python: notes:join\n"

    found = sentences(checked(tmp_path, files, adt=text))

    assert (sentence in found[0]) if sentence else found == []


def test_a_step_of_map_takes_the_resources_too(tmp_path):
    more = "map:\n  - python: notes:join\n"

    fault = one(tmp_path, {"steps/notes.py": STEP}, more=more)

    assert "takes resources, message and context" in fault.sentence


def test_a_filter_step_answers_true_or_false(tmp_path):
    more = "filter:\n  - name: own rule\n    python: notes:join\n"

    fault = one(tmp_path, {"steps/notes.py": STEP}, more=more)

    assert "must be annotated to return bool here" in fault.sentence


def test_names_are_unique_where_they_name(tmp_path):
    rule = "  - {name: a, drop: exists(ZZZ-1)}\n"
    more = "filter:\n" + rule + rule

    assert one(tmp_path, more=more).sentence == "the name 'a' is used already"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("filter: [{name: a, keep: 'true'}]\n", "this is the same for every message"),
        (
            "edit:\n  - {set: PID-5, value: a}\n  - {set: PID-5, value: b}\n",
            "for nothing",
        ),
    ],
)
def test_what_has_no_effect_is_a_warning(tmp_path, more, sentence):
    fault = one(tmp_path, more=more)

    assert fault.level == "warning"
    assert sentence in fault.sentence


def test_a_step_that_reads_what_the_one_above_wrote_is_no_waste(tmp_path):
    more = "edit:\n  - {set: PID-5, value: a}\n  - {set: PID-5, to: upper(PID-5)}\n"

    assert checked(tmp_path, adt=CHANNEL + more).faults == ()


def test_a_rule_after_one_that_takes_all_is_a_warning(tmp_path):
    rules = HIS + "    on-error:\n      - label: all\n      - label: none\n"

    fault = one(tmp_path, parts={HIS: rules})

    assert "no error reaches this rule" in fault.sentence


def test_only_hl7_output_can_be_edited(tmp_path):
    web = "    fhir: {url: 'https://fhir.example'}\n    edit: [{clear: PID-5}]\n"

    assert "only HL7 v2 output" in one(tmp_path, parts={HIS: web}).sentence


def test_documents_need_a_site(tmp_path):
    document = "    cda: {template: ccd, path: 'out/{document.id}.xml'}\n"
    text = CHANNEL.replace(HIS, document)

    found = checked(tmp_path, {"interop.toml": ALLOWED}, adt=text)

    assert sentences(found) == ["C-CDA documents need [cda] root and [cda.custodian]"]


def test_a_site_of_documents_is_named_by_its_own_oid(tmp_path):
    document = "    cda: {template: ccd, path: 'out/{document.id}.xml'}\n"
    text = CHANNEL.replace(HIS, document)
    wrong = (
        '[cda]\nroot = "2.999.1"\nenterprise = "NORTH"\nmax-attachment = "big"\n'
        'colour = "red"\n[cda.custodian]\nname = "North"\nid = "2.25.3"\nfax = "1"\n'
    )

    found = checked(tmp_path, {"interop.toml": ALLOWED + wrong}, adt=text)

    [sentence] = sentences(found)
    assert "[cda] has no key colour" in sentence
    assert "[cda.custodian] has no key fax" in sentence
    assert "[cda] max-attachment is no size" in sentence
    assert "[cda] enterprise 'NORTH' is not a well-formed OID" in sentence
    assert "[cda] root '2.999.1' lies below 2.999, the arc for examples" in sentence


def test_a_field_the_version_does_not_have_is_a_warning(tmp_path):
    fault = one(tmp_path, more="edit:\n  - clear: PID-77\n")

    assert (fault.level, fault.sentence) == ("warning", "HL7 2.5.1 has no PID-77")
    assert fault.place.column == 12
    assert checked(tmp_path, adt=CHANNEL + "edit:\n  - clear: ZPD-77\n").faults == ()


def test_a_table_nobody_uses_is_a_hint(tmp_path):
    fault = one(tmp_path, {"tables/sex.csv": SEX})

    assert (fault.level, fault.sentence) == ("hint", "no channel uses the table sex")


def test_a_schema_for_editors_that_is_not_of_this_engine_is_a_warning(tmp_path):
    fault = one(tmp_path, {"channel.schema.json": "{}"})
    fresh = {"channel.schema.json": json.dumps(channel_schema())}

    assert (fault.level, fault.sentence) == (
        "warning",
        "the schema for editors is stale",
    )
    assert checked(tmp_path, fresh, adt=CHANNEL).faults == ()


def test_a_channel_without_tests_is_a_warning(tmp_path):
    text = CHANNEL.partition("tests:")[0]

    found = checked(tmp_path, adt=text)

    assert levels(found) == [("warning", "this channel has no tests")]


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        ("message: tests/none.hl7", "tests/none.hl7 does not exist"),
        ("text: no message", "the message does not begin with MSH"),
        (
            "text: MSH|^~\\&|A\n    expect: {destinations: [hiz]}",
            "no destination 'hiz'",
        ),
        ("text: MSH|^~\\&|A\n    expect: {by: a rule}", "no rule 'a rule'"),
        (
            "text: MSH|^~\\&|A\n    expect: {fields: {PID.5: x}}",
            "'PID.5' is not an HL7",
        ),
        ("text: MSH|^~\\&|A\n    expect: {deliveries: {x: {}}}", "no destination 'x'"),
    ],
)
def test_a_test_that_cannot_run_is_an_error(tmp_path, test, sentence):
    head = CHANNEL.partition("    text:")[0]

    found = checked(tmp_path, adt=head + f"    {test}\n")

    assert sentence in sentences(found)[0]


def test_errors_silence_the_warnings_of_their_file(tmp_path):
    text = CHANNEL.replace("2575", "575") + "x: 1\n"

    assert [each.level for each in checked(tmp_path, adt=text).faults] == ["error"]


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False),
     ("his.example", False)],
)  # fmt: skip
def test_loopback_is_this_machine(host, local):
    assert is_loopback(host) is local


def test_a_key_that_changes_nothing_yet_is_told_and_not_passed_over(tmp_path):
    rule = "    on-error: [{label: x, retry-every: 1h}]\n"

    fault = one(tmp_path, parts={HIS: HIS + rule})

    assert (fault.level, fault.code) == ("warning", "CH350")
    assert fault.source.strip() == rule.strip()


@pytest.mark.parametrize(
    ("way", "key"),
    [
        ("fhir: {url: 'http://127.0.0.1:1/r4', mode: message}", "mode"),
        ("http: {url: 'http://127.0.0.1:1/in', format: fhir-json}", "format"),
    ],
)
def test_what_cannot_be_asked_what_it_has_takes_no_updates_of_parts(tmp_path, way, key):
    parts = {
        "destinations:\n": "map-options: {update: partial}\ndestinations:\n",
        HIS: f"    {way}\n",
    }

    fault = one(tmp_path, parts=parts)

    assert (fault.level, fault.code) == ("error", "CH351")
    assert key in fault.hint


@pytest.mark.parametrize("mode", ["transaction", "batch", "single"])
def test_a_server_takes_updates_of_parts_in_every_other_mode(tmp_path, mode):
    parts = {
        "destinations:\n": "map-options: {update: partial}\ndestinations:\n",
        HIS: f"    fhir: {{url: 'http://127.0.0.1:1/r4', mode: {mode}}}\n",
    }

    text = CHANNEL
    for old, new in parts.items():
        text = text.replace(old, new)

    assert sentences(checked(tmp_path, adt=text)) == []
