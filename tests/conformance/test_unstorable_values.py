"""What is answered to a value that no store, or not every one, can keep."""

import pytest

from engine.store import audit
from tests.stored import ask
from tests.web import Web

HUGE = "9" * 30


@pytest.fixture
def web(store):
    return Web(store).signed_in()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/messages", "channel=a%00b"),
        ("/audit", "actor=%00"),
        ("/bench", "s=a%00b"),
        ("/work/mismatch/staged", f"staged={HUGE}.same"),
        ("/api/v1/messages", "channel=%00"),
        ("/live/messages.json", "after=%C2%B2"),
    ],
)
def test_a_question_with_a_value_that_is_none_is_no_fault_of_the_store(
    web, path, query
):
    assert web.browse(path, query).status < 500


def test_what_one_database_cannot_keep_changes_nothing_and_says_so(web):
    answer = web.submit("/alerts/maintenance", channel="adt", reason="a\x00b")

    kept = [e.act.action for e in ask(web.database, audit.rows, web.database.sealer)]
    if answer.status == 422:
        assert "nothing was changed" in answer.json()["detail"]
        assert "alerts.maintenance" not in kept
    else:
        assert answer.status == 303
