"""Our transactions on a real FHIR server: sent again, they change nothing."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from engine.hl7 import parse
from engine.transforms.fhir import (
    MapContext,
    map_message,
    stamp_person,
    transaction,
    write_json,
)
from tests.builders import adt_patient
from tests.edge_ledger import free_port

SAMPLES = sorted(Path(__file__).parents[2].glob("samples/*/message.hl7"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    port = free_port()
    command = [str(Path(sys.executable).with_name("sekmet")), "serve", "--port"]
    process = subprocess.Popen(  # noqa: S603 - a test tool of ours
        [*command, str(port)],
        cwd=tmp_path_factory.mktemp("server"),  # it keeps its data where it starts
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
