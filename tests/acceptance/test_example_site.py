"""The example site in ``config/``: every test its channels carry."""

from pathlib import Path

import pytest

from engine.channels.format.load import load_site
from engine.channels.processing.assemble import lines_of
from engine.channels.processing.channel_tests import run_tests

CONFIG = Path(__file__).parents[2] / "config"
NAMES = sorted(
    file.stem
    for file in (CONFIG / "channels").glob("*.yaml")
    if not file.stem.startswith("_")
)


@pytest.fixture(scope="module")
def lines():
    made = lines_of(load_site(CONFIG, variables={}))
    yield made
    for line in made.values():
        if line.feed.step_runner is not None:
            line.feed.step_runner.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_channel_passes_its_own_tests(lines, name):
    results = run_tests(lines[name], CONFIG)

    assert results
    assert [(each.name, each.differences) for each in results if not each.passed] == []
