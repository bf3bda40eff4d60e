"""Node settings: where each value comes from, and what is refused."""

from datetime import timedelta

import pytest

from engine.errors import ConfigurationError
from engine.settings import load_settings, masked


def site(tmp_path, text="", variables=None, environment=None):
    (tmp_path / "interop.toml").write_text(text)
    return load_settings(tmp_path, environment, variables or {})


def test_a_folder_without_a_file_gives_the_defaults(tmp_path):
    found = load_settings(tmp_path, variables={})

    assert found.console_bind == "127.0.0.1:8080"
    assert found.identity_system == f"urn:id:{found.site}:enterprise"


def test_the_file_outranks_defaults_and_the_environment_outranks_the_file(tmp_path):
    text = '[log]\nlevel = "debug"\nformat = "json"\n'

    found = site(tmp_path, text, {"INTEROP_LOG__LEVEL": "error"})

    assert (found.log_level, found.log_format) == ("error", "json")


def test_relative_stores_and_folders_resolve_from_the_configuration(tmp_path):
    text = '[store]\nurl = "sqlite:///var"\n[files]\nallowed = ["out"]\n'

    found = site(tmp_path, text)

    assert found.store_url == f"sqlite:///{tmp_path}/var"
    assert found.allowed_folders == (tmp_path / "out",)


def test_the_key_lies_outside_the_configuration_folder(tmp_path):
    assert tmp_path not in site(tmp_path).key_file.parents


def test_the_current_environment_outranks_the_default_one(tmp_path):
    text = (
        '[environments.default]\nA = "1"\nB = "2"\n[environments.production]\nA = "3"\n'
    )

    assert site(tmp_path, text, environment="production").values == {"A": "3", "B": "2"}


def test_every_unknown_name_is_told_at_once_with_a_suggestion(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        site(tmp_path, "[log]\nlevl = 'x'\n", {"INTEROP_NODE__WORKRS": "2"})

    assert len(caught.value.faults) == 2
    assert "did you mean log.level?" in caught.value.faults[0]
    assert "did you mean node.workers?" in caught.value.faults[1]


def test_what_is_not_served_is_refused_with_what_is(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        site(tmp_path, "[ldap]\nserver = 'ldaps://directory.example'\n")

    assert "unknown setting ldap.server" in caught.value.faults[0]
    assert "sign-in by LDAP is not served; take [oidc]" in caught.value.faults[0]


@pytest.mark.parametrize(
    "text",
    [
        "[retention]\ncontent = 'soon'\n",
        "[console]\nmask-lists = 'perhaps'\n",
        "[node]\nworkers = 'many'\n",
        "tls = 'no section'\n",
        "[files]\nallowed = 3\n",
    ],
)
def test_a_value_of_the_wrong_kind_is_named(tmp_path, text):
    with pytest.raises(ConfigurationError) as caught:
        site(tmp_path, text)

    assert len(caught.value.faults) == 1


def test_a_file_that_is_not_toml_is_refused_with_its_place(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        site(tmp_path, "[store\n")

    assert "line 1" in caught.value.faults[0]


def test_a_value_may_stand_in_a_file_of_its_own(tmp_path):
    (tmp_path / "token").write_text("hush\n")
    text = f'[credentials.fhir]\ntoken = "${{file:{tmp_path}/token}}"\n'

    assert site(tmp_path, text).credentials == {"fhir": {"token": "hush"}}


def test_secrets_are_masked_where_settings_are_shown(tmp_path):
    text = '[credentials.fhir]\ntoken = "hush"\nclient-id = "interop"\n'

    shown = masked(site(tmp_path, text))

    assert shown["credentials"] == {"fhir": {"token": "***", "client-id": "interop"}}


def test_durations_and_lists_come_from_variables_too(tmp_path):
    variables = {
        "INTEROP_RETENTION__CONTENT": "3d",
        "INTEROP_FILES__ALLOWED": "a, b",
        "INTEROP_CONFIG": "ignored",
        "INTEROP_TEST__ENABLED": "1",
    }

    found = site(tmp_path, variables=variables)

    assert found.retention_content == timedelta(days=3)
    assert found.files_allowed == ("a", "b")
