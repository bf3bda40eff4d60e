"""What every test runs under."""

import pytest
from hypothesis import settings

from tests.databases import close_databases

settings.register_profile("engine", deadline=None)  # a busy machine is no defect
settings.load_profile("engine")


@pytest.fixture(autouse=True)
def _stores_are_closed():
    yield
    close_databases()
