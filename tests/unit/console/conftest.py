"""Cheap password hashes: what they cost is tested where it matters."""

import pytest
from argon2 import PasswordHasher

from engine.console import passwords

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch):
    monkeypatch.setattr(passwords, "HASHER", CHEAP)
