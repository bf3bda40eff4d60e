"""The FHIR side of the patient index, asked as a program asks it."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.parameters import Parameters
from fhir.resources.R4B.patient import Patient
from sqlalchemy import text, update

from engine.console import exchange
from engine.console.fhir_api.match import GRADE
from engine.console.permissions import Permission
from engine.store import audit
from engine.store.patient_tables import person
from tests.databases import BOTH, empty_database
from tests.hospital import Hospital
from tests.web import SITE, Lines, Web

HOME = "12 Elm St^^Salem^OR^97301"
EID = SITE.identity_system
ANN = {"family": "Doe", "given": "Ann", "birth": "19800229", "sex": "F"}


each_database = pytest.mark.parametrize("hospital", BOTH, indirect=True)


@pytest.fixture
def hospital(request, tmp_path):
    kind = getattr(request, "param", "sqlite")
    return Hospital(empty_database(kind, tmp_path, role="worker"))


@pytest.fixture
def web(hospital):
    return Web(hospital.database).allowed(Permission.VIEW_PHI, Permission.VIEW_METADATA)


def bundle(answer):
    """Return the resources of a searchset that FHIR's own models take."""
    assert (answer.status, answer.headers["content-type"]) == (
        200,
        "application/fhir+json",
    ), answer.body
    Bundle.model_validate_json(answer.body)
    return [
        (each["resource"], each["search"]) for each in answer.json().get("entry", [])
    ]


def acts(hospital, action):
    with hospital.database.reading() as connection:
        rows = audit.rows(connection, hospital.database.sealer)
    return [row.act for row in rows if row.act.action == action]


def refusal(answer):
    OperationOutcome.model_validate_json(answer.body)
    return answer.status, answer.json()["issue"][0]["code"]


def asked(**demographics):
    given = {**ANN, **demographics}
    patient = {
        "resourceType": "Patient",
        "name": [{"family": given["family"], "given": [given["given"]]}],
        "birthDate": "-".join(
            (given["birth"][:4], given["birth"][4:6], given["birth"][6:])
        ),
        "gender": {"F": "female", "M": "male"}[given["sex"]],
        "address": [
            {
                "line": ["12 Elm St"],
                "city": "Salem",
                "state": "OR",
                "postalCode": "97301",
            }
        ],
    }
    return {"name": "resource", "resource": patient}


def match(web, *parameters, **demographics):
    listed = [asked(**demographics), *parameters]
    return web.post(
        "/fhir/Patient/$match", {"resourceType": "Parameters", "parameter": listed}
    )


def hide(hospital, eid):
    with hospital.database.engine() as connection:
        row = update(person).where(person.c.eid == eid)
        connection.execute(row.values(confidential=1))


def index_of(hospital):
    """Return every row of the index, as text."""
    names = "record identifier person block name_count link_event task decision"
    with hospital.database.reading() as connection:
        return [
            connection.execute(text(f"SELECT * FROM engine.{name}")).all()  # noqa: S608
            for name in names.split()
        ]


# ---- $match


@each_database
def test_match_finds_the_person_and_is_certain_when_alone(hospital, web):
    eid = hospital.send("1", address=HOME, **ANN).enterprise_id
    hospital.send(
        "2", address=HOME, family="Doe", given="Bob", birth="19750101", sex="M"
    )

    [(patient, search)] = bundle(match(web))

    assert patient["id"] == eid
    assert patient["identifier"][0] == {
        "use": "official",
        "type": patient["identifier"][0]["type"],
        "system": EID,
        "value": eid,
    }
    assert patient["identifier"][1]["assigner"] == {"display": "HOSP"}
    assert search["score"] > 0.98
    assert search["extension"] == [{"url": GRADE, "valueCode": "certain"}]


@pytest.fixture
def twice(hospital):
    """Two persons whose records say the same, as after a decision that they differ."""
    hospital.send("1", address=HOME, **ANN)
    hospital.send("5", authority="LAB", address=HOME, **ANN)
    other = hospital.record("5", "LAB").number
    hospital.move("unlink", records=(other,))
    return hospital.person("1"), hospital.person("5", "LAB")


def test_two_who_may_both_be_meant_are_probable_and_never_certain(web, twice):
    found = bundle(match(web))

    assert {patient["id"] for patient, _ in found} == set(twice)
    assert [s["extension"][0]["valueCode"] for _, s in found] == ["probable"] * 2


