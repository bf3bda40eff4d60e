"""The configuration folder of a process: read once for a start, again when asked."""

import pytest

from engine.channels.site_files import SiteFiles
from engine.errors import ConfigurationError

CHANNEL = """
channel: {name}
source:
  mllp: {{port: {port}}}
destinations:
  - name: his
    mllp: {{host: 127.0.0.1, port: 2700}}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "channels").mkdir()
    (tmp_path / "interop.toml").write_text('site = "test"\n')
    write(tmp_path, "adt", 2575)
    return tmp_path


def write(folder, name, port):
    text = CHANNEL.format(name=name, port=port)
    (folder / "channels" / f"{name}.yaml").write_text(text)


def test_whoever_starts_gets_what_was_read_for_its_settings(folder):
    files = SiteFiles(folder, None)
    write(folder, "lab", 2576)

    assert files.read() is files.site.channels
    assert [each.name for each in files.site.channels] == ["adt"]


def test_everything_is_read_again_from_the_second_time_on(folder):
    files = SiteFiles(folder, None)
    files.read()
    write(folder, "lab", 2576)

    assert [each.name for each in files.read()] == ["adt", "lab"]


def test_a_fault_leaves_the_site_that_is_in_force(folder):
    files = SiteFiles(folder, None)
    files.read()
    write(folder, "lab", 0)

    with pytest.raises(ConfigurationError):
        files.read()

    assert [each.name for each in files.site.channels] == ["adt"]
