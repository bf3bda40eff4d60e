"""The worker on a real store: what becomes of messages, one after another."""

import json
import sqlite3
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError

from engine.channels.format.load import load_site
from engine.channels.processing.assemble import lines_of
from engine.channels.worker import Worker
from engine.errors import ConfigurationError, EngineError, StoreError
from engine.identity.decision import Ruling
from engine.store import (
    audit,
    claims,
    delivery_moves,
    error_queue,
    holding,
    journal,
    messages,
    queues,
    search,
    table_misses,
    worklist,
)
from engine.store.audit import Order
from engine.store.database import open_database
from engine.store.delivery_state import State
from engine.store.journal import Arrival
from engine.store.patients import SqlPatientIndex
from engine.store.queues import DeliveryFilter
from engine.store.words import Verdict
from tests.builders import adt_a01, adt_patient, er7, msh

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
KEY = bytes(32)
CHANNEL = """
channel: adt
source:
  mllp: {port: 2575}
filter:
  - name: no test patients
    drop: startswith(PID-5.1, "ZZTEST")
edit:
  - translate: PV1-10
    table: service
    on-missing: error("unmapped-service")
destinations:
  - name: archive
    file: {path: "out/{message.id}.json", format: fhir-json}
  - name: his
    mllp: {host: 127.0.0.1, port: 2700}
"""
SETTINGS = 'site = "test"\n[files]\nallowed = ["out"]\n'


class Site:
    """A site in a folder, its store and one worker on it."""

    def __init__(self, folder, more=""):
        self.config = folder / "config"
        (self.config / "channels").mkdir(parents=True)
        (self.config / "tables").mkdir()
        (self.config / "interop.toml").write_text(SETTINGS)
        self.write_table("MED,Medicine\n")
        (self.config / "channels" / "adt.yaml").write_text(CHANNEL + more)
        self.database = open_database(f"sqlite:///{folder / 'store'}", KEY)
        self.sealer = self.database.sealer
        self.worker = Worker(self.database, {}, lambda: NOON)
        self.reload()

    def write_table(self, rows):
        text = f"from,to\n,\n{rows}".replace(",\n", "", 1)
        (self.config / "tables" / "service.csv").write_text(text)

    def reload(self):
        self.worker.lines = lines_of(load_site(self.config, variables={}))

    def accept(self, *data, verdict=Verdict.ACCEPTED, cause=""):
        arrivals = [
            Arrival("adt", "l", "p", NOON, each, verdict, cause=cause) for each in data
        ]
        with self.database.journal() as connection:
            return [
                each.id for each in journal.append(connection, self.sealer, arrivals)
            ]

    def process(self, *data):
        numbers = self.accept(*data)
        self.run()
        return numbers

    def run(self):
        while self.worker.turn():
            pass

    def states(self):
        with self.database.reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT id, state FROM engine.message ORDER BY id"
            )
            return [row.state for row in rows]

    def sent(self, destination):
        """Return what is queued for a destination, with its content, in order."""
        wanted = DeliveryFilter(destination=destination, state=State.QUEUED)
        with self.database.reading() as connection:
            found = []
            for row in queues.deliveries(connection, wanted):
                content = delivery_moves.content(connection, self.sealer, row.id)
                assert content is not None
                found.append((row, content[0]))
        return found

    def bundles(self):
        return [json.loads(content) for _, content in self.sent("archive")]

    def groups(self):
        with self.database.reading() as connection:
            return error_queue.groups(connection)

    def tasks(self):
        with self.database.reading() as connection:
            return worklist.listed(connection)


ORDER = Order("operator", NOON, "tested")
LEASED = timedelta(minutes=1)


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.database.close()


def visit(service, number="1", control_id="A", family="Doe", sent="20300101120000"):
    return er7(
        msh(f10=control_id, f7=sent),
        f"EVN|A08|{sent}",
        f"PID|1||{number}^^^HOSP^MR||{family}^Ann||19800229|F",
        f"PV1|1|I|WARD^1^1^HOSP|||||||{service}|||||||||V{number}^^^HOSP^VN",
    )


