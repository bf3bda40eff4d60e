"""The test bench: what a message becomes, tried without any effect."""

import re
import signal
from dataclasses import replace

import pytest

from engine.channels.format.load import load_site
from engine.channels.processing import trial_process
from engine.channels.trials import Trials
from engine.cli.project import write_project
from engine.console.permissions import Permission
from engine.console.queries.samples import INVENTED
from engine.store import audit, journal
from engine.store.journal import Arrival
from engine.store.search import MessageFilter, messages
from tests.builders import adt_a01
from tests.databases import empty_database
from tests.stored import NOON, ask
from tests.web import SITE, Web

PORTS = {
    "ADT_PORT": "21",
    "LAB_PORT": "22",
    "RELAY_PORT": "23",
    "HIS_PORT": "24",
    "FHIR_BASE_URL": "http://127.0.0.1:9/fhir",
}
ANALYST = (Permission.VIEW_METADATA, Permission.EDIT)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    write_project(folder)
    return folder / "config"


@pytest.fixture(scope="module")
def trials(project):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PORTS.items():
            patch.setenv(name, value)
        made = Trials(project)
        made.warm()
        yield made
        made.close()


@pytest.fixture
def web(tmp_path, project, trials):
    store = empty_database("sqlite", tmp_path)
    return Web(store, replace(SITE, folder=project), trials=trials)


def rules(project, channel="laboratory"):
    return (project / "channels" / f"{channel}.yaml").read_text()


def parts(text):
    """Return the flow as shown: stage and result of each part."""
    items = re.findall(r"<strong>(\w+)</strong>.*?<span class=\"muted\">([^<]*)", text)
    return [(stage, result.partition(",")[0]) for stage, result in items]


def stored(web, data, channel="hospital-adt"):
    with web.database.journal() as connection:
        arrival = Arrival(channel, "mllp", "peer", NOON, data, message_type="ADT")
        journal.append(connection, web.database.sealer, [arrival])


def test_a_message_is_shown_part_by_part_and_nothing_is_stored(web, project):
    known = web.signed_in(*ANALYST)
    result = (project / "tests" / "oru_r01.hl7").read_text()

    shown = known.submit("/bench", channel="laboratory", text=result)

    stages = [stage for stage, _ in parts(shown.text)]
    assert shown.status == 200
    assert stages[:4] == ["parse", "validate", "filter", "filter"]
    assert stages[-3:] == ["map", "identity", "render"]
    assert (
        "<code>OBX[1]-3.1</code> was <del>GLU</del> is <ins>2345-7</ins>" in shown.text
    )
    assert "channels/laboratory.yaml:20" in shown.text
    assert "valid R4 by our checks" in shown.text
    assert "MSA|AA|" in shown.text
    with web.database.reading() as connection:
        assert messages(connection, web.database.sealer, MessageFilter()) == []


def test_what_the_profile_of_a_feed_asks_for_is_shown_without_a_gate(web, project):
    known = web.signed_in(*ANALYST)
    profile = "\nmap-options: {profile: us-core}\nsource:"
    draft = rules(project).replace("\nsource:", profile)
    text = (project / "tests" / "oru_r01.hl7").read_text()

    said = known.submit("/bench", channel="laboratory", text=text, draft=draft).text
    without = known.submit("/bench", channel="laboratory", text=text).text

    assert "1 element that the profile asks for is missing" in said
    assert "<code>Organization.active</code> US Core asks for it" in said
    assert "the profile asks for" not in without


def test_a_changed_rule_is_seen_beside_and_the_channel_stays(web, project):
    known, before = web.signed_in(*ANALYST), rules(project)
    draft = before.replace("value: LN", "value: LOCAL").replace("\n", "\r\n")

    shown = known.submit(
        "/bench", channel="laboratory", text=INVENTED["Result"], draft=draft
    )

    assert "otherwise than now" in shown.text
    assert "Observation.code.coding.system" in shown.text
    assert rules(project) == before


def test_a_wrong_rule_is_told_with_its_place(web, project):
    draft = rules(project).replace("set: OBX-3.3", "set: OBX_3.3")

    shown = web.signed_in(*ANALYST).submit(
        "/bench", channel="laboratory", text=INVENTED["Result"], draft=draft
    )

    assert "channels/laboratory.yaml:32" in shown.text


