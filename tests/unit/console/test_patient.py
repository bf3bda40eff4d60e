"""S7: one person, their sources, what came and went, and who looked."""

import csv
import io
import re

import pytest

from engine.console.permissions import Permission
from engine.console.queries import patient as queries
from engine.identity.decision import Ruling
from engine.identity.enterprise_identifier import handle_of
from engine.identity.person import LinkKind
from engine.store import audit, links, moves, search, worklist
from engine.store.deliveries import Turn, claim_heads
from engine.store.delivery_state import Event
from engine.store.patients import SqlPatientIndex
from engine.store.search import MessageFilter
from tests.hospital import Hospital
from tests.sites import site_with_doubt
from tests.stored import NOON, OPERATOR, ask, end
from tests.web import Web

SEE, PHI = Permission.VIEW_METADATA, Permission.VIEW_PHI
TABS = ("identity", "timeline", "links", "documents", "disclosures", "views")


@pytest.fixture
def site(tmp_path):
    return site_with_doubt(tmp_path)


@pytest.fixture
def web(site):
    return Web(site.database("console"))


def persons(web):
    """Return the persons of the two messages, the older first."""
    rows = ask(web.database, search.messages, web.database.sealer, MessageFilter())
    return [row.person for row in rows][::-1]


def person_of(web, eid):
    with web.app.state.surroundings.directory.open(web.database) as lookup:
        return lookup.search.patients.members(eid)[0]


def called(eid):
    """Return how pages name a person."""
    handle = f'<span class="muted nowrap">{handle_of(eid)}</span>'
    return f'<span class="mono">{eid}</span> {handle}'


def acts(web, action):
    with web.database.reading() as connection:
        rows = audit.rows(connection, web.database.sealer)
    return [row.act for row in rows if row.act.action == action]


def test_every_part_of_a_person_has_an_address_and_is_audited_first(web):
    known, eid = web.signed_in(), persons(web)[0]
    pages = {tab: known.browse(f"/patients/{eid}", f"tab={tab}") for tab in TABS}

    assert {answer.status for answer in pages.values()} == {200}
    family = person_of(web, eid).traits.family
    assert family in pages["identity"].text
    assert "only value" in pages["identity"].text
    assert called(eid) in pages["identity"].text
    assert 'href="/messages/1"' in pages["timeline"].text
    assert '<th scope="row">FHIR</th>' in pages["documents"].text
    assert len(acts(web, "view")) == len(TABS)
    assert "<td>view</td>" in pages["views"].text


def test_a_record_that_its_system_removed_says_so(web):
    hospital = Hospital(web.database)
    hospital.send("31", family="Okoye")
    hospital.send("31", trigger="A29", family="Okoye", sent="20300102120000")
    eid = hospital.person("31")

    page = web.signed_in().browse(f"/patients/{eid}").text

    assert '<span class="muted">HOSP, removed</span></th>' in page
    assert "<td>old</td>" in page


def test_who_assigned_a_number_is_told_by_name_with_the_uri_beside_the_number(web):
    known, eid = web.signed_in(), persons(web)[0]
    key = person_of(web, eid).authority
    bare = known.browse(f"/patients/{eid}").text

    known.app.state.surroundings.directory.spoken[key] = ("GENERAL", "")
    named = known.browse(f"/patients/{eid}").text
    drawn = known.browse(f"/patients/{eid}", "tab=links").text

    assert f"<td>{key}</td>" in bare
    assert f'<td>GENERAL <span class="muted">{key}</span></td>' in named
    assert '<span class="muted">GENERAL</span></th>' in named
    assert ">GENERAL</text>" in drawn
    assert key not in drawn


def test_S11_only_who_may_see_patients_sees_one(web):
    eid = persons(web)[0]
    known = web.signed_in(SEE, Permission.REPLAY)

    assert known.browse(f"/patients/{eid}").status == 403
    assert known.browse("/patients").status == 403
    assert acts(web, "view") == []


def test_whom_there_is_not_is_told_so(web):
    answer = web.signed_in().browse("/patients/NOBODY")

    assert answer.status == 404
    assert "search by name or number" in answer.text


def test_a_confidential_person_is_nobody_to_who_may_not_see_them(web):
    eid = persons(web)[0]
    with web.database.engine() as connection:
        connection.exec_driver_sql("UPDATE person SET confidential = 1")

    assert web.signed_in(SEE, PHI).browse(f"/patients/{eid}").status == 404
    assert web.signed_in().browse(f"/patients/{eid}").status == 200


