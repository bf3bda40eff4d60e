"""PIX and PDQ over MLLP: the real listener, accept loop, journal and index in memory.

Spec:
    identity.md 11 (ITI-9, ITI-21, ITI-22) and 14 (M10, M20).
"""

from dataclasses import replace
from datetime import timedelta

import hl7
import orjson
import pytest
from hl7apy.parser import parse_message
from sqlalchemy import update
from twisted.internet.defer import Deferred, execute

from engine.channels.format.channel import Query
from engine.channels.format.load import Site, load_site
from engine.channels.queries import answering
from engine.channels.queries.answering import Answering, Pointers, Rest
from engine.channels.queries.directory import Directory
from engine.errors import EngineError
from engine.hl7 import parse
from engine.hl7.framing import enclose
from engine.identity.registration import Assigner
from engine.store import audit
from engine.store.patient_tables import person
from engine.store.patients import shipped
from engine.store.resources import KnownResource
from engine.store.resources import store as keep
from tests.databases import empty_database
from tests.hospital import Hospital
from tests.listening import Peer, adt, answers
from tests.sites import site_at
from tests.stored import NOON

OID = "1.2.3.4"
ASSIGNERS = {"CLINIC": Assigner(f"urn:oid:{OID}"), OID: Assigner(f"urn:oid:{OID}")}
HOME = "12 Elm St^^Salem^OR^97301"
PEOPLE = [
    ("Smith", "Bob", "19600101", "M"),
    ("Smith", "Ann", "19610615", "F"),
    ("Smithson", "Al", "19600101", "M"),
    ("Müller", "Eva", "19700704", "F"),
]


def no_site() -> Site:
    raise AssertionError("the directory is there already")


class Asker(Peer):
    """A peer of a listener that answers from the index of one store."""

    def __init__(self, database, query=None, **options):
        super().__init__(**options)
        query = query or Query(answer=("pix", "pdq"))
        self.intake.channel = replace(self.intake.channel, query=query)
        directory = Directory(
            "here",
            "urn:id:here",
            shipped(),
            ASSIGNERS,
            {f"urn:oid:{OID}": ("CLINIC", OID)},
        )
        self.now = NOON
        self.answering = Answering(database, no_site, lambda: self.now, str)
        self.answering.new_control_id = lambda: "R1"
        self.answering._directories[self.intake.channel.revision] = directory
        self.intake.answering = lambda *asked: execute(self.answering.answer, *asked)
        self.number = 0

    def ask(self, event, *segments, **fields):
        """Send one query; return its answer as our own parser reads it."""
        self.number += 1
        body = "".join(f"{each}\r" for each in segments)
        kind = {"J01": "QCN^J01^QCN_J01"}.get(event, f"QBP^{event}^QBP_Q21")
        data = adt(f"Q{self.number}", body=body, f9=kind, **fields)
        before = len(answers(self.sent))
        self.hear(enclose(data))
        [answer] = answers(self.sent)[before:]
        text = answer.decode()
        assert str(hl7.parse(text).segment("MSA")[2]) == f"Q{self.number}"
        read = parse_message(text, find_groups=False)
        assert read.msa.msa_2.value == f"Q{self.number}"
        return parse(answer)

    def pix(self, source, wanted=""):
        return self.ask(
            "Q23", f"QPD|IHE PIX Query|T{self.number}|{source}|{wanted}", "RCP|I"
        )

    def pdq(self, asked, *more, domains="", limit=""):
        qpd = f"QPD|IHE PDQ Query|T|{asked}|||||{domains}"
        return self.ask("Q22", qpd, f"RCP|I|{limit}", *more)


def told(answer):
    """Return MSA-1 and QAK-2, with the places and codes of its errors."""
    errors = [(e.raw(2), e.text(3)) for e in answer.all("ERR")]
    return answer["MSA-1"], answer["QAK-2"], *errors


def numbers(answer):
    """Return the values of PID-3, those of the index itself left out."""
    return sorted(
        each.text()
        for pid in answer.all("PID")
        for each in pid.repetitions(3)
        if each.text(5) != "EI"
    )


def names(answer):
    return sorted(f"{p.text(5, 2)} {p.text(5)}" for p in answer.all("PID"))


@pytest.fixture
def hospital(tmp_path):
    database = empty_database("sqlite", tmp_path, role="edge")
    return Hospital(database, replace(Hospital(database).reading, assigners=ASSIGNERS))


