"""The JSON Schema of interop.toml: editors accept and refuse what the node does."""

import tomllib
from pathlib import Path

import pytest

from engine.channels.alerts.settings import alert_settings
from engine.channels.format.cda_site import cda_faults
from engine.channels.format.reference import settings_page
from engine.channels.format.settings_schema import (
    MEANINGS,
    PARTS,
    settings_schema,
    single_keys,
)
from engine.channels.format.site_fields import site_fields
from engine.console.masking import KEYS as OF_MASKING
from engine.settings import KEYS, Settings, load_settings
from tests.channel_files import checked
from tests.json_schema import faults

REPOSITORY = Path(__file__).parents[3]
SCHEMA = settings_schema()
OURS = [REPOSITORY / "config", REPOSITORY / "engine/cli/template"]


def judged(text):
    return faults(SCHEMA, tomllib.loads(text))


@pytest.mark.parametrize("folder", OURS, ids=lambda folder: folder.name)
def test_our_own_settings_fit(folder):
    assert judged((folder / "interop.toml").read_text("utf-8")) == []


@pytest.mark.parametrize("name", ["alerts.md", "sign-in.md", "exchange-documents.md"])
def test_the_settings_of_the_guides_fit(name):
    page = (REPOSITORY / "docs/how-to" / name).read_text("utf-8")
    blocks = [part.partition("```")[0] for part in page.split("```toml\n")[1:]]

    assert blocks
    assert [judged(each) for each in blocks] == [[] for _ in blocks]


@pytest.mark.parametrize(
    "wrong",
    [
        'sight = "x"',
        '[store]\nulr = "x"',
        "[node]\nworkers = 'many'",
        "[log]\nlevel = 'loud'",
        "[retention]\ncontent = 'soon'",
        "[console]\nmask-lists = 'perhaps'",
        "[tls.his]\ncertficate = 'x'",
        "[credentials.his]\npasword = 'x'",
        "[credentials.his]\nkind = 'secret'",
        "[contacts.oncall]\nmail = 'x'",
        "[smtp]\nhost = 'x'",
        "[alerts]\ndisk = '85%'",
        "[tables.sex]\nmatch = 'loose'",
        "[cda.custodian]\nname = 'x'\nid = '1'\nfax = '2'",
        "[oidc]\nclientid = 'x'",
        "[masking.some]\nhide = ['PID-5']",
        "[ldap]\nserver = 'x'",
        "[teams]\nlab = ['x']",
    ],
)
def test_a_misspelt_key_or_a_value_of_another_kind_does_not_fit(wrong):
    assert judged(wrong) != []


def test_a_value_may_be_that_of_a_file():
    assert judged("[node]\nworkers = '${file:/etc/workers}'") == []
    assert judged("[retention]\ncontent = '${file:/etc/days}'") == []


def test_every_setting_has_a_meaning_and_every_meaning_a_setting():
    assert {*MEANINGS, *PARTS} == set(KEYS)


def test_defaults_of_the_schema_are_those_of_a_node_without_a_file(tmp_path):
    told = {name: default for name, _, default, _ in single_keys()}

    assert told["retention.audit"] == "`2190d`"
    assert told["console.session-idle"] == "`15m`"
    assert told["console.second-factor"] == "`administrator`, `administer`"
    assert told["console.mask-lists"] == "`true`"
    assert told["http.bind"] == ""
    assert judged('[retention]\naudit = "2190d"\n[console]\nsession-idle = "15m"') == []


def test_sections_have_the_keys_that_what_reads_them_knows(tmp_path):
    custodian = PARTS["cda"].keys["custodian"][1]["properties"]
    assert isinstance(custodian, dict)
    cda = {
        **dict.fromkeys(PARTS["cda"].keys, "1"),
        "custodian": dict.fromkeys(custodian, "1"),
    }
    settings = Settings(
        folder=tmp_path,
        cda=cda,
        smtp={"server": "a:25", "from": "b", "security": "tls", "credential": "c"},
        alerts={
            "notify": [],
            "disk-over": "85%",
            "certificate-within": "1d",
            "after": "2m",
        },
    )

    assert not any("no key" in each for each in cda_faults(settings, {}))
    assert alert_settings(settings).mail.host == "a"
    assert set(settings.alerts) == set(PARTS["alerts"].keys)
    assert set(settings.smtp) == set(PARTS["smtp"].keys)
    assert set(PARTS["masking"].keys) == OF_MASKING


def test_a_key_of_a_section_that_nothing_reads_is_told(tmp_path):
    text = "[tls.his]\ncertficate = 'x'\n[credentials.his]\nwhat = 'hush'\n"
    loaded = checked(tmp_path, {"interop.toml": text})

    found = [each for each in loaded.faults if each.code == "CH400"]

    assert [(each.place.line, each.sentence, each.hint) for each in found] == [
        (2, "[tls.his] has no key 'certficate'", "did you mean certificate?"),
        (
            4,
            "[credentials.his] has no key 'what'",
            "keys: kind, user, password, token, secret",
        ),
    ]
    assert "hush" not in str(found)


def test_a_name_for_no_field_of_the_site_is_told(tmp_path):
    good = "[hl7.ZPI]\n2 = 'enterprise identifier'\n'2.1' = 'number'\n"
    bad = "0 = 'nothing'\n3.1 = 'not quoted'\n[hl7.PID]\n9 = 'alias'\n"
    loaded = checked(tmp_path, {"interop.toml": good + bad})

    found = [each for each in loaded.faults if each.code == "CH400"]

    assert [(each.place.line, each.sentence) for each in found] == [
        (4, "[hl7.ZPI] 0 names no field"),
        (5, "[hl7.ZPI] 3 names no field"),
        (6, "[hl7] PID is no section of a Z segment"),
    ]
    names = site_fields(loaded.settings)
    assert (names["ZPI-2"], names["ZPI-2.1"]) == ("enterprise identifier", "number")


def test_the_page_of_settings_is_the_one_of_this_code():
    page = REPOSITORY / "docs/reference/settings.md"

    assert page.read_text("utf-8") == settings_page(), (
        "write engine.channels.format.reference.settings_page() to docs/reference"
    )


def test_the_settings_of_a_site_load_as_the_schema_says(tmp_path):
    (tmp_path / "interop.toml").write_text('[console]\nsecond-factor = "analyst"\n')

    assert load_settings(tmp_path, variables={}).console_second_factor == ("analyst",)
    assert judged('[console]\nsecond-factor = "analyst"\n') == []
