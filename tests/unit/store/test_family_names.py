"""Family names: kept with records, changed with them, found with stars."""

import pytest
from sqlalchemy import text

from engine.identity.criteria import Criteria
from engine.identity.matching import keys_of
from engine.identity.traits import Traits
from engine.store import schema_version
from engine.store.database import open_database
from engine.store.dialect import SCHEMAS, SqliteFiles
from engine.store.family_names import holders, key_of
from engine.store.name_lists import NameList, Names
from engine.store.patients import SqlPatientIndex, shipped
from engine.store.person_search import MOST_COMPARED, Search
from engine.store.seal import Sealer
from tests.databases import BOTH, KEY, empty_database
from tests.hospital import Hospital

LATER = {"trigger": "A08", "sent": "20300102120000"}


def like(database, names, wanted):
    with database.reading() as connection:
        return list(names.family.like(connection, database.sealer, wanted))


def test_names_that_come_later_are_found_too(tmp_path):
    hospital, names = Hospital(empty_database("sqlite", tmp_path)), Names()
    hospital.send("1", family="Smith")
    assert like(hospital.database, names, "smi*") == ["smith"]

    hospital.send("2", family="Smithers")
    hospital.send("3", family="Smith", given="Bob", birth="19440404")

    assert like(hospital.database, names, "smi*") == ["smith", "smithers"]
    assert like(hospital.database, names, "*hers") == ["smithers"]
    assert like(hospital.database, names, "x*") == []


def test_a_changed_name_leads_no_more_to_its_record(tmp_path):
    hospital = Hospital(empty_database("sqlite", tmp_path))
    hospital.send("1", family="Smith")
    number = hospital.record("1").number

    hospital.send("1", family="Jones", trigger="A08", sent="20300102120000")

    with hospital.database.reading() as connection:
        sealer = hospital.database.sealer
        found = {
            name: list(holders(connection, key_of(sealer, name), 10))
            for name in ("smith", "jones")
        }
    assert found == {"smith": [], "jones": [[number]]}


def test_names_are_readable_nowhere(tmp_path):
    hospital = Hospital(empty_database("sqlite", tmp_path))
    hospital.send("1", family="Smith")

    assert "smith" not in hospital.readable("family_name")
    assert "smith" not in hospital.readable("family_record")


def test_an_older_store_is_prepared_when_it_is_opened(tmp_path):
    sealer, backend = Sealer(KEY), SqliteFiles(tmp_path, create=True)
    for schema, revision in zip(SCHEMAS, ("0004", "0005"), strict=True):
        with backend.engine.begin() as connection:
            backend.prepare(connection)
            schema_version.migrate(connection, schema, sealer, revision)
    with backend.engine.begin() as connection:
        connection.execute(text("INSERT INTO engine.authority VALUES (1, 'HOSP', 0)"))
        people = [("doe", "ordinary"), ("doe", "ordinary"), ("", "ordinary")]
        for number, (family, kind) in enumerate([*people, ("x", "test")], 1):
            first_name = "ann" if family else ""
            traits = Traits(first_name, family=family, birth="19800229", kind=kind)
            packed = traits.packed().encode()
            connection.execute(
                text(
                    "INSERT INTO engine.record (id, person, authority, kind, happened, "
                    "message, identifying, traits) "
                    "VALUES (:id, 'P', 1, :kind, '', 1, x'00', :traits)"
                ),
                {"id": number, "kind": kind,
                 "traits": sealer.seal(packed, f"record|{number}")},
            )  # fmt: skip
    for schema, revision in zip(SCHEMAS, ("0005", "0029"), strict=True):
        with backend.engine.begin() as connection:
            backend.prepare(connection)
            schema_version.migrate(connection, schema, sealer, revision)
    with backend.engine.begin() as connection:
        damage = "UPDATE engine.record SET traits = x'00' WHERE id = 3"
        connection.execute(text(damage))
    backend.close()

    store = open_database(f"sqlite:///{tmp_path}", KEY)
    with store.reading() as connection:
        found = list(holders(connection, key_of(store.sealer, "doe"), 1))
        index = SqlPatientIndex(connection, store.sealer)
        first = next(index.everyone())
        alike = index.candidates(keys_of(first.traits, index, shipped()))
        given = list(NameList("given").like(connection, store.sealer, "*"))
    names = like(store, Names(), "*o*")
    store.close()

    assert found == [[1], [2]]
    assert [each.number for each in alike] == [1, 2]
    assert names == ["doe"]
    assert given == ["ann"]


