"""The keys of ``interop.toml``: a JSON Schema of them for editors, and a page.

Names, types and defaults are those of `Settings`; what each key means stands here.

Spec:
    cli.md 6; JSON Schema draft 2020-12.
"""

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from engine.settings import KEYS, Settings

Schema = dict[str, object]

_FILE: Final = r"\$\{file:[^}]+\}"
TEXT: Final[Schema] = {"type": "string"}
WORDS: Final[Schema] = {"type": "array", "items": TEXT}
TEXTS: Final[Schema] = {"anyOf": [TEXT, WORDS]}
TABLE: Final[Schema] = {"type": "object", "additionalProperties": TEXT}
_INTEGER: Final[Schema] = {"type": "integer"}
_BOOLEAN: Final[Schema] = {"type": "boolean"}
_FROM_FILE: Final[Schema] = {"type": "string", "pattern": f"^{_FILE}$"}
_SPAN: Final = rf"^(\d{{1,9}}(ms|s|m|h|d|y)|{_FILE})$"
DURATION: Final[Schema] = {"type": "string", "pattern": _SPAN}
_PERCENT: Final[Schema] = {"type": ["string", "integer"]}

_FORMS: Final[Mapping[object, tuple[Schema, str]]] = {
    str: (TEXT, "text"),
    int: ({"anyOf": [_INTEGER, _FROM_FILE]}, "number"),
    bool: ({"anyOf": [_BOOLEAN, _FROM_FILE]}, "`true`, `false`"),
    timedelta: (DURATION, "duration"),
    tuple[str, ...]: (TEXTS, "list of text"),
}


def words(*allowed: str) -> Schema:
    """Return the schema of a value that is one of some words."""
    return {"enum": list(allowed)}


@dataclass(frozen=True, slots=True)
class Part:
    """A section: what it is for, and its keys, each with meaning and form.

    With ``named`` it holds sections of a site's own names, and each of them has the
    keys. ``form`` stands for a section of other names only.
    """

    meaning: str
    keys: Mapping[str, tuple[str, Schema]] = field(default_factory=dict)
    named: bool = False
    form: Schema | None = None

    def schema(self) -> Schema:
        """Return the schema of the section."""
        told: Schema = {"description": self.meaning}
        if self.form is not None:
            return told | {"type": "object", "additionalProperties": self.form}
        keys = {
            name: {"description": says, **of} for name, (says, of) in self.keys.items()
        }
        closed = _closed(keys)
        if self.named:
            return told | {"type": "object", "additionalProperties": closed}
        return told | closed


MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "site": "part of minted identifiers: the same on every node, never changed",
        "identity.system": "system of the enterprise identifier",
        "time-zone": "IANA zone of times without an offset and of hours",
        "environment": "which of environments.* fills in placeholders",
        "store.url": "folder as sqlite:///PATH, or postgresql://...",
        "store.key": "file of the key that content at rest is sealed with",
        "store.backups": "folder that backups are made in, better on another disk",
        "node.name": "several nodes need different names",
        "node.workers": "worker processes",
        "console.bind": "address and port of the console",
        "console.tls": "TLS profile of the console; this or a proxy beyond loopback",
        "console.proxy": "address of the proxy in front that ends TLS",
        "console.session-idle": "a session ends after so long without a request",
        "console.session-max": "a session ends after so long in any case",
        "console.address": "address that links in invitations and alerts begin with",
        "console.second-factor": "roles and permissions that need a second factor",
        "console.mask-lists": "whether lists mask patients until somebody looks closer",
        "console.tour": "whether the console leads through its pages at first",
        "console.small-cells": "counts up to this are hidden without view-phi",
        "metrics.bind": "address and port of the metrics",
        "metrics.token": "bearer token that metrics on the console's port ask for",
        "http.bind": "address and port of the listener for http sources",
        "log.level": "what is logged at least",
        "log.format": "auto is JSON unless standard error is a terminal",
        "retention.content": "how long bodies of messages are kept",
        "retention.metadata": "how long search data of messages is kept",
        "retention.audit": "how long the audit trail is kept; six years at least",
        "files.allowed": "folders that file sources and destinations may use",
        "outbound.allowed": "hosts that may be sent to; when empty those of channels",
    }
)
"""What each single key means."""

