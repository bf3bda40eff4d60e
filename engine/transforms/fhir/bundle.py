"""Entries to Bundles, and Bundles to bytes.

Spec:
    fhir.md T06 (decimals keep their literal), T32; FHIR R4, Bundle.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import orjson
import re2  # type: ignore[import-untyped]

from engine.transforms.fhir.digits import Digits
from engine.transforms.fhir.keys import criteria, key
from engine.transforms.fhir.mapped import ENTERPRISE, Element, Entry, Mapped
from engine.transforms.fhir.systems import IDENTIFIER_TYPE

SAID: Final = "urn:interop:said"
"""Extension of an entry's request: the name of a part that the server is to change."""


def write_json(document: Element, *, indented: bool = False) -> bytes:
    """Return a resource or Bundle as UTF-8 JSON; decimals keep their digits."""
    option = _SUBCLASSES | orjson.OPT_INDENT_2 if indented else _SUBCLASSES
    return orjson.dumps(document, default=_literal, option=option)


_SUBCLASSES: Final = orjson.OPT_PASSTHROUGH_SUBCLASS


def read_json(content: bytes) -> Element:
    """Return what `write_json` wrote, the digits of its decimals included."""
    if _DECIMAL.search(content):
        found = json.loads(content, parse_float=Digits)
    else:
        found = orjson.loads(content)
    assert isinstance(found, dict)
    return found


_DECIMAL: Final = re2.compile(rb"(?:\":|[\[,])-?\d+\.\d")
"""A number with a point where a value may stand; an OID in a text is none.

RE2 finds that in a twentieth of the time; it is asked for all that is known.
"""


def _literal(value: object) -> orjson.Fragment:
    if isinstance(value, Digits):
        return orjson.Fragment(value.encode())
    raise TypeError(type(value).__name__)


def _order(entry: Entry) -> tuple[str, str]:
    return entry.kind, entry.full_url


def transaction(entries: Iterable[Entry]) -> Element:
    """Return a transaction Bundle in its fixed order: by type, then by URL."""
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": entry.full_url,
                "resource": entry.resource,
                "request": request(entry),
            }
            for entry in sorted(entries, key=_order)
        ],
    }


def request(entry: Entry) -> Element:
    """Return how a server is asked to take one entry."""
    kind = entry.kind
    if entry.method == "POST":
        found: Element = {"method": "POST", "url": kind}
        if entry.criteria:
            found["ifNoneExist"] = entry.criteria
        return found
    if not entry.criteria:
        return {"method": "PUT", "url": f"{kind}/{entry.resource['id']}"}
    found = {"method": "PUT", "url": f"{kind}?{entry.criteria}"}
    if entry.said is not None:
        marks = [{"url": SAID, "valueString": name} for name in sorted(entry.said)]
        found["extension"] = marks
    return found


def queries(entries: Iterable[Entry]) -> dict[str, str]:
    """Return for each full URL the conditional reference that finds the same thing."""
    return {
        entry.full_url: f"{entry.kind}?{entry.criteria}"
        for entry in entries
        if entry.criteria
    }


def references_in(value: object) -> list[Element]:
    """Return every Reference object of a resource, in no order worth keeping."""
    found: list[Element] = []
    waiting: list[object] = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if isinstance(each.get("reference"), str):
                found.append(each)
            waiting += [v for v in each.values() if isinstance(v, _NESTED)]
        elif isinstance(each, list):
            waiting += [v for v in each if isinstance(v, _NESTED)]
    return found


_NESTED: Final = (dict, list)


def refer_outside(
    resource: Element, known: Mapping[str, str], here: Collection[str] = ()
) -> None:
    """Let references name what is not in the Bundle as its receiver knows it, in place.

    Args:
        resource: a resource of our own copy.
        known: full URL to conditional reference, or to the place on the receiver.
        here: full URLs of the Bundle the resource goes into; these stay as they are.
    """
    for reference in references_in(resource):
        target = str(reference["reference"])
        if target not in here and target in known:
            reference["reference"] = known[target]


def message_bundle(entries: Iterable[Entry]) -> Element:
    """Return a message Bundle: MessageHeader first, no requests."""
    return _plain("message", sorted(entries, key=_header_first))


def collection(entries: Iterable[Entry]) -> Element:
    """Return a collection Bundle in the fixed order."""
    return _plain("collection", sorted(entries, key=_order))


def _header_first(entry: Entry) -> tuple[bool, str, str]:
    kind = entry.kind
    return kind != "MessageHeader", kind, entry.full_url


def _plain(kind: str, entries: list[Entry]) -> Element:
    return {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [
            {"fullUrl": entry.full_url, "resource": entry.resource} for entry in entries
        ],
    }


def stamp_person(
    mapped: Mapped, system: str, enterprise_id: str, *, segment: int = -1
) -> bool:
    """Put an enterprise identifier on a Patient and make it the Patient's identity.

    The identifier comes first, the full URL and the query are made of it, and every
    reference in the message follows. Call it once for each person the message names:
    of a merge, the survivor has the index of its PID, the retired one that of its MRG.

    Args:
        mapped: what `map_message` returned; changed in place.
        system: URI of the enterprise identifier's system.
        enterprise_id: the identifier.
        segment: index of the PID or MRG segment; -1 means the first PID.

    Returns:
        Whether a Patient was stamped. False: there is none for that segment, or another
        Patient of the message has this identity, and the other one keeps its own.
    """
    patients = mapped.patients
    chosen = [one for one in patients if segment in (-1, one.segment)][:1]
    url = "urn:uuid:" + key(mapped.site, "Patient", system, enterprise_id)
    taken = [one for one in patients if one.full_url == url]
    if not chosen or (taken and taken[0] is not chosen[0]):
        return False
    entry = chosen[0]
    stamped = enterprise_identifier(system, enterprise_id)
    known = entry.resource.get("identifier")
    others = known if isinstance(known, list) else []
    entry.resource["identifier"] = [
        stamped, *(one for one in others if one.get("system") != system)
    ]  # fmt: skip
    entry.known_as = entry.criteria
    entry.move(url, criteria(system, enterprise_id))
    return True


def enterprise_identifier(system: str, value: str) -> Element:
    """Return an enterprise identifier as FHIR Identifier."""
    return {
        "use": "official",
        "type": {"coding": [{"system": IDENTIFIER_TYPE, "code": ENTERPRISE}]},
        "system": system,
        "value": value,
    }