@pytest.fixture
def asker(hospital):
    return Asker(hospital.database)


@pytest.fixture
def known(hospital):
    """One person with numbers of three authorities."""
    for authority in ("HOSP", "CLINIC", "LAB"):
        number = f"{authority[0]}1"
        hospital.send(number, authority=authority, address=HOME, family="Doe")


@pytest.fixture
def town(hospital):
    for number, (family, given, birth, sex) in enumerate(PEOPLE):
        who = {"family": family, "given": given, "birth": birth, "sex": sex}
        hospital.send(str(number), address=HOME, phone=f"503555010{number}", **who)


# ---- PIX


@pytest.mark.usefixtures("known")
def test_M10_pix_gives_the_other_numbers(asker):
    answer = asker.pix("H1^^^HOSP")

    assert told(answer) == ("AA", "OK")
    assert numbers(answer) == ["C1", "L1"]
    assert answer["PID-5.7"] == "S"
    assert answer["MSH-9.3"] == "RSP_K23"
    assert answer["QAK-1"] == answer["QPD-2"] == "T0"


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("source", "wanted", "found"),
    [
        ("H1^^^HOSP", "^^^LAB", ["L1"]),
        ("H1^^^HOSP", f"^^^&{OID}&ISO", ["C1"]),
        ("H1^^^HOSP", "^^^CLINIC~^^^LAB", ["C1", "L1"]),
        (f"C1^^^&{OID}&ISO", "^^^HOSP", ["H1"]),
        ("C1^^^CLINIC^MR", "", ["H1", "L1"]),
    ],
)
def test_M10_pix_gives_only_the_domains_asked_for(asker, source, wanted, found):
    answer = asker.pix(source, wanted)

    assert (told(answer), numbers(answer)) == (("AA", "OK"), found)


@pytest.mark.usefixtures("known")
def test_M10_a_number_is_written_with_the_authority_of_the_code_table(asker):
    answer = asker.pix("H1^^^HOSP", "^^^CLINIC")

    assert answer.first("PID").raw(3) == f"C1^^^CLINIC&{OID}&ISO^MR"


@pytest.mark.usefixtures("known")
def test_a_number_that_its_system_removed_is_neither_told_nor_known(hospital, asker):
    hospital.send("C1", authority="CLINIC", trigger="A29", sent="20300102120000")

    others, own = asker.pix("H1^^^HOSP"), asker.pix("C1^^^CLINIC")

    assert (told(others), numbers(others)) == (("AA", "OK"), ["L1"])
    assert told(own) == ("AE", "AE", ("QPD^1^3^1^1", "204"))


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("source", "wanted", "place"),
    [
        ("H9^^^HOSP", "", "QPD^1^3^1^1"),
        ("H1^^^NOWHERE", "", "QPD^1^3^1^4"),
        ("H1", "", "QPD^1^3^1^4"),
        ("H1^^^HOSP", "^^^NOWHERE", "QPD^1^4^1"),
        ("H1^^^HOSP", "^^^LAB~^^^NOWHERE", "QPD^1^4^2"),
    ],
)
def test_M10_pix_names_the_place_of_what_it_does_not_know(asker, source, wanted, place):
    assert told(asker.pix(source, wanted)) == ("AE", "AE", (place, "204"))


def test_M10_a_person_without_other_numbers_is_an_answer_of_none(hospital, asker):
    hospital.send("77")

    answer = asker.pix("77^^^HOSP", "^^^HOSP")

    assert told(answer) == ("AA", "NF")
    assert answer.first("PID") is None


def test_M10_the_numbers_of_a_possible_match_are_never_given(hospital, asker):
    hospital.send("H1", address=HOME)
    doubt = hospital.send("L1", authority="LAB", address=HOME, given="Bea")
    assert doubt.enterprise_id != hospital.person("H1")

    assert numbers(asker.pix("H1^^^HOSP")) == []


def test_M08_a_retired_number_leads_to_the_survivor(hospital, asker):
    old = hospital.send("1").enterprise_id
    new = hospital.send("2", family="Roe", given="Eve", birth="19700101").enterprise_id
    hospital.move("merge", source=old, target=new)

    found = asker.pix("1^^^HOSP")

    assert (told(found), numbers(found)) == (("AA", "OK"), ["2"])
    assert new in found.first("PID").raw(3)


