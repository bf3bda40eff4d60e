"""Commands that are processes of their own: listen, send, run, reload, stop."""

import json
import os
import signal
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.cli.child_process import ChildProcess, cpu_seconds, free_ports, interop
from engine.cli.invocation import Exit, Stop
from engine.cli.project import write_project
from engine.cli.root import interop as command

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
HERE = {"PYTHONPATH": str(ROOT)}


def run(*words):
    return CliRunner().invoke(command, [str(word) for word in words])


@pytest.fixture
def receiver(tmp_path):
    (port,) = free_ports(1)
    words = ("listen", str(port), "--save", str(tmp_path / "got"))
    with ChildProcess(interop(*words), tmp_path / "log", HERE) as process:
        process.wait_for([port])
        yield port


def test_every_message_sent_is_answered_and_kept(receiver, tmp_path):
    acks = tmp_path / "acks"

    result = run("send", SAMPLES, "--to", f":{receiver}", "--save-acks", acks)

    assert result.exit_code == Exit.DONE, result.output
    sent = json.loads(result.stdout)
    assert sent["sent"] == sent["accepted"] == len(list(SAMPLES.glob("*/message.hl7")))
    assert len(list(acks.iterdir())) == len(list((tmp_path / "got").iterdir()))


def test_a_sample_is_sent_by_the_start_of_its_name(receiver):
    words = ("--to", f":{receiver}", "--count", "3", "--rate", "100/s")

    result = run("send", "sample:adt-a01", *words)

    assert json.loads(result.stdout)["accepted"] == 3


def test_sending_goes_on_where_it_was_left(receiver):
    total = len(list(SAMPLES.glob("*/message.hl7")))

    result = run("send", SAMPLES, "--to", f":{receiver}", "--from", total)

    assert json.loads(result.stdout)["sent"] == 1


def test_a_refusal_is_a_problem(tmp_path):
    (port,) = free_ports(1)
    words = interop("listen", str(port), "--ack", "AE")
    with ChildProcess(words, tmp_path / "log", HERE) as process:
        process.wait_for([port])

        result = run("send", "sample:adt-a01", "--to", f":{port}")

    assert result.exit_code == Exit.PROBLEMS
    assert json.loads(result.stdout)["codes"] == {"AE": 1}


def test_an_unknown_tls_profile_sends_nothing(receiver, tmp_path):
    words = ("--to", f":{receiver}", "--tls", "his", "--config", tmp_path)

    result = run("send", "sample:adt-a01", *words)

    assert result.exit_code == Exit.USAGE
    assert "profiles: system" in result.stderr
    assert not list((tmp_path / "got").iterdir())


def test_tls_to_a_plain_receiver_is_no_way_back_to_plain_text(receiver, tmp_path):
    words = ("--to", f":{receiver}", "--tls", "system", "--config", tmp_path)

    result = run("send", "sample:adt-a01", "--timeout", "0.3", *words)

    assert result.exit_code == Exit.UNREACHABLE
    assert not list((tmp_path / "got").iterdir())


def test_nobody_there_is_unreachable_and_says_so():
    (port,) = free_ports(1)

    result = run("send", "sample:adt-a01", "--to", f":{port}")

    assert result.exit_code == Exit.UNREACHABLE
    assert f"127.0.0.1:{port}" in result.stderr


def test_a_taken_port_cannot_be_listened_on(receiver):
    assert run("listen", receiver).exit_code == Exit.UNREACHABLE


def test_listening_ends_by_itself_and_tells_what_came():
    result = run("listen", "0", "--fhir", "--for", "100ms")

    assert json.loads(result.stdout) == {"bundles": 0, "resources": {}}


def test_a_command_that_ends_at_once_is_not_waited_for(tmp_path):
    process = ChildProcess(interop("fly"), tmp_path / "log", HERE)

    with process, pytest.raises(Stop, match="it ended"):
        process.wait_for(free_ports(1))


