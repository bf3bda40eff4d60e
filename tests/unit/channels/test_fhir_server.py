"""Telling a FHIR server parts of resources, or resources one by one."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from engine.channels.destinations import Document
from engine.channels.destinations.fhir import FhirSender
from engine.channels.fhir_answers import held_in, read
from engine.channels.http_client import HttpAnswer
from engine.errors import AmbiguousError, NotNowError, PermanentError, TransientError
from engine.peers.fhir_memory import Memory
from engine.transforms.fhir.bundle import transaction, write_json
from engine.transforms.fhir.exchange import onto
from engine.transforms.fhir.mapped import Element, Entry
from tests.fakes import ends_of


class Server:
    """A server in memory behind the one method of a Poster; it notes what it is asked.

    ``answers`` are given instead of its own; ``meddle`` is called before each request
    with the number of those before it.
    """

    def __init__(self, *answers):
        self.memory = Memory()
        self.asked: list[tuple[str, str, bytes, dict[str, str]]] = []
        self.answers = list(answers)
        self.meddle: Callable[[int], None] = lambda _: None

    async def send(self, content, kind, may_leave, *, method="POST", below="", headers):
        may_leave()
        self.meddle(len(self.asked))
        self.asked.append((method, below, content, dict(headers)))
        if self.answers:
            return self.answers.pop(0)
        named = {name.lower(): value for name, value in headers.items()}
        reply = self.memory.ask(method, below.removeprefix("/"), content, named)
        return HttpAnswer(reply.status, {}, orjson.dumps(reply.body))

    def told(self, bundle, mode="transaction"):
        """Send a Bundle; return the receipt, or raise what came of it."""
        document = Document(write_json(bundle), "application/fhir+json")
        poster: Any = self
        [end] = ends_of(FhirSender(poster, mode).send(document))
        if hasattr(end, "raiseException"):
            end.raiseException()
        return end

    def held(self, kind):
        """Return what the server has of one type, without ids."""
        found = self.memory.resources.get(kind, {}).values()
        return [{k: v for k, v in one.items() if k != "id"} for one in found]

    def written(self):
        """Return method and address of each request that writes."""
        return [
            (method, below)
            for method, below, *_ in self.asked
            if not below.endswith("_search")
        ]


def identifier(number):
    return {"system": "urn:mrn", "value": number}


def patient(number="1", said=None, **elements):
    resource: Element = {"resourceType": "Patient", "identifier": [identifier(number)]}
    entry = Entry(
        {**resource, **elements},
        f"urn:uuid:00000000-0000-4000-8000-00000000000{number}",
        "PUT",
        f"identifier=urn:mrn|{number}",
    )
    entry.said = None if said is None else frozenset(said)
    return entry


def visit(*refers, number="9", **elements):
    resource: Element = {
        "resourceType": "Encounter",
        "identifier": [{"system": "urn:vn", "value": number}],
        "status": "in-progress",
        **elements,
    }
    url = "urn:uuid:00000000-0000-4000-8000-00000000000e"
    entry = Entry(resource, url, "PUT", f"identifier=urn:vn|{number}")
    for name, other in refers:
        resource[name] = other.reference
    return entry


def ward():
    resource: Element = {"resourceType": "Location", "identifier": [identifier("W")]}
    url = "urn:uuid:00000000-0000-4000-8000-00000000000a"
    return Entry(resource, url, "POST", "identifier=urn:mrn|W")


# ---- parts of what the server has


def test_t19_an_update_changes_what_it_says_and_leaves_what_others_wrote():
    server = Server()
    server.memory.answer("POST", "Patient", {
        **patient(gender="male", birthDate="1970").resource,
        "maritalStatus": {"text": "of another system"},
        "telecom": [{"system": "email", "value": "x"},
                    {"system": "phone", "use": "home", "value": "1"}],
    })  # fmt: skip
    update = patient(
        said=("gender", "birthDate", "telecom#home|phone", "identifier#urn:mrn|1"),
        gender="female",
        telecom=[{"system": "phone", "use": "home", "value": "2"}],
        name=[{"family": "known to us, but not said"}],
    )

    server.told(transaction([update]))

    assert server.held("Patient") == [{
        "resourceType": "Patient",
        "identifier": [identifier("1")],
        "gender": "female",
        "maritalStatus": {"text": "of another system"},
        "telecom": [{"system": "email", "value": "x"},
                    {"system": "phone", "use": "home", "value": "2"}],
        "meta": {"versionId": "1"},
    }]  # fmt: skip
    assert server.memory.versions["Patient/1"] == 2


def test_what_the_server_does_not_have_is_created_whole():
    server = Server()
    update = patient(said=("gender",), gender="male", birthDate="1970")

    server.told(transaction([update]))

    assert server.held("Patient") == [update.resource]


def test_an_update_told_again_writes_nothing():
    server = Server()
    bundle = transaction([patient(said=("gender",), gender="male")])
    server.told(bundle)

    receipt = server.told(bundle)

    assert receipt.note == "nothing that the server does not have"
    assert server.memory.versions["Patient/1"] == 1


def test_no_identifier_of_a_patient_stands_in_an_address():
    server = Server()
    update = patient(said=("gender",), gender="male")
    bundle = transaction([update, visit(("subject", update))])

    server.told(bundle)
    server.told(bundle, "single")

    assert {below.partition("/")[2] for _, below, *_ in server.asked} == {
        "", "Patient/_search", "Encounter/_search", "Encounter/1",
    }  # fmt: skip


def test_what_changed_in_between_is_asked_for_again():
    server = Server()
    server.memory.answer("POST", "Patient", patient(gender="male").resource)

    def meddle(number):
        if number == 1:
            other = {**server.memory.resources["Patient"]["1"], "active": True}
            server.memory.answer("PUT", "Patient/1", other)

    server.meddle = meddle
    server.told(transaction([patient(said=("gender",), gender="female")]))

    [held] = server.held("Patient")
    assert (held["gender"], held["active"]) == ("female", True)
    assert len(server.asked) == 4


@pytest.mark.parametrize("mode", ["transaction", "batch", "single"])
def test_what_others_create_in_between_is_merged_and_not_doubled(mode):
    server = Server()

    def meddle(number):
        if number == 1:
            other = {**patient().resource, "active": True}
            server.memory.answer("POST", "Patient", other)

    server.meddle = meddle
    server.told(transaction([patient(said=("gender",), gender="female")]), mode)

    [held] = server.held("Patient")
    assert (held["gender"], held["active"]) == ("female", True)


@pytest.mark.parametrize("mode", ["transaction", "batch", "single"])
def test_a_resource_that_never_rests_is_told_another_time(mode):
    server = Server()
    server.memory.answer("POST", "Patient", patient(gender="male").resource)

    def meddle(number):
        if number % 2:
            server.memory.answer("PUT", "Patient/1", patient(gender="male").resource)

    server.meddle = meddle
    bundle = transaction([patient(said=("gender",), gender="female")])

    with pytest.raises(NotNowError) as caught:
        server.told(bundle, mode)

    assert caught.value.code == "overtaken"
    assert len(server.asked) == 6


@pytest.mark.parametrize("mode", ["transaction", "single"])
def test_two_that_could_be_meant_stop_the_delivery_before_anything_is_written(mode):
    server = Server()
    for _ in range(2):
        server.memory.answer("POST", "Patient", patient().resource)

    with pytest.raises(PermanentError) as caught:
        server.told(transaction([patient(said=("gender",), gender="female")]), mode)

    assert (caught.value.status, caught.value.code) == (412, "http-412")
    assert "1" not in str(caught.value)
    assert len(server.asked) == 1


def test_members_that_refer_to_something_are_known_by_its_place_on_the_server():
    server, at = Server(), ward()
    first = visit(location=[{"location": at.reference, "status": "active"}])
    server.told(transaction([at, first]), "single")
    later = visit(location=[{"location": at.reference, "status": "completed"}])
    later.said = frozenset({f"location#{at.full_url}"})

    server.told(transaction([at, later]))

    [held] = server.held("Encounter")
    assert held["location"] == [
        {"location": {"reference": "Location/1"}, "status": "completed"}
    ]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"{}", AmbiguousError),
        (b'{"entry": []}', AmbiguousError),
        (b'{"entry": [{"response": {"status": "503"}}]}', TransientError),
        (b'{"entry": [{"response": {"status": "200"}}]}', AmbiguousError),
    ],
)
def test_an_answer_that_leaves_the_question_open_writes_nothing(answer, kind):
    server = Server(HttpAnswer(200, {}, answer))

    with pytest.raises(kind):
        server.told(transaction([patient(said=("gender",), gender="female")]))

    assert len(server.asked) == 1


def test_a_part_of_a_batch_that_is_refused_is_told():
    server = Server(
        HttpAnswer(200, {}, b'{"entry": [{"response": {"status": "200"},'
                            b'"resource": {"type": "searchset"}}]}'),
        HttpAnswer(200, {}, b'{"entry": [{"response": {"status": "422"}}]}'),
    )  # fmt: skip
    refused = patient(said=("gender",), gender="female")
    with pytest.raises(PermanentError) as caught:
        server.told(transaction([refused]), "batch")

    assert str(caught.value) == "HTTP 422: entry 1"


# ---- one by one


def test_resources_go_one_by_one_each_after_what_it_refers_to():
    server, person, at = Server(), patient(), ward()
    seen = visit(("subject", person), location=[{"location": at.reference}])

    receipt = server.told(transaction([seen, at, person]), "single")

    assert server.written() == [
        ("POST", "/Patient"), ("POST", "/Location"), ("POST", "/Encounter")
    ]  # fmt: skip
    [held] = server.held("Encounter")
    assert held["subject"] == {"reference": "Patient/1"}
    assert held["location"] == [{"location": {"reference": "Location/1"}}]
    assert receipt.note == "3 resources written one by one"


def test_a_circle_of_references_is_closed_when_everything_is_there():
    server, person = Server(), patient()
    mother = patient("2", link=[{"other": person.reference, "type": "seealso"}])
    person.resource["link"] = [{"other": mother.reference, "type": "seealso"}]

    server.told(transaction([person, mother]), "single")

    places: Any = server.memory.resources["Patient"]
    one, other = places["1"], places["2"]
    assert one["identifier"] != other["identifier"]
    assert one["link"][0]["other"] == {"reference": "Patient/2"}
    assert other["link"][0]["other"] == {"reference": "Patient/1"}


def test_told_again_one_by_one_nothing_is_doubled():
    server, person, at = Server(), patient(gender="male"), ward()
    bundle = transaction([person, at, visit(("subject", person))])
    server.told(bundle, "single")

    server.told(bundle, "single")

    counts = {kind: len(held) for kind, held in server.memory.resources.items()}
    assert counts == {"Patient": 1, "Location": 1, "Encounter": 1}
    assert server.memory.versions["Location/1"] == 1


def test_what_failed_half_way_is_completed_by_the_next_try():
    server, person = Server(), patient()
    bundle = transaction([person, visit(("subject", person))])

    def meddle(number):
        if server.asked and server.asked[-1][1] == "/Patient" and number < 5:
            raise TransientError("away", "no-answer")

    server.meddle = meddle
    with pytest.raises(TransientError):
        server.told(bundle, "single")
    server.meddle = lambda _: None
    server.told(bundle, "single")

    [held] = server.held("Encounter")
    assert held["subject"] == {"reference": "Patient/1"}
    assert len(server.held("Patient")) == 1


def test_what_has_an_id_of_ours_is_put_there():
    server = Server()
    binary: Element = {
        "resourceType": "Binary",
        "id": "b1",
        "contentType": "text/plain",
    }

    server.told(transaction([Entry(binary, "urn:uuid:b1")]), "single")

    assert server.written() == [("PUT", "/Binary/b1")]


def test_what_refers_to_something_nobody_has_is_not_begun():
    server = Server()
    seen = visit(subject={"reference": "Patient?identifier=urn:mrn|7"})

    with pytest.raises(PermanentError) as caught:
        server.told(transaction([seen]), "single")

    assert caught.value.code == "reference-unknown"
    assert "Patient" in str(caught.value)
    assert "7" not in str(caught.value)
    assert server.written() == []


def test_what_an_earlier_message_spoke_of_is_found_by_its_number():
    server = Server()
    server.told(transaction([patient("7")]), "single")
    seen = visit(subject={"reference": "Patient?identifier=urn:mrn|7"})

    server.told(transaction([seen]), "single")

    assert server.held("Encounter")[0]["subject"] == {"reference": "Patient/1"}


def test_an_update_of_parts_goes_one_by_one_as_well():
    server = Server()
    other = {**patient(gender="male").resource, "active": True}
    server.memory.answer("POST", "Patient", other)
    bundle = transaction([patient(said=("gender",), gender="female")])

    server.told(bundle, "single")
    server.told(bundle, "single")

    [held] = server.held("Patient")
    assert (held["gender"], held["active"]) == ("female", True)
    assert server.memory.versions["Patient/1"] == 2


def test_a_refusal_names_the_type_and_never_what_the_resource_says():
    server = Server(
        HttpAnswer(200, {}, b'{"type": "searchset"}'),
        HttpAnswer(422, {}, b'{"issue": [{"code": "required", "diagnostics": "Doe"}]}'),
    )  # fmt: skip
    with pytest.raises(PermanentError) as caught:
        server.told(transaction([patient()]), "single")

    assert str(caught.value) == "HTTP 422: Patient, after 0 others: required"


def test_where_a_resource_came_to_be_is_read_from_its_address_or_its_id():
    server = Server(
        HttpAnswer(200, {}, b'{"type": "searchset"}'),
        HttpAnswer(201, {"location": "http://x/fhir/Patient/a-1/_history/1"}, b""),
        HttpAnswer(200, {}, b'{"type": "searchset"}'),
        HttpAnswer(201, {}, b""),
    )  # fmt: skip
    receipt = server.told(transaction([patient()]), "single")
    with pytest.raises(AmbiguousError) as caught:
        server.told(transaction([patient()]), "single")

    assert b"Patient/a-1" in receipt.answer
    assert caught.value.code == "no-location"


def test_numbers_of_a_server_keep_their_digits():
    assert write_json(read(b'{"value": 7.50}')) == b'{"value":7.50}'


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"[" * 100_000])
def test_what_is_no_object_says_nothing(body):
    assert read(body) == {}


def test_only_matches_of_the_type_asked_for_count():
    found = [{"resource": {"resourceType": "OperationOutcome"}}, {"fullUrl": "x"}]
    answer = {"type": "searchset", "entry": found}

    assert held_in(answer, "Patient?identifier=a|1") is None


def searchset(resource):
    return {"type": "searchset", "entry": [{"resource": resource}]}


@pytest.mark.parametrize(
    "content",
    [
        b'{"resourceType": "Patient", "language": "\\ud800"}',
        b'{"resourceType": "Patient", "x": NaN}',
        b"[" * 100_000,
    ],
)
def test_what_could_not_be_sent_back_is_no_answer(content):
    assert read(content) == {}


def test_a_mark_of_byte_order_and_digits_beyond_64_bits_are_kept():
    found = read(
        b'\xef\xbb\xbf{"a": 123456789012345678901234567890, "b": 7, "c": 1.50}'
    )

    assert write_json(found) == b'{"a":123456789012345678901234567890,"b":7,"c":1.50}'


@pytest.mark.parametrize(
    ("element", "value"),
    [("identifier#1", []), ("period.start", "2030"), ("identifier", ["1"])],
)
def test_what_is_not_formed_as_a_resource_is_ambiguous(element, value):
    theirs = {"resourceType": "Patient", element: value}

    with pytest.raises(AmbiguousError, match="not formed as FHIR resources are"):
        held_in(searchset(theirs), "Patient?a=b")


def test_participants_without_codes_of_a_type_are_kept_as_they_are():
    theirs = {"resourceType": "Encounter", "participant": [{"type": ["x"]}, {}]}

    held = held_in(searchset(theirs), "Encounter?a=b")

    assert held is not None
    assert onto(held, {**theirs, "status": "finished"}, frozenset({"status"}), {}) == {
        **theirs,
        "status": "finished",
    }
