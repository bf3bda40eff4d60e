"""What every test runs under."""

import coverage
import pytest
import structlog
from hypothesis import settings

from tests.databases import close_databases

settings.register_profile("engine", deadline=None)  # a busy machine is no defect
settings.load_profile("engine")


@pytest.fixture(autouse=True)
def _nothing_is_left_behind():
    yield
    close_databases()
    structlog.reset_defaults()  # a process that ran in here had its own logs


def pytest_sessionfinish():
    """Keep what was covered: a worker that takes long to end is killed."""
    running = coverage.Coverage.current()
    if running is not None:
        running.save()