def test_only_certain_matches_and_count_are_heeded(hospital, web):
    hospital.send("1", address=HOME, **{**ANN, "given": "Anna", "birth": "19810301"})
    only = {"name": "onlyCertainMatches", "valueBoolean": True}

    assert bundle(match(web, only)) == []
    assert len(bundle(match(web, {"name": "count", "valueInteger": 1}))) <= 1
    assert refusal(match(web, {"name": "count", "valueInteger": 0})) == (400, "value")


@each_database
def test_M04_match_writes_nothing_but_the_audit(hospital, web):
    hospital.send("1", address=HOME, **ANN)
    before = index_of(hospital)

    bundle(match(web))
    bundle(match(web, family="Nobody", given="Xenia"))
    bundle(web.get("/fhir/Patient", family="Doe"))

    assert index_of(hospital) == before
    with hospital.database.reading() as connection:
        acts = [r.act for r in audit.rows(connection, hospital.database.sealer)]
    assert [each.action for each in acts] == [
        "query.pdqm",
        "query.match",
        "query.match",
        "token.issue",
    ]
    assert acts[0].actor == "token 1 portal"
    assert hospital.person("1") in acts[0].detail


def test_M20_a_confidential_person_is_absent_and_the_grades_do_not_betray_it(
    hospital, web, twice
):
    shown, hidden = twice
    hide(hospital, hidden)

    [(patient, search)] = bundle(match(web))
    everybody = bundle(match(Web(hospital.database).allowed()))

    assert patient["id"] == shown
    assert search["extension"][0]["valueCode"] == "certain"
    assert {each["id"] for each, _ in everybody} == set(twice)
    assert web.get(f"/fhir/Patient/{hidden}").status == 404
    [(found, _)] = bundle(web.get("/fhir/Patient", family="Doe"))
    assert found["id"] == shown
    assert bundle(web.get("/fhir/Patient", identifier="LAB|5")) == []
    assert refusal(pix(web, "LAB|5")) == (404, "not-found")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", (400, "structure")),
        (b"[]", (400, "structure")),
        ({"resourceType": "Parameters"}, (400, "required")),
        ({"parameter": [{"name": "resource", "resource": {}}]}, (400, "required")),
        ({"parameter": "Doe"}, (400, "required")),
        ({"parameter": [{"name": ["resource"]}]}, (400, "required")),
    ],
)
def test_a_match_that_asks_for_nobody_is_refused(web, body, told):
    assert refusal(web.post("/fhir/Patient/$match", body)) == told


def test_odd_patients_are_compared_as_far_as_they_go(web):
    odd = {"resourceType": "Patient", "name": "Doe", "birthDate": 7, "address": [1]}

    assert bundle(web.post("/fhir/Patient/$match", odd)) == []
    assert refusal(web.post("/fhir/Patient/$match", odd, "text/plain")) == (
        415,
        "not-supported",
    )


# ---- PIXm


@pytest.fixture
def known(hospital):
    """One person with numbers of two authorities."""
    hospital.send("1", address=HOME, **ANN)
    hospital.send("77", authority="CLINIC", address=HOME, **ANN)
    return hospital.person("1")


def pix(web, source, *targets):
    return web.get(
        "/fhir/Patient/$ihe-pix", sourceIdentifier=source, targetSystem=targets
    )


@each_database
def test_M10_the_numbers_of_a_person_are_found_by_any_of_them(web, known):
    answer = pix(web, "CLINIC|77")

    Parameters.model_validate_json(answer.body)
    listed = answer.json()["parameter"]
    values = [each["valueIdentifier"]["value"] for each in listed[:-1]]
    assert sorted(values) == sorted([known, "1", "77"])
    assert listed[-1]["name"] == "targetId"
    assert listed[-1]["valueReference"]["reference"].endswith(f"/Patient/{known}")
    by_own = pix(web, f"{EID}|{known}", "HOSP").json()["parameter"]
    assert [each["valueIdentifier"]["value"] for each in by_own[:-1]] == ["1"]


def test_M10_pixm_refuses_what_it_does_not_know_by_its_place(web, known):
    assert refusal(pix(web, "HOSP|9")) == (404, "not-found")
    assert refusal(pix(web, "NOWHERE|1")) == (400, "code-invalid")
    assert refusal(pix(web, "HOSP|1", "NOWHERE")) == (403, "code-invalid")
    assert refusal(pix(web, "HOSP")) == (400, "required")
    assert refusal(web.get("/fhir/Patient/$ihe-pix")) == (400, "required")