def test_a_doubt_that_names_somebody_confidential_is_not_told_of_the_other(web):
    open_one, hidden = persons(web)
    with web.database.engine() as connection:
        connection.exec_driver_sql(
            "UPDATE person SET confidential = 1 WHERE eid = ?", (hidden,)
        )
    few, all_of_them = web.signed_in(SEE, PHI), web.signed_in()

    assert "Open doubt" not in few.browse(f"/patients/{open_one}").text
    assert "Open doubt" in all_of_them.browse(f"/patients/{open_one}").text


@pytest.mark.parametrize("by", ["family", "number", "eid", "handle", "nothing"])
def test_a_person_is_found_and_the_question_stands_in_no_address(web, by):
    known, eid = web.signed_in(), persons(web)[0]
    traits = person_of(web, eid).traits
    with web.app.state.surroundings.directory.open(web.database) as lookup:
        number = queries.numbers(lookup.search.patients, eid)[0].identifier.value
    asked = {
        "family": {"family": traits.family, "birthdate": queries.day(traits.birth)},
        "number": {"number": number},
        "eid": {"number": eid},
        "handle": {"number": handle_of(eid)},
        "nothing": {"family": "Nobodyatall", "birthdate": "1961-05-07"},
    }[by]
    place = known.submit("/patients", **asked).headers["location"]
    found = known.browse(*place.split("?"))

    assert re.fullmatch(r"/patients\?q=[\w-]{12}", place)
    assert (f"/patients/{eid}" in found.text) == (by != "nothing")
    assert ("Nobody fits" in found.text) == (by == "nothing")
    assert len(acts(web, "search")) == 1


def test_a_question_that_fits_too_many_says_what_to_add(web):
    known = web.signed_in()
    place = known.submit("/patients", given="A").headers["location"]

    assert known.browse(*place.split("?")).status == 200
    assert 'role="alert"' in known.browse(*place.split("?")).text
    assert known.submit("/patients").headers["location"] == "/patients"
    assert known.browse("/patients", "q=gone").status == 404
    assert "What you type" in known.browse("/patients").text


def test_a_person_merged_away_opens_the_survivor_and_says_by_whom(web):
    known, (stays, goes) = web.signed_in(), persons(web)
    with web.database.engine() as connection:
        index = SqlPatientIndex(connection, web.database.sealer)
        links.merge(
            index, goes, stays, links.at(OPERATOR.now, "kim", LinkKind.MERGE, "same")
        )
        index.flush()
    page = known.browse(f"/patients/{goes}").text

    assert f"{called(goes)} was merged into this person" in page
    assert "by kim: same" in page
    assert (
        'href="/messages/2"' in known.browse(f"/patients/{stays}", "tab=timeline").text
    )
    assert "merge" in known.browse(f"/patients/{stays}", "tab=links").text


def test_disclosures_are_what_went_out_and_what_people_note(site, web):
    known, eid = web.signed_in(), persons(web)[0]
    edge, soon = site.database("edge"), NOON.replace(hour=13)
    with edge.engine() as connection:
        turn = Turn("hospital-adt", "fhir", "edge", NOON, soon)
        [head, *_] = claim_heads(connection, edge.sealer, turn, 9)
    end(edge, head)
    done = known.submit(
        f"/patients/{eid}/disclosures",
        to="Dr. Roe",
        what="discharge letter",
        purpose="treatment",
    )
    refused = known.submit(f"/patients/{eid}/disclosures", to="Dr. Roe")
    rows = list(
        csv.DictReader(io.StringIO(known.get(f"/patients/{eid}/disclosures.csv").text))
    )

    assert (done.status, refused.status) == (303, 422)
    assert {row["to"] for row in rows} == {"Dr. Roe", "fhir"}
    assert [r["by"] for r in rows if r["to"] == "Dr. Roe"] == ["ana"]
    page = known.browse(f"/patients/{eid}", "tab=disclosures").text
    assert "discharge letter" in page
    assert "not stated" in page