def patient(bundle):
    return resource(bundle, "Patient")


def resource(bundle, kind):
    found = [each["resource"] for each in bundle["entry"]]
    return next(each for each in found if each["resourceType"] == kind)


def test_what_the_output_gate_has_seen_is_counted(tmp_path):
    server = '  - name: clinic\n    fhir: {url: "http://127.0.0.1:1/fhir"}\n'
    site = Site(tmp_path, server)
    site.process(adt_a01(), visit("MED", control_id="B"))

    with site.database.reading() as connection:
        assert queues.gates(connection) == [queues.Gate("adt", "clinic", 2, 1)]
    site.database.close()


def test_a_message_becomes_a_delivery_for_each_destination(site):
    site.process(adt_a01())

    assert site.states() == ["processed"]
    assert len(site.sent("archive")) == len(site.sent("his")) == 1


def test_the_enterprise_identifier_leads_the_patient_and_names_the_lane(site):
    site.process(
        adt_a01(header=msh(f10="1")), adt_a01(header=msh(f10="2")),
        adt_a01(header=msh(f10="3"), number="7", family="Roe", given="Bo"),
    )  # fmt: skip

    first, second, other = map(patient, site.bundles())
    assert first["identifier"][0]["system"] == "urn:id:test:enterprise"
    assert first["identifier"][0]["value"] == second["identifier"][0]["value"]
    assert first["identifier"][0]["value"] != other["identifier"][0]["value"]
    with site.database.reading() as connection:
        heads = connection.exec_driver_sql(
            "SELECT count(*) FROM engine.lane WHERE destination = 'his'"
        ).scalar()
    assert heads == 2


def test_a_filtered_message_is_kept_with_the_name_of_its_rule(site):
    site.process(adt_a01(family="ZZTEST"))

    assert site.states() == ["filtered"]
    assert site.sent("archive") == []


def test_a_failing_message_enters_the_error_queue_with_stage_cause_and_sentence(site):
    site.process(visit("XYZ"))

    [group] = site.groups()
    assert (group.stage, group.code, group.label) == (
        "edit", "table-miss", "unmapped-service",
    )  # fmt: skip
    assert "service" in group.cause
    assert site.sent("archive") == []


def test_a_failure_parks_its_person_and_nobody_else(site):
    site.process(
        visit("XYZ", "1", "A"), visit("MED", "1", "B"), visit("MED", "2", "C", "Roe")
    )

    assert site.states() == ["error", "held", "processed"]


def test_after_the_table_is_mended_a_retry_brings_all_in_order(site):
    [first, *_] = site.process(visit("XYZ", "1", "A"), visit("MED", "1", "B"))
    site.write_table("MED,Medicine\nXYZ,Surgery\n")
    site.reload()

    with site.database.engine() as connection:
        messages.reprocess(connection, site.sealer, [first], ORDER)
    site.run()

    assert site.states() == ["processed", "processed"]
    sent = [row.message_id for row, _ in site.sent("his")]
    assert sent == sorted(sent)
    assert site.groups() == []


def test_a_retry_that_fails_again_keeps_the_others_waiting(site):
    [first, *_] = site.process(visit("XYZ", "1", "A"), visit("MED", "1", "B"))

    with site.database.engine() as connection:
        messages.reprocess(connection, site.sealer, [first], ORDER)
    site.run()

    assert site.states() == ["error", "held"]
    assert [group.open for group in site.groups()] == [1]


def test_a_retry_that_fails_again_keeps_the_others_waiting_before_a_later_failure(
    site,
):
    [first, *_] = site.process(
        visit("XYZ", "1", "A"), visit("MED", "1", "B"), visit("XYZ", "1", "C")
    )

    order(site, first)
    site.run()

    assert site.states() == ["error", "held", "error"]