def test_a_question_that_opens_too_many_records_is_too_broad(tmp_path, monkeypatch):
    hospital = Hospital(empty_database("sqlite", tmp_path))
    for number in range(4):
        who = {"given": f"Bob{number}", "birth": f"194{number}0101"}
        hospital.send(str(number), family="Smith", **who)
    monkeypatch.setattr("engine.store.person_search.MOST_COMPARED", 3)
    monkeypatch.setattr("engine.store.person_search._PAGE", 2)

    def page(count=5, **wanted):
        with hospital.database.reading() as connection:
            index = SqlPatientIndex(connection, hospital.database.sealer)
            search = Search(index, shipped(), Names())
            return search.page(Criteria({"family": "smi*", **wanted}), 0, count)

    assert page(city="x*").too_broad
    assert page(given="bob*").too_broad
    few = page(given="bob*", count=2)
    assert [len(few.found), few.too_broad] == [2, False]
    assert MOST_COMPARED > 3


@pytest.mark.parametrize("database", BOTH)
def test_beginnings_of_both_names_open_only_who_may_fit(
    database, tmp_path, monkeypatch
):
    hospital = Hospital(empty_database(database, tmp_path))
    for number, given in enumerate(["Joan", "Ann", "Zoe", "Carl", "Johanna"], 1):
        who = {"given": given, "birth": f"194{number}0101"}
        hospital.send(str(number), family="Smith", **who)
    hospital.send("6", family="Jones", given="Joan", birth="19460101")
    hospital.send("2", family="Smith", given="Jody", **LATER, birth="19420101")
    monkeypatch.setattr("engine.store.person_search.MOST_COMPARED", 4)
    names = Names()

    def found(family, given):
        with hospital.database.reading() as connection:
            index = SqlPatientIndex(connection, hospital.database.sealer)
            wanted = Criteria({"family": family, "given": given})
            page = Search(index, shipped(), names).page(wanted, 0, 5)
        return sorted(each.record.traits.given for each in page.found)

    assert found("smi*", "jo*") == ["joan", "jody", "johanna"]
    assert found("smith", "jo*") == ["joan", "jody", "johanna"]
    assert found("smi*", "joan") == ["joan"]
    assert found("*", "jo*") == []
    assert found("smi*", "x*") == []


def test_hidden_persons_do_not_count_among_those_who_were_compared(
    tmp_path, monkeypatch
):
    hospital = Hospital(empty_database("sqlite", tmp_path))
    protected = ("PD1" + "|" * 12 + "Y",)
    for number in range(3):
        who = {"given": f"Xara{number}", "birth": f"194{number}0101"}
        hospital.send(str(number), family="Smith", about=protected, **who)
    hospital.send("4", family="Smith", given="Bob", birth="19600101")
    hospital.send("5", family="Smith", given="Bo", birth="19700101", about=protected)
    monkeypatch.setattr("engine.store.person_search.MOST_COMPARED", 3)

    def page(confidential):
        with hospital.database.reading() as connection:
            index = SqlPatientIndex(connection, hospital.database.sealer)
            search = Search(index, shipped(), Names(), confidential)
            grown = Criteria({"family": "smi*"}, born=("19600101", ""))
            return search.page(grown, 0, 5)

    assert page(confidential=True).too_broad
    assert [each.record.traits.given for each in page(confidential=False).found] == [
        "bob"
    ]


def test_of_many_the_older_come_first_and_pages_agree(tmp_path, monkeypatch):
    hospital = Hospital(empty_database("sqlite", tmp_path))
    for number in range(5):
        who = {"given": f"Bob{number}", "birth": f"194{number}0101"}
        hospital.send(str(number), family="Smith", **who)
    monkeypatch.setattr("engine.store.person_search.SORTED", 1)

    seen, start, more = [], 0, True
    while more:
        with hospital.database.reading() as connection:
            index = SqlPatientIndex(connection, hospital.database.sealer)
            search = Search(index, shipped(), Names())
            page = search.page(Criteria({"family": "smith"}), start, 2)
        seen += [each.record.number for each in page.found]
        start, more = start + 2, page.more
        assert page.total is None

    assert seen == sorted(seen)
    assert len(seen) == 5
