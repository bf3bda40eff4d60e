"""What every test runs under."""

import coverage
import pytest
import structlog
from hypothesis import settings

from engine.transforms.fhir import conversion
from engine.transforms.fhir.said import recall, remember
from tests.databases import close_databases

settings.register_profile("engine", deadline=None)  # a busy machine is no defect
settings.load_profile("engine")


@pytest.fixture(autouse=True)
def _nothing_is_left_behind():
    yield
    close_databases()
    structlog.reset_defaults()  # a process that ran in here had its own logs


@pytest.fixture(autouse=True, scope="session")
def _what_messages_share_stays_as_it_was_read():
    """Compare whatever is recalled with what was remembered, in every test.

    A change of it would carry the words of one patient into the record of the next.
    """
    as_read = {}

    def remembering(place, said):
        as_read[place] = hash(repr(said))
        remember(place, said)

    def recalling(place):
        said = recall(place)
        if said is not None:
            unchanged = hash(repr(said)) == as_read[place]
            assert unchanged, "somebody changed what messages share"
        return said

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversion, "recall", recalling)
        patch.setattr(conversion, "remember", remembering)
        yield


def pytest_sessionfinish():
    """Keep what was covered: a worker that takes long to end is killed."""
    running = coverage.Coverage.current()
    if running is not None:
        running.save()
