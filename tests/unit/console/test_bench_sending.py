"""The bench's one way out: sending for real, with the name typed, into the trail."""

from dataclasses import replace

import pytest
from typing_extensions import override

from engine.channels.connection_trial import Reached
from engine.channels.format.load import load_site
from engine.channels.trials import Trials
from engine.console.pages import bench
from engine.console.permissions import Permission
from engine.store import audit
from tests.databases import empty_database
from tests.stored import ask
from tests.web import SITE, Web

EDIT, REPLAY = Permission.EDIT, Permission.REPLAY
CHANNEL = """
channel: adt
source: {mllp: {port: 2999}}
destinations:
  - name: his
    mllp: {host: 127.0.0.1, port: 9}
"""
FLOW = {
    **dict.fromkeys(("reason", "code", "acknowledgment", "identity"), ""),
    **dict.fromkeys(("parts", "problems", "lost", "hints", "differs"), ()),
    "state": "processed",
    "outputs": [{"form": "HL7", "destination": "his", "text": "MSH|x", "faults": []}],
}
FORM = {"channel": "adt", "text": "MSH|x", "destination": "his", "reason": "a check"}


class Tried(Trials):
    """Trials that find the same of every message, without a process."""

    @override
    def warm(self):
        pass

    @override
    def attempt(self, *_):
        return FLOW


@pytest.fixture
def sent(monkeypatch):
    found: list[bytes] = []

    def send(*asked):
        found.append(asked[-1])
        return Reached(True, "his answered AA")

    monkeypatch.setattr(bench, "send_now", send)
    return found


@pytest.fixture
def web(tmp_path, sent):
    (tmp_path / "channels").mkdir()
    (tmp_path / "channels" / "adt.yaml").write_text(CHANNEL)
    store, settings = empty_database("sqlite", tmp_path), replace(SITE, folder=tmp_path)
    site = load_site(tmp_path, None, {})
    return Web(store, settings, site=site, trials=Tried(tmp_path))


def trail(web):
    rows = ask(web.database, audit.rows, web.database.sealer)
    return [row.act for row in rows if row.act.action == "bench.send"]


def test_a_message_is_sent_for_real_once_its_destination_is_typed(web, sent):
    known = web.signed_in(Permission.VIEW_METADATA, EDIT, REPLAY)
    offered = known.submit("/bench", channel="adt", text="MSH|x").text
    done = known.submit("/bench/send", **FORM, typed="his")
    answered, ordered = sorted(trail(web), key=lambda act: "answered" not in act.detail)

    assert "Send this one message for real" in offered
    assert done.status == 200
    assert "Sent for real, outside the order of lanes: his answered AA" in done.text
    assert sent == [b"MSH|x"]
    assert ordered.subject == "channel adt/his"
    assert ordered.detail.endswith(": a check")
    assert answered.detail == "his answered AA"


@pytest.mark.parametrize(
    "changed",
    [
        {"typed": "hi"},
        {"typed": "his", "reason": " "},
        {"typed": "", "destination": ""},
        {"typed": "other", "destination": "other"},
        {"typed": "his", "text": ""},
    ],
)
def test_what_was_not_confirmed_or_cannot_go_is_not_sent(web, sent, changed):
    known = web.signed_in(EDIT, REPLAY)
    refused = known.submit("/bench/send", **FORM | changed)

    assert refused.status == 422
    assert "Nothing was sent" in refused.text
    assert (sent, trail(web)) == ([], [])


def test_who_may_not_replay_gets_no_way_out(web, sent):
    known = web.signed_in(Permission.VIEW_METADATA, EDIT)
    offered = known.submit("/bench", channel="adt", text="MSH|x").text

    assert "for real" not in offered
    assert known.submit("/bench/send", **FORM, typed="his").status == 403
    assert sent == []