_WORDS: Final[Mapping[str, Schema]] = MappingProxyType(
    {
        "log.level": words("debug", "info", "warning", "error"),
        "log.format": words("auto", "json", "text"),
    }
)
"""Forms of the keys that take some words only."""

_SAID: Final[Mapping[str, str]] = MappingProxyType(
    {"node.name": "host name", "node.workers": "processors less one, at most 8",
     "site": "host name", "identity.system": "urn:id:SITE:enterprise",
     "store.key": "made on first use, outside store and configuration"}
)  # fmt: skip
"""Defaults that follow from where the node runs."""

_CUSTODIAN: Final[Schema] = {
    "type": "object",
    "required": ["name", "id"],
    "properties": {
        "name": {"description": "organization that keeps the documents", **TEXT},
        "id": {"description": "its OID", **TEXT},
        "phone": {"description": "URL such as tel:+1-555-555-1000", **TEXT},
        "street": {"description": "street and number", **TEXT},
        "city": {"description": "city", **TEXT},
        "state": {"description": "state", **TEXT},
        "postal-code": {"description": "postal code", **TEXT},
        "country": {"description": "country", **TEXT},
    },
    "additionalProperties": False,
}

PARTS: Final[Mapping[str, Part]] = MappingProxyType(
    {
        "environments": Part(
            "values for ${NAME} in channel files, by environment",
            form={
                "type": "object",
                "additionalProperties": {"type": ["string", "number", "boolean"]},
            },
        ),
        "tls": Part(
            "TLS profiles",
            {
                "certificate": ("our certificate, PEM", TEXT),
                "key": ("its private key, PEM", TEXT),
                "ca": ("authorities that peers must be signed by, PEM", TEXT),
                "peers": ("names a peer's certificate must have one of", WORDS),
                "crl": ("revocation list, PEM", TEXT),
            },
            named=True,
        ),
        "credentials": Part(
            "what the engine, or who posts to it, is signed in with",
            {
                "kind": ("how it is sent", words("none", "basic", "bearer")),
                "user": ("name for basic and for mail", TEXT),
                "password": ("password for basic and for mail", TEXT),
                "token": ("token for bearer", TEXT),
                "secret": ("what posts to a webhook are signed with", TEXT),
            },
            named=True,
        ),
        "contacts": Part(
            "who is told of alerts, in the order written",
            {
                "email": ("addresses", TEXTS),
                "webhook": ("URLs that alerts are posted to", TEXTS),
                "credential": ("whose secret signs what is posted", TEXT),
            },
            named=True,
        ),
        "teams": Part(
            "who errors are assigned to",
            {"members": ("accounts or addresses", WORDS)},
            named=True,
        ),
        "smtp": Part(
            "the mail server",
            {
                "server": ("HOST:PORT", TEXT),
                "from": ("sender of our mail", TEXT),
                "security": ("starttls when empty", words("starttls", "tls", "none")),
                "credential": ("whose user and password sign in", TEXT),
            },
        ),
        "alerts": Part(
            "what the node itself alerts about",
            {
                "notify": ("contacts", TEXTS),
                "disk-over": ("percentage such as 85%", _PERCENT),
                "certificate-within": ("before a certificate ends", DURATION),
                "after": ("how long a process may not report", DURATION),
            },
        ),
        "calendars": Part("lists of days without traffic, by name", form=TEXTS),
        "tables": Part(
            "policies of code tables",
            {
                "on-missing": ("used when the step says nothing", TEXT),
                "match": ("how codes are compared", words("exact", "trim", "upper")),
                "owner": ("gets misses assigned", TEXT),
                "approval": ("whether changes need two", words("one", "two")),
            },
            named=True,
        ),
        "hl7": Part("names of site-defined fields by segment and number", form=TABLE),
        "cda": Part(
            "the site in C-CDA documents",
            {
                "root": ("OID below which document ids hang", TEXT),
                "enterprise": ("OID of the enterprise identifier", TEXT),
                "language": ("language of documents, en-US when empty", TEXT),
                "templates": ("templates claimed", words("r2.1+cg4.1", "r2.1")),
                "max-attachment": ("size such as 7MB", TEXT),
                "rules": ("folder with the site's copy of HL7's rules", TEXT),
                "rules-sha256": ("digest of each file in it", TABLE),
                "custodian": ("organization that keeps the documents", _CUSTODIAN),
            },
        ),
        "oidc": Part(
            "the identity provider of the console",
            {
                "issuer": ("URL that begins with https://", TEXT),
                "client-id": ("our name there", TEXT),
                "client-secret": ("our secret there", TEXT),
                "groups": ("claim that lists groups", TEXT),
                "name": ("claim that names a person", TEXT),
                "scope": ("what is asked for", TEXT),
                "roles": ("group to role", TABLE),
                "tags": ("group to channel tag", TABLE),
            },
        ),
        "masking": Part(
            "profiles of what is shown of a masked message",
            {
                "show": ("fields that are shown", WORDS),
                "years": ("dates of which the year is", WORDS),
                "roles": ("roles that have the profile", WORDS),
            },
            named=True,
        ),
    }
)  # fmt: skip
"""The sections that hold more than single keys."""