def test_a_parked_person_is_released_from_their_page(site, web):
    known, eid = web.signed_in(), persons(web)[0]
    edge = site.database("edge")
    with edge.engine() as connection:
        turn = Turn("hospital-adt", "fhir", "edge", NOON, NOON.replace(hour=13))
        heads = claim_heads(connection, edge.sealer, turn, 9)
    for head in heads:
        end(edge, head, Event.PARK, class_="permanent", code="http-422")
    before = known.browse(f"/patients/{eid}").text
    done = known.submit(f"/patients/{eid}/release", reason="mended")

    assert "Release: send 1 delivery again" in before
    assert done.status == 303
    assert "Parked at" not in known.browse(f"/patients/{eid}").text


def test_words_of_a_source_are_read_by_people(web):
    member = person_of(web, persons(web)[0])
    traits = replace_traits(member.traits)

    assert queries.said("ssn", traits) == "ends in 6789"
    assert queries.said("birth facts", traits) == "birth order 2 multiple birth"
    assert queries.said("death", traits) == "2029-01-02"


def replace_traits(traits):
    return traits._replace(ssn="123456789", order="2", multiple="Y", death="20290102")


def test_a_damaged_note_is_shown_as_it_is():
    assert queries._noted("(does not open)")[1] == "(does not open)"


def joined(web):
    """Return the one person that the two records were decided to be."""
    with web.database.engine() as connection:
        index = SqlPatientIndex(connection, web.database.sealer)
        worklist.decide_task(index, 1, Ruling.SAME, OPERATOR)
        index.flush()
        found = worklist.shown(index, 1)
        return moves.person_of(connection, found.record), found.record


def test_a_record_is_looked_at_taken_off_and_brought_back(web):
    known, (eid, record) = web.signed_in(), joined(web)
    preview = known.browse(f"/patients/{eid}", f"tab=links&unlink={record}").text
    silent = known.submit(f"/patients/{eid}/unlink", number=record, reason=" ")

    done = known.submit(f"/patients/{eid}/unlink", number=record, reason="two people")
    parted = set(persons_today(web))
    again = known.submit(f"/patients/{eid}/unlink", number=record, reason="again")
    with web.database.reading() as connection:
        event = links.history(connection, [record])[-1].number
    [other] = parted - {eid}
    undone = known.submit(f"/patients/{other}/undo", number=event, reason="a slip")

    assert f"If you take record {record} off this person" in preview
    assert "holds 1 record" in preview
    assert (silent.status, done.status, again.status) == (409, 303, 409)
    assert len(parted) == 2
    assert undone.status == 303
    assert len(set(persons_today(web))) == 1


def persons_today(web):
    with web.database.reading() as connection:
        return list(connection.exec_driver_sql("SELECT person FROM record").scalars())


def test_a_move_that_is_not_possible_is_said_so(web):
    known, (eid, record) = web.signed_in(), joined(web)
    few = web.signed_in(SEE, PHI)

    text = known.browse(f"/patients/{eid}", "tab=links&undo=999").text
    assert "Nothing is left to take back" in text
    assert known.submit(f"/patients/{eid}/undo", number=999, reason="x").status == 409
    assert known.submit(f"/patients/{eid}/burn", number=1, reason="x").status == 404
    seen = few.browse(f"/patients/{eid}", f"tab=links&unlink={record}").text
    assert "If you take" not in seen
    assert "Take a record off" not in seen
    blind = web.signed_in(SEE, Permission.WORK_IDENTITY)
    refused = blind.submit(f"/patients/{eid}/unlink", number=record, reason="x")
    assert refused.status == 403


def test_a_persons_record_is_given_out_as_fhir_and_csv_and_that_is_audited(web):
    known, (eid, _) = web.signed_in(), joined(web)

    bundle = known.get(f"/patients/{eid}/record.json")
    table = known.get(f"/patients/{eid}/record.csv")

    kinds = [each["resource"]["resourceType"] for each in bundle.json()["entry"]]
    assert bundle.headers["content-type"] == "application/fhir+json"
    assert (kinds[0], kinds.count("Patient")) == ("Patient", 1)
    assert "Encounter" in kinds
    urls = {each["fullUrl"] for each in bundle.json()["entry"]}
    assert bundle.json()["entry"][0]["fullUrl"] in urls
    assert b"urn:interop:patient" not in bundle.body
    rows = list(csv.DictReader(io.StringIO(table.text)))
    best = {row["field"]: row["rule"] for row in rows if row["source"] == "best value"}
    assert best["Name"]
    assert {row["record"] for row in rows} >= {"1"}
    assert [each.detail for each in acts(web, "export")] == ["csv", "json"]
    assert known.get(f"/patients/{eid}/record.xml").status == 404
