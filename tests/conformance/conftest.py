"""The store under test: the same tests on every database."""

import pytest

from tests.databases import BOTH, empty_database


@pytest.fixture(params=BOTH)
def store(request, tmp_path):
    database = empty_database(request.param, tmp_path)
    yield database
    database.close()