def test_a_channel_answers_for_its_domains_only(hospital, known):
    asker = Asker(hospital.database, Query(answer=("pix",), domains=("HOSP", "LAB")))

    assert numbers(asker.pix("H1^^^HOSP")) == ["L1"]
    assert told(asker.pix("C1^^^CLINIC")) == ("AE", "AE", ("QPD^1^3^1^4", "204"))
    assert told(asker.pdq("@PID.5.1^Doe")) == ("AR", "AR", ("MSH^1^9", "201"))


@pytest.mark.parametrize(
    ("segments", "place"),
    [
        ([], "QPD^1"),
        (["QPD|IHE PIX Query|T"], "QPD^1^3"),
        (["QPD|Q|T|^^^HOSP"], "QPD^1^3"),
    ],
)
def test_M10_a_query_without_a_question_is_an_error(asker, segments, place):
    assert told(asker.ask("Q23", *segments)) == ("AE", "AE", (place, "101"))


# ---- PDQ


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("@PID.5.1^Smith", ["Ann Smith", "Bob Smith"]),
        ("@PID.5.1.1^SMI*", ["Al Smithson", "Ann Smith", "Bob Smith"]),
        ("@PID.5.1^*son", ["Al Smithson"]),
        ("@PID.5.1^Smi*~@PID.5.2^A*", ["Al Smithson", "Ann Smith"]),
        ("@PID.5.1^smi*~@PID.7^19600101", ["Al Smithson", "Bob Smith"]),
        ("@PID.7.1^19600101~@PID.8^M", ["Al Smithson", "Bob Smith"]),
        ("@PID.7^1960*~@PID.5.1^s*", ["Al Smithson", "Bob Smith"]),
        ("@PID.13^(503)555-0103", ["Eva Muller"]),
        ("@PID.5.1^m*~@PID.11.1^12 Elm Street~@PID.11.5^97301", ["Eva Muller"]),
        ("@PID.3.1^2~@PID.3.4^HOSP", ["Al Smithson"]),
        ("@PID.3.1^2~@PID.3.4.1^HOSP~@PID.5.1^Smith", []),
        ("@PID.3.1^2~@PID.3.4.2^9.9.9~@PID.3.4.3^ISO", []),
        ("@PID.5.1^Nobody", []),
    ],
)  # fmt: skip
def test_M10_pdq_finds_who_fits(asker, asked, found):
    answer = asker.pdq(asked)

    assert told(answer) == ("AA", "OK" if found else "NF")
    assert names(answer) == found
    assert answer["QAK-4"] == str(len(found))
    assert len(answer.all("QRI")) == len(found)


@pytest.mark.usefixtures("town")
def test_M10_the_score_tells_how_likely_a_person_is_meant(asker):
    vague = asker.pdq("@PID.5.1^Smith")
    clear = asker.pdq("@PID.5.1^Smith~@PID.5.2^Bob~@PID.7^19600101~@PID.8^M")
    sure = asker.pdq("@PID.3.1^0~@PID.3.4^HOSP")

    assert int(vague["QRI-1"]) < 50 < int(clear["QRI-1"]) <= int(sure["QRI-1"]) == 100


@pytest.mark.usefixtures("town")
def test_M10_a_long_answer_is_continued_until_it_is_whole(asker):
    asked = "@PID.5.1^Smi*"
    first = asker.pdq(asked, limit="2^RD")
    pointer = first["DSC-1"]
    second = asker.pdq(asked, f"DSC|{pointer}|I", limit="2^RD")

    assert [first[f"QAK-{n}"] for n in (4, 5, 6)] == ["3", "2", "1"]
    assert [second[f"QAK-{n}"] for n in (4, 5, 6)] == ["3", "1", "0"]
    assert first["DSC-2"] == "I"
    assert second.first("DSC") is None
    assert sorted(names(first) + names(second)) == [
        "Al Smithson",
        "Ann Smith",
        "Bob Smith",
    ]
    assert second["PID-1"] == "3"