def test_a_draft_cannot_show_what_the_node_keeps_secret(web, project):
    draft = rules(project).replace("${LAB_PORT}", "${file:/etc/hostname}")

    shown = web.signed_in(*ANALYST).submit(
        "/bench", channel="laboratory", text=INVENTED["Result"], draft=draft
    )

    assert shown.status == 422
    assert "may not add or change" in shown.text


def test_an_unknown_segment_is_marked_with_names_that_are_near(web):
    text = INVENTED["Admit"].replace("PV1|", "PW1|")

    shown = web.signed_in(*ANALYST).submit("/bench", channel="hospital-adt", text=text)

    assert "PW1 is no segment of HL7" in shown.text
    assert "did you mean PV1" in shown.text
    assert "<mark>PW1</mark>" in shown.text


def test_what_is_no_message_is_told_and_marked(web):
    shown = web.signed_in(*ANALYST).submit(
        "/bench", channel="hospital-adt", text="hello\nworld"
    )

    assert parts(shown.text) == [("parse", "stopped")]
    assert "<mark>hel</mark>" in shown.text


def test_a_rule_that_runs_away_is_named_and_hurts_nobody(project, monkeypatch):
    monkeypatch.setattr("engine.channels.trials.TRY_SECONDS", 0.000001)
    for name, value in PORTS.items():
        monkeypatch.setenv(name, value)
    hasty = Trials(project)

    ended = hasty.attempt("laboratory", INVENTED["Result"].encode())
    hasty.close()

    assert ended["seconds"] == 0.000001
    assert ended["ran_out"]


@pytest.fixture
def timer():
    """Run down far too slowly for this process, and not beyond the test."""
    signal.setitimer(signal.ITIMER_PROF, 10 * trial_process.LOADING_SECONDS)
    yield lambda: signal.getitimer(signal.ITIMER_PROF)[0]
    signal.setitimer(signal.ITIMER_PROF, 0)


def test_loading_the_configuration_does_not_use_up_the_time_of_a_trial(
    project, monkeypatch, timer
):
    def timed(*given):
        seen.append(timer())
        return load_site(*given)

    seen: list[float] = []
    monkeypatch.setattr(trial_process, "load_site", timed)
    for name, value in PORTS.items():
        monkeypatch.setenv(name, value)
    ask = trial_process.Ask(
        do="try", config=str(project), environment="", channel="laboratory", draft="",
        messages=[], seconds=1,
    )  # fmt: skip
    trial_process._line(ask, project)

    assert 0 < seen[0] < 2 * trial_process.LOADING_SECONDS < timer()


def test_S11_a_stored_message_is_opened_only_by_right_and_written_down(web):
    stored(web, adt_a01(family="Doe"))
    refused = web.signed_in(*ANALYST).browse("/bench", "message=1")
    allowed = web.signed_in(*ANALYST, Permission.VIEW_PHI, name="eve")

    shown = allowed.browse("/bench", "message=1")

    assert refused.status == 403
    assert "Doe" in shown.text
    assert "interop try hospital-adt 1 --trace --reveal" in shown.text
    with web.database.reading() as connection:
        rows = audit.rows(connection, web.database.sealer)
    assert [r.act.actor for r in rows if r.act.action == "view"] == ["eve"]


def test_a_shared_bench_has_no_patient_in_its_address(web, project):
    draft = rules(project).replace("value: LN", "value: LOCAL")
    known = web.signed_in(*ANALYST, Permission.VIEW_PHI)

    kept = known.submit(
        "/bench/share", channel="laboratory", text=INVENTED["Result"], draft=draft
    )
    place = kept.headers["location"]
    shown = known.browse(*place.split("?"))

    assert re.fullmatch(r"/bench\?s=[\w-]{12}", place)
    assert "Thistlewood" in shown.text
    assert "(a draft)" in shown.text
    assert known.browse("/bench", "s=nothing").status == 404
    assert web.signed_in(*ANALYST, name="bo").browse(*place.split("?")).status == 403


def test_the_channels_own_tests_run_by_the_draft(web, project):
    known = web.signed_in(*ANALYST)
    draft = rules(project).replace('error("unmapped-lab-codes")', "keep")

    now = known.submit("/bench/test", channel="laboratory")
    then = known.submit("/bench/test", channel="laboratory", draft=draft)

    assert now.text.count("✓ passed") == 2
    assert "✕ failed" in then.text