def test_the_numbers_of_a_possible_match_are_never_given(hospital, web):
    hospital.send("1", address=HOME, **ANN)
    doubt = hospital.send("5", authority="LAB", address=HOME, **{**ANN, "given": "Bea"})
    assert doubt.enterprise_id != hospital.person("1")

    listed = pix(web, "HOSP|1").json()["parameter"]

    assert "5" not in [each.get("valueIdentifier", {}).get("value") for each in listed]


# ---- read


def test_M08_a_retired_person_says_who_it_became(hospital, web):
    old = hospital.send("1", address=HOME, **ANN).enterprise_id
    new = hospital.send("2", family="Roe", given="Eve", birth="19700101").enterprise_id
    hospital.move("merge", source=old, target=new)

    retired = web.get(f"/fhir/Patient/{old}").json()
    survivor = web.get(f"/fhir/Patient/{new}").json()

    Patient.model_validate(retired)
    Patient.model_validate(survivor)
    assert retired["active"] is False
    assert retired["link"] == [
        {"other": {"reference": f"Patient/{new}"}, "type": "replaced-by"}
    ]
    values = {each["value"] for each in survivor["identifier"]}
    assert values == {new, "1", "2"}
    numbers = pix(web, f"{EID}|{old}").json()["parameter"]
    assert numbers[0]["valueIdentifier"]["value"] == new


def test_all_that_is_kept_of_a_person_is_one_searchset(hospital, web):
    old = hospital.send("1", address=HOME, **ANN).enterprise_id
    new = hospital.send("2", family="Roe", given="Eve", birth="19700101").enterprise_id
    hospital.move("merge", source=old, target=new)

    for asked in (old, new):
        [(patient, search)] = bundle(web.get(f"/fhir/Patient/{asked}/$everything"))
        assert (patient["id"], search) == (new, {"mode": "match"})
    act, *_ = acts(hospital, "view.everything")
    assert new in act.detail


def test_all_that_is_kept_is_given_whole_and_of_nobody_hidden(hospital, web):
    open_one = hospital.send("1", address=HOME, **ANN).enterprise_id
    hidden = hospital.send("5", about=["PD1||||||||||||Y"]).enterprise_id

    part = web.get(f"/fhir/Patient/{open_one}/$everything", _count="1")

    assert refusal(part) == (400, "not-supported")
    assert refusal(web.get(f"/fhir/Patient/{hidden}/$everything")) == (404, "not-found")


def test_a_patient_nobody_has_is_not_found_and_the_question_is_kept(hospital, web):
    assert refusal(web.get("/fhir/Patient/NOBODY")) == (404, "not-found")
    with hospital.database.reading() as connection:
        [last] = audit.rows(connection, hospital.database.sealer, limit=1)
    assert last.act.action == "view.patient"


# ---- PDQm


@pytest.fixture
def town(hospital):
    people = [
        ("Smith", "Bob", "19600101", "M"),
        ("Smith", "Ann", "19610615", "F"),
        ("Smithson", "Al", "19600101", "M"),
        ("Garcia Lopez", "Eva", "19700704", "F"),
        ("O'Brien", "Pat", "19880808", "F"),
    ]
    for number, (family, given, birth, sex) in enumerate(people):
        who = {"family": family, "given": given, "birth": birth, "sex": sex}
        hospital.send(str(number), address=HOME, phone=f"503555010{number}", **who)


def names(answer):
    return sorted(
        f"{p['name'][0]['given'][0]} {p['name'][0]['family']}"
        for p, _ in bundle(answer)
    )


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"family": "smith"}, ["Al Smithson", "Ann Smith", "Bob Smith"]),
        ({"family__exact": "Smith"}, ["Ann Smith", "Bob Smith"]),
        ({"family": "smith", "given": "b"}, ["Bob Smith"]),
        ({"family__contains": "THS"}, ["Al Smithson"]),
        ({"family": "garcia"}, ["Eva Garcia Lopez"]),
        ({"family__exact": "o'brien"}, ["Pat Obrien"]),
        ({"birthdate": "1960-01-01"}, ["Al Smithson", "Bob Smith"]),
        ({"birthdate": "eq1960-01-01", "gender": "male", "given": "A"},
         ["Al Smithson"]),
        ({"family": "s", "birthdate": "1960"}, ["Al Smithson", "Bob Smith"]),
        ({"family": "s", "birthdate": ["ge1961-01-01", "lt1961-06-16"]}, ["Ann Smith"]),
        ({"family": "s", "birthdate": "gt1961-06-15"}, []),
        ({"family": "s", "birthdate": "le1960-01-01"}, ["Al Smithson", "Bob Smith"]),
        ({"telecom": "phone|503-555-0103"}, ["Eva Garcia Lopez"]),
        ({"identifier": "HOSP|4"}, ["Pat Obrien"]),
        ({"identifier": "HOSP|4", "family": "Smith"}, []),
        ({"identifier": "NOWHERE|4"}, []),
        ({"family": "smith", "address-city": "sal", "address-postalcode": "97301"},
         ["Al Smithson", "Ann Smith", "Bob Smith"]),
        ({"family": "smith", "address-state": "WA"}, []),
        ({"family": "nobody"}, []),
        ({"family": "smith", "active": "true", "_format": "json"},
         ["Al Smithson", "Ann Smith", "Bob Smith"]),
    ],
)  # fmt: skip
def test_M10_pdqm_finds_who_fits(web, query, found):
    assert names(web.get("/fhir/Patient", **query)) == found
    pairs = [(k.replace("__", ":"), v) for k, v in query.items()]
    body = urlencode(pairs, doseq=True).encode()
    form = "application/x-www-form-urlencoded"
    assert names(web.post("/fhir/Patient/_search", body, form)) == found


