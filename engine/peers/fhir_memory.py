"""A FHIR server that only remembers: for demos, tests and measurements.

It takes transactions, batches and single requests, with conditional creates and
updates, If-Match and searches by identifier; it answers as a real server would, and
keeps everything in memory. It checks nothing and resolves no references.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import orjson

Json = dict[str, object]
MAX_BODY = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and body of one answer."""

    status: int
    body: Json


@dataclass(slots=True)
class Memory:
    """The resources received, by type and id, with an index over identifiers."""

    save: Path | None = None
    resources: dict[str, dict[str, Json]] = field(default_factory=dict)
    versions: Counter[str] = field(default_factory=Counter)
    bundles: int = 0
    last_file: Path | None = None
    _index: dict[str, set[str]] = field(default_factory=dict)

    def ask(
        self, method: str, target: str, raw: bytes, headers: Mapping[str, str]
    ) -> Reply:
        """Return the answer to one request as it comes off the wire.

        Args:
            method: GET, PUT or POST.
            target: what follows the base, without a slash before it.
            raw: the body; a form for ``Type/_search``, else JSON or nothing.
            headers: by their names in lower case.
        """
        kind, _, rest = target.partition("/")
        if method == "POST" and rest == "_search":
            return self._read(f"{kind}?{raw.decode('latin-1')}")
        try:
            body = orjson.loads(raw) if raw else {}
        except orjson.JSONDecodeError:
            return Reply(400, _outcome("the body is not JSON"))
        unless = headers.get("if-none-exist", "")
        return self.answer(method, target, body, unless, headers.get("if-match", ""))

    def answer(
        self, method: str, target: str, body: Json, unless: str = "", match: str = ""
    ) -> Reply:
        """Return what a server would answer to one request below its base.

        ``unless`` and ``match`` are the request's If-None-Exist and If-Match.
        """
        if method == "POST" and not target.strip("/"):
            return self._bundle(body)
        if method in {"PUT", "POST"}:
            return self._write(method, target.strip("/"), body, unless, match)
        if method == "GET":
            return self._read(target.strip("/"))
        return Reply(405, _outcome("not supported"))

    def _bundle(self, bundle: Json) -> Reply:
        """Take a transaction or a batch; all or nothing holds for If-Match alone."""
        self.bundles += 1
        if self.save is not None:
            self.last_file = self.save / f"bundle-{self.bundles:06d}.json"
            self.last_file.write_bytes(orjson.dumps(bundle, option=orjson.OPT_INDENT_2))
        entries = list(_list(bundle.get("entry")))
        if bundle.get("type") == "transaction" and any(map(self._is_stale, entries)):
            return Reply(412, _outcome("another version is there"))
        answers = [self._entry(entry) for entry in entries]
        kind = f"{bundle.get('type', 'batch')}-response"
        return Reply(200, {"resourceType": "Bundle", "type": kind, "entry": answers})

    def _is_stale(self, entry: Json) -> bool:
        request = _object(entry.get("request"))
        match = request.get("ifMatch")
        return bool(match) and match != self._etag(str(request["url"]))

    def _etag(self, place: str) -> str:
        return f'W/"{self.versions[place]}"'

    def _entry(self, entry: Json) -> Json:
        request = _object(entry.get("request"))
        resource = _object(entry.get("resource"))
        method = str(request.get("method", "POST"))
        reply = self.answer(
            method,
            str(request.get("url", resource.get("resourceType", ""))),
            resource,
            str(request.get("ifNoneExist", "")),
            str(request.get("ifMatch", "")),
        )
        if method == "GET":
            status = f"{reply.status} {HTTPStatus(reply.status).phrase}"
            return {"response": {"status": status}, "resource": reply.body}
        place = f"{reply.body.get('resourceType')}/{reply.body.get('id')}"
        version = self.versions[place]
        return {
            "response": {
                "status": f"{reply.status} {HTTPStatus(reply.status).phrase}",
                "location": f"{place}/_history/{version}",
                "etag": self._etag(place),
            }
        }

    def _write(
        self, method: str, target: str, resource: Json, unless: str, match: str
    ) -> Reply:
        """Create or update one resource, by id, by criteria, or new."""
        if match and match != self._etag(target):
            return Reply(412, _outcome("another version is there"))
        path, _, query = target.partition("?")
        kind, _, key = path.partition("/")
        kept = self.resources.setdefault(kind, {})
        if criteria := query or unless:
            matches = self.matching(kind, criteria)
            if len(matches) > 1:
                return Reply(412, _outcome("more than one resource matches"))
            key = next(iter(matches), "")
            if key and unless:
                return Reply(200, kept[key])
        known = bool(key) and key in kept
        key = key if key and method == "PUT" else f"{len(kept) + 1}"
        stored = {**resource, "id": key}
        kept[key] = stored
        self.versions[f"{kind}/{key}"] += 1
        for identifier in _list(stored.get("identifier")):
            token = f"{identifier.get('system', '')}|{identifier.get('value', '')}"
            self._index.setdefault(f"{kind}?{token}", set()).add(key)
        return Reply(200 if known else 201, stored)

    def matching(self, kind: str, query: str) -> set[str]:
        """Return the ids of the resources that have every identifier of a query."""
        wanted = parse_qs(query).get("identifier", [])
        found = [self._index.get(f"{kind}?{unquote(token)}", set()) for token in wanted]
        return set.intersection(*found) if found else set(self.resources.get(kind, {}))

    def _read(self, target: str) -> Reply:
        """Answer ``metadata``, one resource, or a search by identifier."""
        if target == "metadata":
            capability = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
            return Reply(200, {**capability, "status": "active", "kind": "instance"})
        path, _, query = target.partition("?")
        kind, _, key = path.partition("/")
        kept = self.resources.get(kind, {})
        if key:
            missing = _outcome(f"{kind}/{key} is not known")
            there = key in kept
            return Reply(200, self._shown(kind, key)) if there else Reply(404, missing)
        found: list[Json] = [
            {"resource": self._shown(kind, k)} for k in self.matching(kind, query)
        ]
        answer: Json = {"resourceType": "Bundle", "type": "searchset", "entry": found}
        return Reply(200, {**answer, "total": len(found)})

    def _shown(self, kind: str, key: str) -> Json:
        meta: Json = {"versionId": str(self.versions[f"{kind}/{key}"])}
        return {**self.resources[kind][key], "meta": meta}


