"""S4 and what leads to it, for those who may see patients but no confidential ones."""

import pytest

from engine.channels.format.load import load_site
from engine.console.permissions import Permission
from engine.store import audit, patient_tables, search
from engine.store.search import MessageFilter
from tests.sites import site_with_doubt
from tests.web import Web

MAY = (
    *(Permission.VIEW_METADATA, Permission.VIEW_PHI),
    *(Permission.REPLAY, Permission.EDIT),
)
TABS = ("fields", "received", "edited", "fhir", "cda", "sent", "answers", "trace")


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    own = site_with_doubt(tmp_path_factory.mktemp("confidential"))
    database = own.database("console")
    with database.engine() as connection:
        statement = patient_tables.person.update().values(confidential=1)
        connection.execute(statement)
    yield Web(database, site=load_site(own.config, None, {}))
    database.close()


@pytest.fixture(scope="module")
def first(web):
    """Return the first message, and words of it that name its patient."""
    with web.database.reading() as connection:
        sealer = web.database.sealer
        rows = search.messages(connection, sealer, MessageFilter())
    shown = web.signed_in(name="all").browse(f"/api/v1/messages/{rows[-1].id}")
    line = next(
        each for each in shown.json()["content"].split("\r") if each.startswith("PID")
    )
    pid = line.split("|")
    return rows[-1], [pid[3].partition("^")[0], pid[5].partition("^")[0], pid[7]]


@pytest.mark.parametrize("tab", TABS)
def test_M20_a_confidential_persons_message_is_covered_on_every_tab(web, first, tab):
    row, words = first
    known = web.signed_in(*MAY)

    answer = known.browse(f"/messages/{row.id}", f"tab={tab}")

    assert answer.status == 200
    assert "whom your role may not see" in answer.text
    assert not [word for word in words if word in answer.text]


def test_M20_whoever_may_see_them_sees_their_messages(web, first):
    row, words = first
    known = web.signed_in(*MAY, Permission.VIEW_CONFIDENTIAL, name="eva")

    answer = known.browse(f"/messages/{row.id}", "tab=received")

    assert all(word in answer.text for word in words)


def test_M20_what_is_covered_is_no_viewing(web, first):
    web.signed_in(*MAY, name="ida").browse(f"/messages/{first[0].id}")

    with web.database.reading() as connection:
        rows = audit.rows(connection, web.database.sealer)
    viewed = [row.act for row in rows if row.act.action == "view"]
    assert "ida" not in {act.actor for act in viewed}


def test_M20_the_api_covers_the_same(web, first):
    row, words = first
    known = web.allowed(*MAY)

    shown = known.get(f"/api/v1/messages/{row.id}")
    sent = shown.json()["deliveries"]

    assert shown.json()["masked"]
    assert not [word for word in words if word in shown.text]
    assert sent
    for each in sent:
        document = known.get(f"/api/v1/deliveries/{each['id']}/document")
        assert document.status == 403
        framed = f"/messages/{row.id}/documents/{each['id']}"
        assert web.signed_in(*MAY).browse(framed).status == 403


@pytest.mark.parametrize("address", ["/messages/{}/edit", "/bench?message={}"])
def test_M20_their_messages_are_not_opened_for_editing_or_trial(web, first, address):
    path, _, query = address.format(first[0].id).partition("?")

    answer = web.signed_in(*MAY).browse(path, query)

    assert answer.status == 403
    assert not [word for word in first[1] if word in answer.text]


def test_M20_a_search_for_a_confidential_person_finds_nothing(web, first):
    row, (number, *_) = first
    hidden, shown = web.signed_in(*MAY), web.signed_in(name="all")

    def found(known):
        asked = known.submit("/messages", query=f"patient:{number}")
        path, _, query = asked.headers["location"].partition("?")
        return f"/messages/{row.id}" in known.browse(path, query).text

    assert (found(hidden), found(shown)) == (False, True)
    by_person = {"person": row.person}
    assert web.allowed(*MAY).get("/api/v1/messages", **by_person).json()["items"] == []
    assert web.allowed().get("/api/v1/messages", **by_person).json()["items"]