def test_a_discarded_failure_lets_the_person_go_on(site):
    [first, *_] = site.process(visit("XYZ", "1", "A"), visit("MED", "1", "B"))

    with site.database.engine() as connection:
        messages.discard(connection, site.sealer, [first], ORDER)
    site.run()

    assert site.states() == ["filtered", "processed"]


def test_quarantined_bytes_are_visible_and_never_processed(site):
    site.accept(b"HTTP GET /", verdict=Verdict.QUARANTINED, cause="no MSH")
    site.run()

    [group] = site.groups()
    assert (site.states(), group.class_) == (["error"], "frame")


@pytest.mark.parametrize(
    ("claims_lost", "states"),
    [(3, ["error", "held"]), (6, ["error", "processed"])],
    ids=["its person waits", "nobody waits once reading it kills as well"],
)
def test_a_message_whose_worker_died_twice_is_poison(site, claims_lost, states):
    site.accept(adt_a01())
    for _ in range(claims_lost):  # begun and not finished: what a kill leaves behind
        with site.database.engine() as connection:
            claims.claim(connection, site.sealer, "adt", 1)

    site.process(visit("MED", "100482", "B"))

    [group] = site.groups()[:1]
    assert (site.states(), group.class_) == (states, "poison")


def test_poison_that_cannot_be_read_is_in_the_error_queue_too(site):
    site.accept(b"nothing")
    for _ in range(3):
        with site.database.engine() as connection:
            claims.claim(connection, site.sealer, "adt", 1)

    site.run()

    assert [group.class_ for group in site.groups()] == ["poison"]


def test_a_damaged_message_is_in_the_error_queue_and_the_channel_goes_on(site):
    damaged, _ = site.accept(adt_a01(), visit("MED", "2", "B"))
    with site.database.journal() as connection:
        connection.exec_driver_sql(
            "UPDATE journal.message SET content = substr(content, 1, 40) WHERE id = ?",
            (damaged,),
        )

    site.run()

    [group] = site.groups()
    assert (site.states(), group.code) == (["error", "processed"], "damaged")
    assert len(site.bundles()) == 1


def test_a_damaged_resource_fails_the_message_that_needs_it_and_no_other(site):
    site.process(visit("MED", "1", "A"))
    with site.database.engine() as connection:
        connection.exec_driver_sql(
            "UPDATE resource SET content = substr(content, 1, 40) "
            "WHERE resource_type = 'Patient'"
        )
    site.worker = Worker(site.database, site.worker.lines, lambda: NOON)

    somebody_else = visit("MED", "2", "C", family="Okonkwo").replace(b"1980", b"1953")
    site.process(visit("MED", "1", "B"), somebody_else)

    assert site.states() == ["processed", "error", "processed"]
    [group] = site.groups()
    assert group.code == "refused"


def test_a_channel_the_store_refuses_does_not_keep_the_others_waiting(
    site, monkeypatch
):
    site.accept(visit("MED"))
    site.worker.lines = {"lost": site.worker.lines["adt"], **site.worker.lines}
    batch = Worker.batch

    def refused(worker, name, *more):
        if name == "lost":
            raise EngineError("The store could not commit")
        return batch(worker, name, *more)

    monkeypatch.setattr(Worker, "batch", refused)
    with pytest.raises(EngineError):
        site.worker.turn()

    assert site.states() == ["processed"]


def test_losses_and_unknown_code_systems_can_be_counted_by_sender(site):
    lines = b"ZPD|1|VIP\rDG1|1||77^Odd^99LOCAL|||A\rDG1|2||78^Odd^99LOCAL\r"
    site.process(visit("MED", "1") + lines, visit("MED", "2") + lines)

    with site.database.reading() as connection:
        misses = table_misses.misses(connection, site.sealer, table="systems")
        told = [
            (channel, json.loads(content))
            for channel, content in search.reports(connection, site.sealer, last=9)
        ]
        other = list(search.reports(connection, site.sealer, channel="none"))

    assert [(miss.table, miss.code) for miss in misses] == [("systems", "99LOCAL")]
    assert [channel for channel, _ in told] == ["adt", "adt"]
    assert all(["ZPD-2", "z-segment"] in report["losses"] for _, report in told)
    assert {report["sender"] for _, report in told} == {misses[0].sender}
    assert other == []