@each_database
@pytest.mark.usefixtures("town")
def test_M10_a_long_answer_comes_in_pages_whose_links_name_nobody(web):
    def page(url):
        address = urlsplit(url)
        answer = web.ask("GET", address.path, address.query)
        links = {each["relation"]: each["url"] for each in answer.json()["link"]}
        assert not any("smith" in url.lower() for url in links.values())
        assert answer.json()["total"] == 3
        return [patient["id"] for patient, _ in bundle(answer)], links

    first, links = page("/fhir/Patient?_count=2&family=smith")
    assert "previous" not in links
    second, links = page(links["next"])

    assert (len(first), len(second), len({*first, *second})) == (2, 1, 3)
    assert "next" not in links
    back = urlsplit(links["previous"])
    assert len(bundle(web.ask("GET", back.path, back.query))) == 2
    assert list(parse_qs(back.query)) == ["_page"]


@pytest.mark.usefixtures("town")
def test_M10_only_the_identifiers_of_the_domains_asked_for_are_shown(web):
    [(patient, _)] = bundle(
        web.get("/fhir/Patient", family="garcia", identifier="HOSP|,HOSP|3")
    )

    assert [each["value"] for each in patient["identifier"]] == ["3"]
    told = web.get("/fhir/Patient", family="garcia", identifier="NOWHERE|")
    assert refusal(told) == (403, "code-invalid")


def test_a_person_is_found_by_id(web, known):
    [(patient, _)] = bundle(web.get("/fhir/Patient", _id=known))

    assert patient["id"] == known
    assert bundle(web.get("/fhir/Patient", _id="NOBODY")) == []


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({}, "too-costly"),
        ({"family": "*"}, "value"),
        ({"family__contains": ""}, "value"),
        ({"given": "Bob"}, "too-costly"),
        ({"gender": "female"}, "too-costly"),
        ({"gender": "Smith"}, "value"),
        ({"birthdate": "Smith"}, "not-supported"),
        ({"birthdate": "ap1960-01-01"}, "not-supported"),
        ({"birthdate": "1960-02-31"}, "value"),
        ({"family": ["a", "b"]}, "value"),
        ({"family__text": "smith"}, "not-supported"),
        ({"smith": "smith"}, "not-supported"),
        ({"identifier": "smith"}, "not-supported"),
        ({"_count": "smith"}, "not-supported"),
        ({"_page": "smith"}, "invalid"),
    ],
)
def test_hostile_and_unanswerable_searches_are_refused_without_their_words(
    web, monkeypatch, query, told
):
    monkeypatch.setattr(exchange, "_log", logs := Lines())

    answer = web.get("/fhir/Patient", **query)

    assert refusal(answer) == (400, told)
    assert logs.events == ["request"]
    assert "smith" not in (answer.body.decode() + str(logs.kept)).lower()


def test_a_search_by_form_must_be_a_form(web):
    assert refusal(web.post("/fhir/Patient/_search", {})) == (415, "not-supported")


@pytest.mark.usefixtures("town")
def test_wildcards_in_values_are_letters_like_others(web):
    assert bundle(web.get("/fhir/Patient", family__exact="sm*th")) == []


# ---- metadata


def test_the_capabilities_are_told(web):
    answer = web.get("/fhir/metadata")

    CapabilityStatement.model_validate_json(answer.body)
    [resource] = answer.json()["rest"][0]["resource"]
    assert [each["name"] for each in resource["operation"]] == [
        "match",
        "everything",
        "ihe-pix",
    ]
