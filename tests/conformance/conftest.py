"""What every conformance test runs on: each database, lenient and strict settings."""

import pytest

from tests.databases import BOTH, empty_database


@pytest.fixture(params=BOTH)
def store(request, tmp_path):
    database = empty_database(request.param, tmp_path)
    yield database
    database.close()


@pytest.fixture(params=["lenient", "strict"], scope="session")
def strict(request):
    """Every row of protocol.md runs with the lenient settings and the strict ones."""
    return request.param == "strict"
