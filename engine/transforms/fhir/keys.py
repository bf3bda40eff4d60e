"""Full URLs and queries that stay the same for the same thing.

Spec:
    fhir.md section 6; RFC 4122 version 5 for the URLs.
"""

from functools import lru_cache
from hashlib import sha1
from typing import Final

from engine.transforms.fhir.mapped import Element, Entry, Party
from engine.transforms.fhir.systems import escaped

_URL_NAMESPACE: Final = bytes.fromhex("6ba7b8119dad11d180b400c04fd430c8")


@lru_cache(maxsize=64)
def _site_namespace(site: str) -> bytes:
    return _version_5(_URL_NAMESPACE, f"urn:id:{site}")


def _version_5(namespace: bytes, name: str) -> bytes:
    digest = bytearray(sha1(namespace + name.encode(), usedforsecurity=False).digest())
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return bytes(digest[:16])


@lru_cache(maxsize=16384)
def key(site: str, kind: str, system: str, value: str) -> str:
    """Return the UUID of a thing: resource type and one of its identifiers.

    Examples:
        >>> key("north", "Patient", "urn:oid:1.2.3", "77")
        '6c3be4cb-74ce-5a4e-a99e-59a666319ac6'
    """
    text = _version_5(_site_namespace(site), f"{kind}|{system}|{value}").hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def own_system(site: str) -> str:
    """Return the identifier system of the keys made here."""
    return f"urn:id:{escaped(site)}:key"


@lru_cache(maxsize=16384)
def criteria(system: str, value: str) -> str:
    """Return the query that finds a resource by identifier, escaped for a URL."""
    return f"identifier={_token(system)}|{_token(value)}"


def _token(text: str) -> str:
    """Return one half of a token parameter: FHIR's own marks, then those of a URL."""
    for mark in "\\|,$":
        if mark in text:
            text = text.replace(mark, "\\" + mark)
    return escaped(text).replace("%3A", ":").replace("%2F", "/")


def own_key(site: str, kind: str, *parts: str) -> str:
    """Return the UUID of a resource without an identifier of its own."""
    return key(site, kind, "key", "|".join(parts))


def named_party(site: str, resource: Element, one: Element) -> Party:
    """Return a party that is known by one of its identifiers."""
    system, value = str(one["system"]), str(one["value"])
    url = "urn:uuid:" + key(site, str(resource["resourceType"]), system, value)
    return Party(resource, url, criteria(system, value))


def rekeyed(site: str, entry: Entry, parts: tuple[str, ...]) -> None:
    """Give a resource known by a key of ours the key that these parts make."""
    system, value = own_system(site), own_key(site, entry.kind, *parts)
    known = entry.resource["identifier"]
    assert isinstance(known, list)
    others = [one for one in known if one.get("system") != system]
    numbers = [*others, {"system": system, "value": value}]
    entry.resource = {**entry.resource, "identifier": numbers}
    entry.parts = parts
    entry.move("urn:uuid:" + value, criteria(system, value))


def own_party(site: str, resource: Element, *parts: str) -> Party:
    """Return a party known by a key of ours, which becomes an identifier."""
    one, url, query = _own(site, str(resource["resourceType"]), parts)
    known = resource.get("identifier")
    resource["identifier"] = [*known, one] if isinstance(known, list) else [one]
    return Party(resource, url, query)


@lru_cache(maxsize=16384)
def _own(site: str, kind: str, parts: tuple[str, ...]) -> tuple[Element, str, str]:
    """Return a key of ours as identifier, shared by all who ask, as URL and query."""
    system, value = own_system(site), own_key(site, kind, *parts)
    one: Element = {"system": system, "value": value}
    return one, "urn:uuid:" + value, criteria(system, value)
