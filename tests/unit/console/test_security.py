"""Rows of security.md that hold for all of the console at once."""

import hashlib
import re
from pathlib import Path

import pytest

from engine.console import assets
from engine.console.permissions import REVEALING, Permission
from engine.console.routes import ROUTES
from tests.sites import busy_site
from tests.web import Web

ENGINE = Path(assets.__file__).parents[1]
CONSOLE = ENGINE / "console"
STATIC = CONSOLE / "static"
OWN = [p for p in STATIC.glob("*.js") if not p.name.endswith(".min.js")]
TEMPLATES = sorted((CONSOLE / "templates").glob("*.html"))
RUNS_CODE = re.compile(
    r"^\s*(?:import|from)\s+(?:marshal|pickle|shelve|jsonpickle|dill|yaml)\b"
    r"|(?<![\w.])(?:eval|exec|compile|__import__)\(",
    re.MULTILINE,
)
STEP_PROCESS = ENGINE / "channels" / "processing" / "step_process.py"
"""It runs the steps of the site's own files, in a sandbox (S35)."""

SKIPPED = ("/live", "/static", "/bench")
"""Streams, files, and a page that starts a process and has tests of its own."""

CELL = "if (cell) cell.innerHTML = html;  // escaped by the server"
"""Counts and states of `cells.py`, which nothing of a message gets into."""

CANARY = re.compile(r"\bDoe\b|19800229|1980-02-29", re.IGNORECASE)


def modules():
    return [p for p in ENGINE.rglob("*.py") if "migrations" not in p.parts]


def test_S02_nothing_stored_or_received_is_read_as_code():
    found = {p for p in modules() if RUNS_CODE.search(p.read_text("utf-8"))}

    assert found <= {STEP_PROCESS}


def test_S02_yaml_is_read_as_text_and_never_makes_objects():
    kinds = {
        kind
        for path in modules()
        for kind in re.findall(r"YAML\(([^)]*)\)", path.read_text("utf-8"))
    }

    assert kinds
    assert not [each for each in kinds if "unsafe" in each or "typ" not in each]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_S26_a_template_has_no_code_of_its_own_and_escapes_every_value(path):
    text = path.read_text("utf-8")

    assert not re.search(r"\|\s*safe\b|autoescape\s+false", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style\b|javascript:", text)
    assert not re.search(r"<[^>]*\s(on[a-z]+|style)=", text)


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_S26_a_script_writes_text_and_runs_none(path):
    text = path.read_text("utf-8")

    words = r"(?:inner|outer|adjacent)html|document\.write|\beval\(|new function"
    places = [
        line.strip()
        for line in text.splitlines()
        if re.search(words, line, re.IGNORECASE)
    ]
    assert set(places) <= {CELL}


def test_what_is_carried_is_what_was_published():
    sums = (STATIC / "SHA256SUMS.txt").read_text().split()
    listed = dict(zip(sums[1::2], sums[::2], strict=True))
    carried = re.findall(
        r"^(\S+\.(?:js|css)):", (STATIC / "LICENSES.txt").read_text(), re.MULTILINE
    )

    assert sorted(listed) == sorted(carried)
    assert {each.name for each in STATIC.glob("*.min.*")} <= listed.keys()
    for name, digest in listed.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest


def test_S11_who_sees_metadata_finds_no_patient_on_any_page_or_answer(tmp_path):
    web = Web(busy_site(tmp_path).database("console"))
    rest = set(Permission) - REVEALING
    browser, program = web.signed_in(*rest), web.allowed(*rest)
    values = {"message_id": 1, "delivery_id": 1, "name": "adt", "form": "json"}

    told = {}
    for route in ROUTES:
        if route.method == "GET" and not route.path.startswith(SKIPPED):
            path = re.sub(
                r"{(\w+)}", lambda hit: str(values.get(hit[1], 1)), route.path
            )
            asks = program.get if path.startswith("/api") else browser.browse
            told[path] = asks(path)

    assert len(told) > 60
    assert "|DOE" in web.signed_in().browse("/messages/1", "tab=received").text.upper()
    shown = {path: answer.text + str(answer.headers) for path, answer in told.items()}
    assert [path for path, text in shown.items() if CANARY.search(text)] == []
