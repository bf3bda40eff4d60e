"""A real browser on a real console."""

import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import uvicorn
from playwright.sync_api import sync_playwright

from engine.channels.clock import utc_now
from engine.console.live import Pulse
from engine.store.database import Database
from tests.web import Web, door

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")  # its event loop would stop tests of other kinds
def chromium():
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@dataclass
class Served:
    """A console that answers at ``address``, and the store behind it."""

    address: str
    database: Database
    pulse: Pulse

    def code(self, *grants):
        return door(self.database, utc_now(), grants=grants)


@contextmanager
def served(database, **about):
    """Serve the console of a store on a free port of this machine."""
    app = Web(database, now=utc_now(), **about).app
    config = uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    app.state.pulse.ending = lambda: server.should_exit
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        [(_, port)] = [s.getsockname() for s in server.servers[0].sockets]
        yield Served(f"http://127.0.0.1:{port}", database, app.state.pulse)
    finally:
        server.should_exit = True
        thread.join()


PATIENCE_MS = 180_000
"""Only what never comes is an error: a busy machine is slow."""


class Watched:
    """A page, and everything about it that must not be."""

    def __init__(self, page, address):
        self.page = page
        self.address = address
        self.complaints = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._said)
        page.on("request", self._asked)
        page.on("dialog", lambda dialog: self._ran(dialog.message, dialog))

    def _said(self, message):
        if message.type in {"error", "warning"} and "status of 4" not in message.text:
            self.complaints.append(message.text)

    def _asked(self, request):
        if not request.url.startswith((self.address, "data:")):
            self.complaints.append(f"asked for {request.url}")

    def _ran(self, words, dialog):
        self.complaints.append(f"ran a script: {words}")
        dialog.dismiss()

    def visit(self, path):
        self.page.goto(self.address + path)
        return self.page

    def sign_in(self, code):
        page = self.visit("/sign-in?with=code")
        page.fill("#code", code)
        page.press("#code", "Enter")
        page.wait_for_url(f"{self.address}/")