@pytest.mark.usefixtures("town")
def test_M10_a_cancelled_query_is_continued_no_more(asker):
    asked = "@PID.5.1^Smi*"
    pointer = asker.pdq(asked, limit="1")["DSC-1"]
    other = asker.ask("J01", "QID|OTHER|IHE PDQ Query")
    going_on = asker.pdq(asked, f"DSC|{pointer}|I", limit="1")

    ended = asker.ask("J01", "QID|T|IHE PDQ Query")

    assert (other["MSA-1"], told(going_on)) == ("AA", ("AA", "OK"))
    assert (ended["MSA-1"], ended["MSH-9"]) == ("AA", "ACK")
    assert told(asker.pdq(asked, f"DSC|{pointer}|I")) == (
        "AE",
        "AE",
        ("DSC^1^1", "204"),
    )
    assert asker.ask("J01")["MSA-1"] == "AA"


@pytest.mark.usefixtures("town")
def test_M10_a_pointer_is_good_for_its_query_its_asker_and_a_while(hospital, asker):
    pointer = asker.pdq("@PID.5.1^Smi*", limit="1")["DSC-1"]
    refused = ("AE", "AE", ("DSC^1^1", "204"))

    other = Asker(hospital.database, host="10.0.0.2")
    other.answering = asker.answering

    assert told(asker.pdq("@PID.5.1^Sm*", f"DSC|{pointer}|I")) == refused
    assert told(other.pdq("@PID.5.1^Smi*", f"DSC|{pointer}|I")) == refused
    asker.now += timedelta(minutes=11)
    assert told(asker.pdq("@PID.5.1^Smi*", f"DSC|{pointer}|I")) == refused


def test_of_too_many_pointers_the_oldest_is_forgotten(monkeypatch):
    monkeypatch.setattr(answering, "MOST_POINTERS", 2)
    pointers = Pointers()
    kept = [pointers.keep(Rest("a", "T", "Q", n, NOON)) for n in range(3)]

    assert [pointers.find(each, "a", NOON) is None for each in kept] == [
        True,
        False,
        False,
    ]


@pytest.mark.usefixtures("town")
def test_M10_pdq_gives_only_the_domains_asked_for(asker):
    answer = asker.pdq("@PID.5.1^Smithson", domains="^^^HOSP")

    assert answer.first("PID").raw(3) == "2^^^HOSP^MR"
    unknown = asker.pdq("@PID.5.1^Smithson", domains="^^^HOSP~^^^NOWHERE")
    assert told(unknown) == ("AE", "AE", ("QPD^1^8^2", "204"))


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("", ("QPD^1^3", "101")),
        ("@PID.5.1^", ("QPD^1^3", "101")),
        ("@PID.5.1^*", ("QPD^1^3^1", "102")),
        ("@PID.5.1^***", ("QPD^1^3^1", "102")),
        ("@PID.5.2^Bob~@PID.5.1^'", ("QPD^1^3^2", "102")),
        ("@PID.5.2^Bob", ("QPD^1^3", "207")),
        ("@PID.8^F", ("QPD^1^3", "207")),
        ("@PID.7^1960", ("QPD^1^3", "207")),
        ("@PID.6.1^Smith", ("QPD^1^3^1", "207")),
        ("@ZZZ^Smith", ("QPD^1^3^1", "207")),
        ("@PID.5.1^Smith~@PID.5.1.1^Smith", ("QPD^1^3^2", "102")),
        ("@PID.11.1^*", ("QPD^1^3^1", "102")),
        ("@PID.3.1^2", ("QPD^1^3", "204")),
        ("~".join(f"@PID.{n}^x" for n in range(50)), ("QPD^1^3^41", "102")),
        ("~" * 10_000 + "@PID.5.1^x", ("QPD^1^3^2", "102")),
        ("@PID.5.1^" + "a*" * 5_000 + "!", ("QPD^1^3^1", "102")),
    ],
)
def test_hostile_and_unanswerable_queries_are_refused_at_their_place(
    asker, asked, error
):
    answer = asker.pdq(asked)

    assert told(answer) in {("AE", "AE", error), ("AA", "NF")}
    assert answer.first("PID") is None
    assert "Smith" not in " ".join(each.encoded for each in answer.all("ERR"))


@pytest.mark.usefixtures("town")
def test_an_asker_with_delimiters_of_its_own_is_understood(asker):
    data = (
        "MSH!@*%$!REG!GEN!!!2030!!QBP@Q22@QBP_Q21!Q9!P!2.5.1\r"
        "QPD!IHE PDQ %F% Query!T!PID.5.1@Smith\r"
    )
    asker.hear(enclose(data.encode()))

    answer = parse(answers(asker.sent)[0])

    assert answer["MSA-2"] == "Q9"
    [qpd] = answer.all("QPD")
    assert (qpd.raw(1), qpd.raw(3)) == ("IHE PDQ ! Query", "PID.5.1^Smith")
    assert names(answer) == ["Ann Smith", "Bob Smith"]