def test_a_sparse_update_never_wipes_what_is_known(site):
    rich = adt_patient("1", address="1 Mill Lane^^Duluth^MN^55802", phone="2185550100")
    sparse = adt_patient("1", trigger="A08", sent="20300102120000")

    site.process(rich, sparse)

    _, after = map(patient, site.bundles())
    assert after["address"][0]["city"] == "Duluth"


def test_what_another_worker_wrote_is_seen_at_once(site):
    other = Worker(site.database, site.worker.lines, lambda: NOON + LEASED, "other")
    site.process(adt_patient("1", phone="2185550100"))
    site.accept(adt_patient("1", trigger="A08", given="Rose", sent="20300102120000"))
    assert other.turn() == 1
    site.worker.clock = lambda: NOON + 2 * LEASED

    site.process(adt_patient("1", trigger="A08", phone="", sent="20300103120000"))

    after = patient(site.bundles()[-1])
    assert after["telecom"][0]["value"]
    assert len(site.bundles()) == 3


def test_the_same_update_again_only_moves_its_time_on(site):
    same = {"family": "Doe", "address": "1 Mill Lane^^Duluth^MN^55802"}
    site.process(
        adt_patient("1", trigger="A08", sent="20300102120000", **same),
        adt_patient("1", trigger="A08", sent="20300104120000", **same),
        adt_patient("1", trigger="A08", sent="20300103120000", family="Late"),
    )

    first, second, third = map(patient, site.bundles())
    assert first == second == third


def test_a_late_update_does_not_undo_a_newer_one(site):
    newer = adt_patient("1", trigger="A08", family="Newer", sent="20300102120000")
    older = adt_patient("1", trigger="A08", family="Older", sent="20300101120000")

    site.process(newer, older)

    families = [patient(each)["name"][0]["family"] for each in site.bundles()]
    assert families == ["Newer", "Newer"]


def test_a_merge_notice_retires_the_prior_patient(site):
    site.process(
        adt_patient("1"),
        adt_patient("2", given="Rosie"),
        adt_patient("1", trigger="A40", prior="2", sent="20300102120000"),
    )

    patients = [
        each["resource"]
        for each in site.bundles()[-1]["entry"]
        if each["resource"]["resourceType"] == "Patient"
    ]
    assert sorted(link["type"] for each in patients for link in each["link"]) == [
        "replaced-by", "replaces",
    ]  # fmt: skip


def overlaid(site):
    first = adt_patient("1", address="1 Mill Lane^^Duluth^MN^55802")
    other = adt_patient(
        "1", trigger="A08", family="Okonkwo", given="Bartholomew", birth="19451111",
        sex="M", address="9 Canal Walk^^Boise^ID^83702", sent="20300102120000",
    )  # fmt: skip
    return site.process(first, other, adt_patient("1", trigger="A08", control_id="Z"))


def test_a_record_overwritten_with_another_person_is_held_with_all_behind_it(site):
    overlaid(site)

    [task] = site.tasks()
    assert (str(task.category), task.held) == ("overlay", True)
    assert site.states() == ["processed", "held", "held"]
    assert len(site.sent("his")) == 1


def test_a_decision_releases_what_was_held(site):
    overlaid(site)
    [task] = site.tasks()

    with (
        site.database.engine() as connection,
        SqlPatientIndex(connection, site.sealer) as patients,
    ):
        worklist.decide_task(patients, task.id, Ruling.SAME, ORDER)
    site.run()

    assert site.states() == ["processed"] * 3


