"""A process that waits for its store."""

import pytest
from structlog.testing import capture_logs

from engine.channels import opening
from engine.channels.opening import open_when_there
from engine.errors import StoreError


@pytest.fixture
def away(monkeypatch):
    """Fail to open as often as there are sentences; then give what is open."""
    sentences: list[str] = []

    def open_database(*_, **named):
        if sentences:
            raise StoreError(sentences.pop(0))
        return named["role"]

    monkeypatch.setattr(opening, "open_database", open_database)
    monkeypatch.setattr(opening, "AGAIN_SECONDS", 0.0)
    return sentences


def test_a_process_waits_and_says_why_once(away):
    away.extend(["refused", "refused", "starting up"])

    with capture_logs() as logs:
        opened = open_when_there("", b"", "edge")

    assert str(opened) == "edge"
    assert [each.get("reason", each["event"]) for each in logs] == [
        "refused",
        "starting up",
        "store_back",
    ]


def test_a_process_whose_parent_ended_does_not_wait(away, monkeypatch):
    away.extend(["refused"] * 3)
    parents = iter([7, 7, 1])
    monkeypatch.setattr("os.getppid", lambda: next(parents))

    with pytest.raises(SystemExit):
        open_when_there("", b"", "edge")