def settings_schema() -> Schema:
    """Return the schema of ``interop.toml``."""
    properties: dict[str, Schema] = {}
    groups: dict[str, dict[str, Schema]] = {}
    for name, each in KEYS.items():
        if name in PARTS:
            properties[name] = PARTS[name].schema()
            continue
        group, mark, key = name.partition(".")
        told = {"description": MEANINGS[name], **_of_key(name, each)}
        if not mark:
            properties[name] = told
            continue
        groups.setdefault(group, {})[key] = told
    for group, keys in groups.items():
        properties[group] = _closed(keys)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Interop Engine settings",
        **_closed(properties),
    }


def _closed(keys: Mapping[str, Schema]) -> Schema:
    """Return the schema of a section that has these keys and no other."""
    return {"type": "object", "properties": keys, "additionalProperties": False}


def _of_key(name: str, each: "Field[object]") -> Schema:
    """Return the form of a single key, and its default where that is a fixed one."""
    form = _WORDS.get(name) or _FORMS[each.type][0]
    fixed = name not in _SAID and each.default != ""
    return {**form, "default": _plain(each.default)} if fixed else form


def _plain(value: object) -> object:
    """Return a default as the file would hold it."""
    if isinstance(value, timedelta):
        days, rest = divmod(value, timedelta(days=1))
        return f"{days}d" if not rest else f"{rest // timedelta(minutes=1)}m"
    return list(value) if isinstance(value, tuple) else value


def single_keys() -> Iterator[tuple[str, str, str, str]]:
    """Yield key, kind of value, default and meaning of all that is no section."""
    for name, each in KEYS.items():
        if name not in PARTS:
            allowed = _WORDS.get(name, {}).get("enum")
            kind = _listed(allowed) if allowed else _FORMS[each.type][1]
            default = _SAID.get(name) or _listed(_plain(each.default))
            yield name, kind, default, MEANINGS[name]


def _listed(value: object) -> str:
    """Return a value, or several, as code."""
    if isinstance(value, list):
        return ", ".join(map(_listed, value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`" if text else ""


def unknown_keys(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield key, sentence and hint for each key of a section that nothing reads.

    What the other sections hold is looked at where it is read.
    """
    for section in ("tls", "credentials", "teams"):
        known = PARTS[section].keys
        for name, told in getattr(settings, section).items():
            for key in (
                sorted(told.keys() - known.keys()) if isinstance(told, dict) else ()
            ):
                near = get_close_matches(key, known, 1)
                hint = (
                    f"did you mean {near[0]}?" if near else f"keys: {', '.join(known)}"
                )
                yield key, f"[{section}.{name}] has no key {key!r}", hint