def test_a_decision_does_not_release_what_a_person_holds(site):
    overlaid(site)
    [task] = site.tasks()

    with site.database.engine() as connection:
        messages.release(connection, site.sealer, [task.message], ORDER)
        holding.hold(connection, site.sealer, [task.message], ORDER)
    site.run()
    with (
        site.database.engine() as connection,
        SqlPatientIndex(connection, site.sealer) as patients,
    ):
        worklist.decide_task(patients, task.id, Ruling.SAME, ORDER)
    site.run()

    assert site.states() == ["processed", "held", "held"]


def test_a_batch_that_cannot_be_written_leaves_nothing_half_done(site, monkeypatch):
    site.accept(adt_a01())
    writing = site.worker._finish

    def failing(*arguments):
        writing(*arguments)
        raise RuntimeError

    monkeypatch.setattr(Worker, "_finish", lambda self, *given: failing(*given))
    with pytest.raises(RuntimeError):
        site.run()
    monkeypatch.undo()
    assert site.states() == []

    site.run()

    assert site.states() == ["processed"]
    assert len(site.sent("his")) == 1


def test_another_worker_leaves_a_channel_alone_until_its_lease_ends(site):
    other = Worker(site.database, site.worker.lines, lambda: NOON, "other")
    site.process(adt_a01())
    site.accept(adt_a01(header=msh(f10="2")))

    assert other.turn() == 0

    other.clock = lambda: NOON + timedelta(minutes=1)
    assert other.turn() == 1


def test_what_operators_do_is_in_the_audit_chain(site):
    [first] = site.process(visit("XYZ"))

    with site.database.engine() as connection:
        messages.discard(connection, site.sealer, [first], ORDER)

    with site.database.reading() as connection:
        assert audit.verify(connection, site.sealer).fault == ""
        [row] = audit.rows(connection, site.sealer, subject=f"message {first}")
        assert row.act.actor == "operator"


def test_counts_equal_the_tables(site):
    site.process(visit("XYZ", "1", "A"), visit("MED", "1", "B"), adt_a01(number="9"))

    with site.database.reading() as connection:
        found = {
            (each.subject, each.state): each.count for each in queues.counts(connection)
        }
    assert found["message", "error"] == found["message", "held"] == 1
    assert found["message", "processed"] == 1


IDENTITY = """
identity:
  identifiers:
    - from: PID-2[*]
      system: concat("urn:site:", PID-2.4)
  traits:
    phone: ZPD-1
"""


def persons(site):
    return [patient(each)["identifier"][0]["value"] for each in site.bundles()]


def test_a_channel_says_where_identifiers_stand_and_who_assigned_them(tmp_path):
    site = Site(tmp_path, IDENTITY)
    same, other = "PID|1|77^^^A^MR|5^^^HOSP^MR||Doe^Ann", "PID|1|77^^^B^MR|5^^^HOSP^MR"

    site.process(
        er7(msh(f10="1"), same), er7(msh(f10="2"), same),
        er7(msh(f10="3"), f"{other}||Roe^Bartholomew||19450101|M"),
    )  # fmt: skip

    first, second, third = persons(site)
    assert first == second != third
    site.database.close()


AUTHORITIES = """
identity:
  identifiers:
    - from: PID-3[*]
      system: table("service", PID-3.4)
"""


def test_an_authority_without_a_row_is_registered_and_noted(tmp_path):
    site = Site(tmp_path, AUTHORITIES)

    site.process(adt_a01())

    assert site.states() == ["processed"]
    site.database.close()


def test_an_authority_without_a_row_stops_the_message_where_the_channel_says_so(
    tmp_path,
):
    site = Site(tmp_path, AUTHORITIES + "  unknown-authority: hold\n")

    site.process(adt_a01())

    [group] = site.groups()
    assert (group.stage, group.code) == ("identity", "unknown-authority")
    site.database.close()


def test_a_name_that_is_no_trait_refuses_the_configuration(tmp_path):
    with pytest.raises(ConfigurationError, match="'shoe-size' is no trait"):
        Site(tmp_path, "identity:\n  traits:\n    shoe-size: ZPD-1\n")


