"""Summaries that no message causes: on order, and at a time of the day."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from engine.channels.format.load import load_site
from engine.channels.owed import make_owed
from engine.channels.processing.assemble import lines_of
from engine.channels.processing.store_view import Memory, StoreView
from engine.channels.processing.summaries import last_at
from engine.channels.worker import Worker
from engine.identity import Identifier
from engine.identity.person import LinkKind
from engine.store import audit, document_orders
from engine.store.audit import Order
from engine.store.patients import SqlPatientIndex
from tests.channel_files import CHANNEL as PLAIN
from tests.channel_files import checked, sentences, write_site
from tests.sites import Site
from tests.stored import NOON, accept, arrival
from tests.wards import SETTINGS, Ward, admission

CHANNEL = """
channel: adt
source:
  mllp: {port: 2575}
destinations:
  - name: his
    mllp: {host: 127.0.0.1, port: 6661}
  - name: ccd
    cda: {template: ccd, path: "out/{document.id}.xml", MAKE}
"""
ON_ORDER = CHANNEL.replace("MAKE", "make: on-order")
STORE = '[store]\nurl = "sqlite:///../store"\nkey = "../store.key"\n'
NAMES = {"c": "urn:hl7-org:v3"}
PEANUT = "AL1|1|DA|^Peanut"
ANN = {"number": "1"}
BO = {"number": "2", "family": "Roe", "given": "Bo"}


class CrashedError(Exception):
    """The process ends here."""


def ward_of(folder, make, kind="sqlite"):
    return Ward(folder, CHANNEL.replace("MAKE", make), kind)


def order(ward, *persons):
    with ward.store.engine() as connection:
        found = {
            each: document_orders.heard_of(connection, each, [("adt", "ccd")])
            for each in persons
        }
        asked = Order("ann", NOON, "asked for by the practice")
        document_orders.order(connection, ward.store.sealer, found, asked)


def versions(ward):
    found = [etree.fromstring(text) for text, _ in ward.outbox("ccd")]
    number = "string(c:versionNumber/@value)"
    return [each.xpath(number, namespaces=NAMES) for each in found]


@pytest.fixture(params=["sqlite", "postgresql"])
def ward(request, tmp_path):
    place = ward_of(tmp_path, "make: on-order", request.param)
    place.send(admission("1", **ANN), admission("2", PEANUT, **ANN))
    return place


def test_a_summary_on_order_is_made_once_and_holds_all_that_is_known(ward):
    assert ward.outbox("ccd") == []
    assert len(ward.outbox("his")) == 2

    order(ward, ward.person("1"))
    order(ward, ward.person("1"))
    ward.run()
    ward.run()

    [(text, _)] = ward.outbox("ccd")
    assert "Peanut" in text.decode()
    assert ward.entries() == []


def test_an_order_is_audited_and_what_says_nothing_new_is_not_sent(ward):
    order(ward, ward.person("1"))
    ward.run()
    order(ward, ward.person("1"))
    ward.run()
    ward.send(admission("3", PEANUT, "AL1|2|DA|^Egg", **ANN))
    order(ward, ward.person("1"))
    ward.run()

    assert versions(ward) == ["1", "2"]
    with ward.store.reading() as connection:
        actions = [
            each.act.action for each in audit.rows(connection, ward.store.sealer)
        ]
    assert actions.count("order-document") == 3


def test_an_order_survives_a_crash_between_its_documents_and_their_commit(ward):
    order(ward, ward.person("1"))

    with pytest.raises(CrashedError):
        crash(ward)

    assert ward.outbox("ccd") == []
    ward.run()
    assert versions(ward) == ["1"]


def crash(ward):
    with ward.store.engine() as connection:
        view = StoreView(connection, ward.store.sealer, Memory())
        assert make_owed(ward.worker.lines["adt"], view, NOON) == 1
        raise CrashedError


def test_somebody_nobody_spoke_of_there_has_no_places(ward):
    with ward.store.reading() as connection:
        places = [("adt", "ccd"), ("other", "ccd")]
        known = document_orders.heard_of(connection, ward.person("1"), places)
        unknown = document_orders.heard_of(connection, "E-none", places)

    assert known == [("adt", "ccd")]
    assert unknown == []


def test_what_was_ordered_of_a_person_merged_away_is_the_survivor_s(tmp_path):
    ward = ward_of(tmp_path, "make: on-order")
    ward.send(admission("1", **ANN), admission("2", PEANUT, **BO))
    away, stays = ward.person("2"), ward.person("1")
    ward.decide(LinkKind.MERGE, source=away, target=stays)
    ward.run()
    made = len(ward.outbox("ccd"))

    order(ward, away)
    ward.run()

    assert len(ward.outbox("ccd")) == made + 1
    assert "Peanut" in ward.outbox("ccd")[-1][0].decode()


def test_a_summary_that_cannot_be_made_stands_in_the_error_queue(ward):
    with ward.store.journal() as connection:
        connection.exec_driver_sql("UPDATE journal.message SET content = NULL")
    order(ward, ward.person("1"))

    ward.run()

    [entry] = ward.entries()
    assert "removed by retention" in entry.sentence


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_once_a_day_everybody_heard_of_since_gets_a_summary(tmp_path, kind):
    ward = ward_of(tmp_path, 'make: daily, at: "02:00"', kind)
    ward.run()  # the first round only begins to count
    ward.now = NOON + timedelta(hours=1)
    ward.send(admission("1", **ANN), admission("2", PEANUT, **BO))
    assert ward.outbox("ccd") == []

    ward.now = NOON + timedelta(hours=15)  # 03:00 of the next day
    ward.run()
    ward.now = NOON + timedelta(hours=16)
    ward.run()
    assert len(ward.outbox("ccd")) == 2

    ward.now = NOON + timedelta(hours=20)
    ward.send(admission("3", PEANUT, **ANN))
    ward.now = NOON + timedelta(hours=40)
    ward.run()
    assert versions(ward) == ["1", "1", "2"]


@pytest.mark.parametrize(
    ("hour", "day"), [(1, 31), (2, 1), (23, 1)], ids=["before", "at", "after"]
)
def test_a_time_of_day_came_last_today_or_yesterday(hour, day):
    now = datetime(2030, 1, 1, hour, tzinfo=UTC)

    assert last_at("02:00", now).day == day
    assert last_at("02:00", now).hour == 2


@pytest.mark.parametrize(
    ("cda", "more", "sentence"),
    [
        ("template: unstructured, make: daily", "", "is about one message"),
        ("template: ccd, make: on-order", "identity: {match: false}\n", "no persons"),
        ('template: ccd, make: daily, at: "25:00"', "", "no time of day"),
    ],
)
def test_a_wrong_cause_is_a_fault_of_the_channel(tmp_path, cda, more, sentence):
    his = "    mllp: {host: 127.0.0.1, port: 6661}\n"
    document = f'    cda: {{{cda}, path: "out/{{document.id}}.xml"}}\n'
    channel = PLAIN.replace(his, document) + more

    found = checked(tmp_path, {"interop.toml": SETTINGS}, adt=channel)

    assert any(sentence in each for each in sentences(found))


def test_interop_documents_orders_by_hand(tmp_path):
    config = tmp_path / "config"
    config.mkdir()
    write_site(config, {"interop.toml": f"{SETTINGS}{STORE}"}, adt=ON_ORDER)
    (tmp_path / "store").mkdir()
    site = Site(config)
    with closing(site.database()) as store:
        accept(store, arrival("M1", admission("1", **ANN)))
        lines = lines_of(load_site(config, variables={}))
        Worker(store, lines, lambda: NOON).turn()
        with store.reading() as connection:
            index = SqlPatientIndex(connection, store.sealer)
            [known] = index.known([Identifier("HOSP", "MR", "1")]).values()
    person = known.person
    words = ("documents", "order", person, "--reason", "asked", "-o", "json")

    dry, done = site.run(*words, "--dry-run"), site.run(*words)
    other = site.run("documents", "order", "E-none", "--reason", "asked")
    nowhere = site.run(*words, "--destination", "his")

    assert "would order summaries: 1" in dry.stderr
    assert json.loads(done.stdout) == [
        {"person": person, "channel": "adt", "destination": "ccd"}
    ]
    assert (other.exit_code, nowhere.exit_code) == (1, 1)
    assert "no message there speaks of E-none" in other.stderr
