"""A console without socket: requests go straight into the application."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import orjson

from engine.channels.format.load import Site
from engine.channels.queries.directory import Directory
from engine.channels.trials import Trials
from engine.console.permissions import Permission
from engine.console.route import Route
from engine.console.routes import ROUTES
from engine.console.session import COOKIE, csrf_of
from engine.console.site import create_app
from engine.console.surroundings import Surroundings
from engine.identity.corrections import Form
from engine.identity.weights import Model
from engine.settings import Settings
from engine.store import accounts, invitations, tokens
from engine.store.corrections import Place
from engine.store.database import Database
from engine.store.patients import shipped
from tests.stored import NOON, OPERATOR

SITE = Settings(
    folder=Path("config"),
    node_name="here",
    site="here",
    identity_system="urn:id:here:enterprise",
)


def door(database, now, name="ana", grants=(), tags=("*",)):
    """Return a one-time code into an account; without grants it may do everything."""
    sealer, until = database.sealer, now + timedelta(hours=1)
    with database.engine() as connection:
        wanted = frozenset(map(str, grants or Permission))
        while found := accounts.by_name(connection, name):
            if (found.grants, found.tags) == (wanted, frozenset(tags)):
                break
            name += "+"
        else:
            accounts.create(connection, sealer, name, wanted, tags, OPERATOR)
        return invitations.invite(
            connection, sealer, name, until, OPERATOR, enrols=False
        )


@dataclass
class Answer:
    """What came back, and how many bytes of the body were asked for."""

    status: int
    headers: dict[str, str]
    body: bytes
    read: int
    all_headers: list[tuple[str, str]] = field(default_factory=list)

    def json(self):
        return orjson.loads(self.body)

    @property
    def text(self):
        return self.body.decode()

    @property
    def cookies(self):
        given = [value for name, value in self.all_headers if name == "set-cookie"]
        pairs = (each.partition(";")[0].partition("=") for each in given)
        return {name: value for name, _, value in pairs}


class Lines:
    """A log in memory; a process may have bound the real one already."""

    def __init__(self):
        self.kept = []

    def info(self, event, **facts):
        self.kept.append((event, facts))

    error = warning = info

    @property
    def events(self):
        return [event for event, _ in self.kept]


@dataclass
class Web:
    """Asks the application of one store; ``token`` is sent along when it is set."""

    database: Database
    settings: Settings = SITE
    token: str = ""
    now: datetime = NOON
    cookie: str = ""
    peer: str = "127.0.0.1"
    csrf: str = ""
    forms: Mapping[Place, Form] = field(default_factory=dict)
    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    routes: Sequence[Route] = ROUTES
    model: Model = field(default_factory=shipped)
    site: Site | None = None
    trials: Trials | None = None

    def __post_init__(self):
        system, site = self.settings.identity_system, self.settings.site
        directory = Directory(site, system, self.model)
        here = Surroundings(
            self.settings,
            self.database,
            directory,
            lambda: self.now,
            self.forms,
            trials=self.trials or Trials(self.settings.folder),
            tags=self.tags,
            site=self.site,
        )
        self.app = create_app(here, self.routes)

    def allowed(self, *permissions, tags=("*",)):
        """Return one whose token may do this."""
        with self.database.engine() as connection:
            secret = tokens.issue(
                connection,
                self.database.sealer,
                "portal",
                permissions or tuple(Permission),
                NOON + timedelta(days=1),
                OPERATOR,
                tags,
            )
        return replace(self, token=secret)

    def signed_in(self, *grants, name="ana", tags=("*",)):
        """Return one whose browser holds a session of an account with these grants."""
        code = door(self.database, self.now, name, grants, tags)
        return self.holding(self.submit("/sign-in", code=code))

    def holding(self, answer):
        """Return one whose browser took the session of an answer."""
        held = answer.cookies[COOKIE]
        return replace(self, cookie=f"{COOKIE}={held}", csrf=csrf_of(held))

    def submit(self, path, **fields):
        """Send a form as a page of ours does."""
        body = urlencode(
            fields | ({"csrf": self.csrf} if self.csrf else {}), True
        ).encode()
        kind = "application/x-www-form-urlencoded"
        headers = [(b"sec-fetch-site", b"same-origin"), (b"accept", b"text/html")]
        return self.ask("POST", path, "", body, kind, headers)

    def browse(self, path, query=""):
        """Ask for a page as a browser does."""
        return self.ask("GET", path, query, headers=[(b"accept", b"text/html")])

    def get(self, path, **query):
        asked = urlencode({k.replace("__", ":"): v for k, v in query.items()}, True)
        return self.ask("GET", path, asked)

    def post(self, path, body=b"", kind="application/fhir+json"):
        sent = body if isinstance(body, bytes) else orjson.dumps(body)
        return self.ask("POST", path, "", sent, kind)

    def ask(self, method, path, query="", body=b"", kind="", headers=()):
        named = [(b"host", b"localhost"), *headers]
        if self.token:
            named.append((b"authorization", b"Bearer " + self.token.encode()))
        if self.cookie:
            named.append((b"cookie", self.cookie.encode()))
        if kind:
            named.append((b"content-type", kind.encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "scheme": "http",
            "headers": named,
            "client": (self.peer, 1),
            "server": ("localhost", 80),
        }
        return asyncio.run(self._run(scope, body))

    async def _run(self, scope, body):
        sent, read = [], 0

        async def receive():
            nonlocal read
            read += len(body)
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        await self.app(scope, receive, send)
        start = sent[0]
        listed = [(k.decode(), v.decode()) for k, v in start["headers"]]
        content = b"".join(each.get("body", b"") for each in sent[1:])
        return Answer(start["status"], dict(listed), content, read, listed)