def test_a_batch_is_committed_piece_by_piece_while_a_delivery_waits(site, monkeypatch):
    committed = []
    site.worker.timer = lambda: 0.0

    def is_wanted():
        committed.append(len(site.states()))
        return True

    monkeypatch.setattr(site.database, "is_wanted", is_wanted)

    numbers = site.process(*(visit("MED", str(number)) for number in range(3)))

    assert committed == [0, 1, 2]  # each of them before the next is finished
    assert [row.message_id for row, _ in site.sent("his")] == numbers


def test_a_batch_goes_on_whole_once_nothing_waits_any_more(site, monkeypatch):
    site.worker.timer = lambda: 0.0
    answers = iter([True])
    monkeypatch.setattr(site.database, "is_wanted", lambda: next(answers, False))

    site.process(*(visit("MED", str(number)) for number in range(12)))

    assert site.states() == ["processed"] * 12
    assert site.worker._piece == 16  # after 1 message, pieces of 4 and 8


def locked(*_):
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    raise OperationalError("SELECT", {}, error)


@pytest.mark.parametrize("again", [False, True])
def test_a_store_that_goes_away_meanwhile_charges_nothing_to_a_message(
    site, monkeypatch, again
):
    if again:
        order(site, *site.process(visit("MED", "1"), visit("MED", "2")))
    else:
        site.accept(visit("MED", "1"), visit("MED", "2"))

    with monkeypatch.context() as broken:
        broken.setattr(SqlPatientIndex, "frequencies", locked)
        broken.setattr(SqlPatientIndex, "known", locked)
        for _ in range(3):  # a death more, and it would be poison
            with pytest.raises(StoreError, match="database is locked"):
                site.worker.turn()
    site.run()

    assert site.states() == ["processed"] * 2


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("is_committed", [False, True])
def test_a_claim_whose_commit_is_lost_charges_nothing_to_a_message(
    site, monkeypatch, again, is_committed
):
    if again:
        order(site, *site.process(visit("MED", "1"), visit("MED", "2")))
    else:
        site.accept(visit("MED", "1"), visit("MED", "2"))
    engine = site.database.engine
    given: list[list[claims.Claimed]] = []
    claim = claims.claim

    @contextmanager
    def losing(**options):
        with engine(**options) as connection:
            yield connection
            if len(given) == 1 and not is_committed:
                raise StoreError("the connection was lost")
        if len(given) == 1:
            raise StoreError("the connection was lost")

    def noting(*asked, **named):
        given.append(claim(*asked, **named))
        return given[-1]

    monkeypatch.setattr(claims, "claim", noting)
    with monkeypatch.context() as broken:
        broken.setattr(site.database, "engine", losing)
        with pytest.raises(StoreError, match="lost"):
            site.worker.turn()
        given.append([])
    site.run()

    deaths = [each.deaths for claimed in given for each in claimed]
    assert deaths == [0] * 4
    assert site.states() == ["processed"] * 2


def order(site, *numbers):
    with site.database.engine() as connection:
        messages.reprocess(connection, site.sealer, numbers, ORDER)


def test_a_piece_is_as_long_as_the_wait_for_it(site, monkeypatch):
    monkeypatch.setattr(site.database, "is_wanted", lambda: True)
    times = iter([0.0, 5.0, 5.0, 6.0, 8.0, 10.0, 10.0, 10.0, 10.0, 10.0])
    seen: list[int] = []
    commit = site.worker._commit
    monkeypatch.setattr(
        Worker, "_commit", lambda _, *given: noted(commit(*given), seen)
    )
    site.worker.timer = lambda: next(times)  # waits 5 s, then 1, 2 and 2 s a message

    site.process(*(visit("MED", str(number)) for number in range(4)))

    assert seen == [3, 1]


def noted(done, seen):
    seen.append(done)
    return done