def test_what_a_draft_changes_is_counted_over_stored_messages(web, project):
    for code in ("GLU", "NA", "GLU"):
        text = INVENTED["Result"].replace("GLU", code).replace("\n", "\r")
        stored(web, text.encode(), "laboratory")
    known = web.signed_in(*ANALYST)
    draft = rules(project).replace("value: LN", "value: LOCAL")

    unchanged = known.submit("/bench/what-if", channel="laboratory")
    changed = known.submit("/bench/what-if", channel="laboratory", draft=draft)

    assert "Change a rule first" in unchanged.text
    assert "3 of 3 stored messages would come out otherwise" in changed.text
    assert "fhir: Observation.code.coding.system" in changed.text


def test_samples_start_an_empty_bench(web):
    known = web.signed_in(*ANALYST)

    empty = known.browse("/bench")
    begun = known.browse("/bench", "channel=hospital-adt&sample=Admit")
    beside = known.browse("/bench", "channel=laboratory&sample=oru_r01.hl7")

    assert "sample=Admit" in empty.text
    assert "processed" in begun.text
    assert "On it: tests/oru_r01.hl7" in beside.text
    assert known.browse("/bench", "sample=../secret").status == 404
    assert known.browse("/bench", "channel=nowhere").status == 404


def test_a_site_without_channels_says_what_to_do(tmp_path):
    (tmp_path / "config").mkdir()
    settings = replace(SITE, folder=tmp_path / "config")
    known = Web(empty_database("sqlite", tmp_path), settings).signed_in(*ANALYST)

    assert "interop init" in known.browse("/bench").text


def test_S10_a_channel_of_others_is_not_there_for_the_bench(web):
    stored(web, adt_a01())
    other = web.signed_in(*ANALYST, Permission.VIEW_PHI, tags=("elsewhere",))

    assert other.browse("/bench", "message=1").status == 404
    assert other.browse("/bench", "channel=laboratory").status == 404
    assert other.submit("/bench/what-if", channel="laboratory").status == 404
    assert "hospital-adt" not in other.browse("/bench").text


def test_S45_a_message_is_scrubbed_on_the_bench_and_each_replacement_told(web):
    text = adt_a01("NTE|1||quite well", family="Canary").decode().replace("\r", "\n")
    known = web.signed_in(*ANALYST)

    once = known.submit("/bench/scrub", channel="hospital-adt", text=text)
    kept = known.submit(
        "/bench/scrub", channel="hospital-adt", original=text, keep="NTE-3.1"
    )
    broken = known.submit("/bench/scrub", channel="hospital-adt", text="hello")

    sheet = once.text.partition('id="text"')[2].partition("</textarea>")[0]
    assert "Canary" not in sheet
    assert "XXXXX XXXX" in sheet
    assert "<del>Canary</del>" in once.text
    assert "quite well" in kept.text.partition('id="text"')[2].partition("</text")[0]
    assert broken.status == 422


def test_a_message_becomes_a_test_that_passes_or_nothing_is_written(tmp_path):
    write_project(tmp_path)
    folder = tmp_path / "config"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PORTS.items():
            patch.setenv(name, value)
        trials = Trials(folder)
        store = empty_database("sqlite", tmp_path)
        made = Web(store, replace(SITE, folder=folder), trials=trials)
        known, before = made.signed_in(*ANALYST), rules(folder)
        asked = {"channel": "laboratory", "text": INVENTED["Result"]}

        named = {**asked, "name": "a glucose is coded", "harmless": "true"}
        saved = known.submit("/bench/save", **named)
        twice = known.submit("/bench/save", **named)
        unsure = known.submit("/bench/save", **asked, name="another")
        changed = known.submit("/bench/save", **named, draft=before + "# mine\n")
        trials.close()

    after = rules(folder)
    assert "Saved as <code>tests/laboratory-a-glucose-is-coded.hl7</code>" in saved.text
    assert "✓ passed" in saved.text
    assert after.startswith(before.rstrip())
    assert '- name: "a glucose is coded"' in after
    assert "exists already" in twice.text
    assert "names no real patient" in unsure.text
    assert "as it runs" in changed.text
    assert rules(folder) == after
    assert ask(store, audit.rows, store.sealer)[0].act.action == "test.save"
