"""Our transactions on a real FHIR server: again or in any order, they end the same."""

import json
import random
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from engine.channels.destinations import Document, Receipt
from engine.channels.destinations.fhir import FhirSender
from engine.channels.http_client import HttpAnswer
from engine.hl7 import parse
from engine.transforms.fhir import (
    MapContext,
    map_message,
    stamp_person,
    transaction,
    write_json,
)
from tests.builders import adt_patient, er7
from tests.edge_ledger import free_port
from tests.fakes import ends_of
from tests.fhir_messages import msh, obr, obx, pid, pv1, segment
from tests.processing import bundles

SAMPLES = sorted(Path(__file__).parents[2].glob("samples/*/message.hl7"))


@contextmanager
def serving(folder):
    """Run a server that keeps its data in a folder; give its address."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("sekmet")), "serve", "--port"]
    process = subprocess.Popen(  # noqa: S603 - a test tool of ours
        [*command, str(port)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(300):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}/fhir"
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("server")) as address:
        yield address


def bundle(data):
    """Map a message and stamp its patients, as the worker does."""
    mapped = map_message(parse(data.replace(b"\n", b"\r")), MapContext())
    for entry in mapped.patients:
        number = entry.criteria.rpartition("|")[2]
        stamp_person(mapped, "urn:id:test:enterprise", number, segment=entry.segment)
    return transaction(mapped.entries)


def post(server, found):
    request = urllib.request.Request(  # noqa: S310 - our own loopback server
        server,
        write_json(found),
        {"Content-Type": "application/fhir+json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def created(answer, kind=""):
    """Return the resources a transaction made anew, by where they are.

    Not counted by search: the server's totals follow its writes a moment later.
    """
    responses = [entry["response"] for entry in answer["entry"]]
    assert {response["status"][0] for response in responses} == {"2"}
    made = [each["location"] for each in responses if each["status"][:3] == "201"]
    return [place for place in made if kind in place]


@pytest.mark.slow
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name)
def test_a_transaction_sent_twice_leaves_the_same_resources(server, path):
    found = bundle(path.read_bytes())
    assert created(post(server, found))

    assert created(post(server, found)) == []


@pytest.mark.slow
def test_an_update_finds_the_patient_that_the_admission_made(server):
    assert created(post(server, bundle(adt_patient("4711"))), "Patient")

    update = bundle(adt_patient("4711", trigger="A08", family="Newname"))

    assert created(post(server, update), "Patient") == []


# ---- the same messages in any order


def told(minute, event, *segments):
    """Return a message about an event at this minute."""
    when = f"2024010203{minute:02}00-0500"
    kind = "ORU^R01^ORU_R01" if event == "R01" else f"ADT^{event}"
    head = msh(kind, control=f"{event}-{minute}").replace("20240102030405-0500", when)
    evn = [] if event == "R01" else [f"EVN|{event}|{when}"]
    return er7(head, *evn, *segments)


def report(minute, status, *values):
    """Return one laboratory report as it stands at this minute."""
    results = [
        obx("NM", value, f1=str(at + 1), f3=f"{at}^Test^L", f11=status)
        for at, value in enumerate(values)
    ]
    issued = f"2024010203{minute:02}00-0500"
    order = obr(f25=status, f22=issued)
    head = pid(), pv1(f3=""), segment("ORC", f1="RE", f2="P1^ADT1", f3="F1^LAB")
    return told(minute, "R01", *head, order, *results)


STORY = [
    told(1, "A05", pid(f13="5550001"), pv1(f2="P", f3="W1^1^1")),
    told(2, "A01", pid(f16="S", f13="5550001~^PRN^CP^^^^5550002"), pv1(f3="W1^1^1")),
    told(3, "A02", pid(), pv1(f3="W2^7^1", f6="W1^1^1", f7="7^Doc^Dora")),
    report(4, "P", "5.0", "7.1"),
    told(5, "A08", pid(f5="Roe^Ann", f13='""'), pv1(f3="", f10="MED")),
    report(6, "F", "5.5", "7.2", "9.9"),
    report(7, "P", "6.0"),
    told(8, "A03", pid(f16="M"), pv1(f3="W2^7^1", f36="01", f45="202401020308-0500")),
    told(9, "A08", pid(f14="5550009"), pv1(f3="", f14="7")),
    report(10, "C", "5.6"),
    told(11, "A31", pid(f11="1 Road^^Town"), "AL1|1|DA|P^Penicillin^L|SV"),
]
"""One patient, from booking to after discharge: each message says a little."""


def state(address, transactions):
    """Send transactions; return what the server then holds, by what it is known by."""
    return holding(address, [post(address, each) for each in transactions])


def holding(address, answers):
    """Return what a server holds of what it said it wrote."""
    places = {row["response"]["location"] for each in answers for row in each["entry"]}
    held = {}
    for place in {place.partition("/_history")[0] for place in places}:
        path = "/".join(place.rstrip("/").split("/")[-2:])
        with urllib.request.urlopen(f"{address}/{path}", timeout=30) as answer:  # noqa: S310
            found = json.load(answer)
        known_by = found.get("identifier") or [{"value": found["id"]}]
        held[path] = f"{found['resourceType']}|{known_by[0]['value']}", found
    names = {path: name for path, (name, _) in held.items()}
    return {name: plain(found, names) for name, found in held.values()}


def plain(found, names):
    """Return a resource without what the server adds, its references by name."""
    text = json.dumps({k: v for k, v in found.items() if k not in {"id", "meta"}})
    named = re.sub(r'(?<="reference": ")[^"]+', lambda one: names[one[0]], text)
    return json.loads(named)


@pytest.mark.slow
def test_T31_messages_in_any_order_and_again_leave_one_state(  # noqa: N802 - the rule
    server, tmp_path, tmp_path_factory
):
    chance = random.Random(5)  # noqa: S311 - an order of messages, no secret
    shuffled = [*STORY, *chance.sample(STORY, 4)]
    chance.shuffle(shuffled)

    in_order = state(server, bundles(tmp_path, STORY))
    with serving(tmp_path_factory.mktemp("other")) as other:
        in_any_order = state(other, bundles(tmp_path, shuffled))

    assert len(in_order) > len(STORY)
    assert in_any_order == in_order


# ---- parts of resources, and resources one by one


class Poster:
    """What a sender posts with, straight to a real server."""

    def __init__(self, address):
        self.address = address
        self.asked = []

    async def send(self, content, kind, may_leave, *, method="POST", below="", headers):
        may_leave()
        self.asked.append((method, below))
        head = {"Content-Type": kind, **headers}
        request = urllib.request.Request(  # noqa: S310 - our own loopback server
            self.address + below, content, head, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: ASYNC210, S310
                found = {name.lower(): value for name, value in answer.headers.items()}
                return HttpAnswer(answer.status, found, answer.read())
        except urllib.error.HTTPError as error:
            return HttpAnswer(error.code, {}, error.read())


def sent(address, found, mode="transaction"):
    """Send Bundles as a destination does; return what each sending came to."""
    poster: Any = Poster(address)
    receipts = []
    for each in found:
        [end] = ends_of(FhirSender(poster, mode).send(Document(write_json(each))))
        assert isinstance(end, Receipt), end
        receipts.append(end)
    return receipts


def held(address, kind, number):
    """Return what the server has of a type under a number."""
    query = f"{address}/{kind}?identifier={number}"
    with urllib.request.urlopen(query, timeout=30) as answer:  # noqa: S310
        return [row["resource"] for row in json.load(answer).get("entry", [])]


def rewritten(address, found, **changed):
    """Let another system write a resource."""
    request = urllib.request.Request(  # noqa: S310 - our own loopback server
        f"{address}/{found['resourceType']}/{found['id']}",
        json.dumps({**found, **changed}).encode(),
        {"Content-Type": "application/fhir+json"},
        method="PUT",
    )
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310


@pytest.mark.slow
def test_T19_a_feed_in_partial_mode_removes_nulls_and_leaves_the_words_of_others(  # noqa: N802 - the rule
    tmp_path, tmp_path_factory
):
    who = {"f3": "P19^^^HOSP^MR"}
    story = [
        told(1, "A01", pid(f13="5550001", f16="S", **who), pv1(f19="V19", f3="W1^1^1")),
        told(2, "A08", pid(f13='""', f16="", **who), pv1(f19="V19", f3="")),
        told(3, "A02", pid(**who), pv1(f19="V19", f3="W2^7^1", f6="W1^1^1")),
    ]
    first, *later = bundles(tmp_path, story, "update: partial")
    with serving(tmp_path_factory.mktemp("partial")) as server:
        sent(server, [first])
        [patient], [visit] = (
            held(server, "Patient", "P19"),
            held(server, "Encounter", "V19"),
        )
        assert patient["telecom"]
        rewritten(server, patient, maritalStatus={"text": "of another system"})
        rewritten(server, visit, language="de")
        receipts = sent(server, later)
        again = sent(server, later[-1:])
        [patient], [visit] = (
            held(server, "Patient", "P19"),
            held(server, "Encounter", "V19"),
        )

    assert patient["maritalStatus"] == {"text": "of another system"}
    assert "telecom" not in patient
    assert visit["language"] == "de"
    places = [one["status"] for one in visit["location"]]
    assert sorted(places) == ["active", "completed"]
    assert [each.note for each in (*receipts, *again)] == ["HTTP 200"] * 3


@pytest.mark.slow
def test_T31_resources_sent_one_by_one_leave_what_transactions_leave(  # noqa: N802 - the rule
    tmp_path, tmp_path_factory
):
    story = [STORY[1], STORY[3], STORY[4]]
    whole = bundles(tmp_path / "whole", story)
    parts = bundles(tmp_path / "parts", story, "update: partial")
    with (
        serving(tmp_path_factory.mktemp("one")) as one,
        serving(tmp_path_factory.mktemp("other")) as other,
    ):
        together = state(one, whole)
        receipts = sent(other, [*parts, parts[-1]], "single")
        one_by_one = holding(other, [json.loads(each.answer) for each in receipts])

    assert one_by_one == together