def test_M20_confidential_persons_are_absent(hospital, asker, known):
    with hospital.database.engine() as connection:
        connection.execute(update(person).values(confidential=1))

    assert told(asker.pix("H1^^^HOSP")) == ("AE", "AE", ("QPD^1^3^1^1", "204"))
    assert told(asker.pdq("@PID.5.1^Doe")) == ("AA", "NF")
    assert told(asker.pdq("@PID.3.1^H1~@PID.3.4^HOSP")) == ("AA", "NF")


def test_every_query_is_audited_with_who_was_in_the_answer(hospital, asker, known):
    asker.pix("H1^^^HOSP")
    asker.pdq("@PID.5.1^Doe")
    asker.pdq("@PID.5.1^Nobody")

    with hospital.database.reading() as connection:
        rows = audit.rows(connection, hospital.database.sealer)
    assert [each.act.action for each in rows] == ["query.pdq", "query.pdq", "query.pix"]
    assert {each.act.actor for each in rows} == {"adt 10.0.0.1"}
    eid = hospital.person("H1")
    assert [eid in each.act.detail for each in rows] == [False, True, True]


def test_S18_without_its_audit_row_nobody_is_shown(hospital, asker, known, monkeypatch):
    def refused(*_):
        raise EngineError("the store could not commit")

    monkeypatch.setattr(audit, "write", refused)

    answer = asker.pdq("@PID.5.1^Doe")

    assert told(answer) == ("AE", "AE", ("", "207"))
    assert answer.first("PID") is None


def test_what_is_no_query_is_refused_by_a_listener_of_queries(asker):
    asker.hear(enclose(adt("M1")))

    answer = parse(answers(asker.sent)[0])

    assert (answer["MSA-1"], answer["MSA-2"], answer["ERR-3"]) == ("AR", "M1", "200")
    assert asker.journalled


@pytest.mark.usefixtures("known")
def test_in_enhanced_mode_the_answer_follows_the_accept_answer(asker):
    body = "QPD|IHE PIX Query|T|H1^^^HOSP\rRCP|I\r"
    data = adt("Q1", body=body, f9="QBP^Q23^QBP_Q21", f15="AL", f16="AL")

    slow: Deferred[None] = Deferred()
    index = asker.intake.answering
    asker.intake.answering = lambda *asked: slow.addCallback(lambda _: index(*asked))
    asker.hear(enclose(data))
    slow.callback(None)

    first, second = map(parse, answers(asker.sent))
    assert (first["MSA-1"], second["MSA-1"]) == ("CA", "AA")
    assert numbers(second) == ["C1", "L1"]


def test_visits_come_with_the_person(hospital, asker, known):
    visit = {
        "fullUrl": "urn:uuid:1",
        "found_by": {},
        "resource": {
            "resourceType": "Encounter",
            "class": {"code": "EMER"},
            "identifier": [{"value": "V7"}],
            "period": {"start": "2030-01-02T03:04:05-05:00", "end": "2030-01-03"},
        },
    }
    database = hospital.database
    number = hospital.record("H1").number
    kept = KnownResource("Encounter", "x", orjson.dumps(visit), number)
    with database.engine() as connection:
        keep(connection, database.sealer, [kept])

    answer = asker.ask("ZV1", "QPD|IHE PDVQ Query|T|@PID.5.1^Doe", "RCP|I")

    assert answer["MSH-9.2"] == "ZV2"
    assert [answer[f"PV1-{n}"] for n in (2, 19, 44, 45)] == [
        "E",
        "V7",
        "20300102030405-0500",
        "20300103",
    ]


def test_the_configuration_is_read_once_for_a_revision(hospital, tmp_path):
    (tmp_path / "here").mkdir()
    read = []

    def site():
        read.append(1)
        return load_site(site_at(tmp_path / "here").config, variables={})

    asker = Asker(hospital.database)
    asker.answering.site = site
    asker.answering._directories.clear()

    assert told(asker.pdq("@PID.5.1^Doe")) == ("AA", "NF")
    assert told(asker.pdq("@PID.5.1^Doe")) == ("AA", "NF")
    assert read == [1]