async def serve(memory: Memory, host: str, port: int) -> asyncio.Server:
    """Start answering HTTP on ``host:port``; any path prefix is taken as the base."""

    async def converse(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while await _exchange(memory, reader, writer):
                pass
        except (EOFError, OSError, ValueError, asyncio.CancelledError):
            pass  # the peer is gone, makes no sense, or we are stopping
        finally:
            writer.close()

    return await asyncio.start_server(converse, host, port)


async def _exchange(
    memory: Memory, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Read one request, write its answer; False when the peer is done."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    headers = dict(_header(line) for line in head[1:] if line)
    raw = await _body(headers, reader)
    reply = memory.ask(method, _below_base(target), raw, headers)
    content = orjson.dumps(reply.body)
    keep = headers.get("connection", "").lower() != "close"
    writer.write(
        b"HTTP/1.1 %d OK\r\nContent-Type: application/fhir+json\r\n"
        b"Content-Length: %d\r\nConnection: %s\r\n\r\n%s"
        % (reply.status, len(content), b"keep-alive" if keep else b"close", content)
    )
    await writer.drain()
    return keep


async def _body(headers: dict[str, str], reader: asyncio.StreamReader) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        parts = bytearray()
        while size := int((await reader.readline()).split(b";")[0], 16):
            parts += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return bytes(parts)
    size = int(headers.get("content-length", "0"))
    if size > MAX_BODY:
        raise ValueError("the body is too large")
    return await reader.readexactly(size)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _below_base(target: str) -> str:
    """Return what follows the base, which ends before the first resource type."""
    url = urlsplit(target)
    parts = [part for part in url.path.split("/") if part]
    while parts and not parts[0][0].isupper() and parts[0] != "metadata":
        parts.pop(0)
    return "/".join(parts) + (f"?{url.query}" if url.query else "")


def _outcome(text: str) -> Json:
    issue = {"severity": "error", "code": "processing", "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _list(value: object) -> Iterable[Json]:
    return (
        [part for part in value if isinstance(part, dict)]
        if isinstance(value, list)
        else []
    )


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}
