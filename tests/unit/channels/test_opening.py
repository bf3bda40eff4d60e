"""A process that waits for its store."""

import pytest

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


def test_a_process_waits_and_says_why_once(away, capsys):
    away.extend(["refused", "refused", "starting up"])

    opened = open_when_there("", b"", "edge")

    assert str(opened) == "edge"

    said = capsys.readouterr()
    words = said.out + said.err
    assert [words.count(each) for each in ("refused", "starting up")] == [1, 1]
    assert words.count("store_back") == 1


def test_a_process_whose_parent_ended_does_not_wait(away, monkeypatch):
    away.extend(["refused"] * 3)
    parents = iter([7, 7, 1])
    monkeypatch.setattr("os.getppid", lambda: next(parents))

    with pytest.raises(SystemExit):
        open_when_there("", b"", "edge")