def test_the_cpu_of_a_process_is_counted():
    assert cpu_seconds(os.getpid()) > 0
    assert cpu_seconds(2**22 + 1) == 0


def ready_within(seconds, config):
    """Ask until every process has reported: the worker starts after the edge."""
    end = time.monotonic() + seconds
    while True:
        asked = run("health", "--ready", *config)
        if asked.exit_code == Exit.DONE or time.monotonic() > end:
            return asked
        time.sleep(0.5)


@pytest.mark.slow
def test_an_engine_is_run_reloaded_and_stopped(tmp_path):
    write_project(tmp_path)
    adt, lab, relay, fhir, his, console = free_ports(6)
    variables = {
        **HERE,
        "INTEROP_CONSOLE__BIND": f"127.0.0.1:{console}",
        "ADT_PORT": str(adt),
        "LAB_PORT": str(lab),
        "RELAY_PORT": str(relay),
        "HIS_PORT": str(his),
        "FHIR_BASE_URL": f"http://127.0.0.1:{fhir}/fhir",
    }
    config = ("--config", str(tmp_path / "config"))
    log = tmp_path / "log"
    with ChildProcess(interop("run", *config), log, variables) as engine:
        engine.wait_for([adt, lab, relay, console])
        sent = run("send", "sample:adt-a01", "--to", f":{adt}")
        ready = ready_within(30, config)
        with closing(HTTPConnection("127.0.0.1", console, timeout=10)) as asked:
            asked.request("GET", "/readyz")
            answer = asked.getresponse()
            healthy = answer.status, answer.read()
        reloaded = run("reload", *config)
        still = run("send", "sample:adt-a08", "--to", f":{adt}")
        stopped = run("stop", *config)

        assert (sent.exit_code, still.exit_code) == (Exit.DONE, Exit.DONE)
        assert ready.exit_code == Exit.DONE, ready.output
        assert json.loads(reloaded.stdout)["told"] == 3
        assert healthy == (200, b"ready")
        assert json.loads(stopped.stdout) == {"stopped": 1}
        assert not engine.running
    (waiting,) = map(json.loads, run("status", *config).stdout.splitlines())
    assert (waiting["received"], waiting["waiting"]) == (2, 2)


@pytest.mark.slow
def test_what_a_supervisor_started_ends_though_it_died_before_they_looked(tmp_path):
    write_project(tmp_path)
    adt, lab, relay, console = free_ports(4)
    variables = {
        **HERE,
        "INTEROP_CONSOLE__BIND": f"127.0.0.1:{console}",
        "ADT_PORT": str(adt),
        "LAB_PORT": str(lab),
        "RELAY_PORT": str(relay),
    }
    words = interop("run", "--config", str(tmp_path / "config"))
    with ChildProcess(words, tmp_path / "log", variables) as engine:
        while len(children := children_of(engine.pid)) < 3:
            assert engine.running
        os.kill(engine.pid, signal.SIGKILL)

    end = time.monotonic() + 60
    while (
        left := [pid for pid in children if is_alive(pid)]
    ) and time.monotonic() < end:
        time.sleep(0.1)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def children_of(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in found.read_text("ascii").split()]


def is_alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_an_interrupted_send_says_how_to_go_on(tmp_path):
    (port,) = free_ports(1)
    got = tmp_path / "got"
    listen = interop("listen", str(port), "--delay", "300ms", "--save", str(got))
    send = interop("send", str(SAMPLES), "--to", f":{port}")
    with ChildProcess(listen, tmp_path / "log", HERE) as receiver:
        receiver.wait_for([port])
        with ChildProcess(send, tmp_path / "sent", HERE) as sender:
            while not list(got.iterdir()):
                assert sender.running
            os.kill(sender.pid, signal.SIGINT)
            code = sender.wait()

    assert code == Exit.INTERRUPTED
    assert "resume with --from" in (tmp_path / "sent").read_text(encoding="utf-8")
