"""Patients, visits and accounts under a new number: later messages find them.

What is known stays under the first number, by which servers and other resources know
it; under the new one lies a signpost to it. What has a key of ours made of that number,
such as a diagnosis of the visit, keeps the key of the first one.

Spec:
    fhir.md T28, "Change of identifier: same resource".
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from engine.channels.processing.known import NO_ONE, Kept, closed
from engine.channels.processing.view import View
from engine.store.resources import KnownResource
from engine.transforms.fhir.keys import key, rekeyed
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.update import Version

_KINDS: Final = frozenset(("Account", "Encounter", "Patient"))
_MARKED: Final = re.compile(r"\\(.)")


def follow(entries: Sequence[Entry], view: View, site: str) -> None:
    """Let updates be about what an earlier message gave the number they use."""
    numbered = [entry for entry in entries if entry.kind in _KINDS]
    known = view.known({(one.kind, _own(one)): NO_ONE for one in numbered})
    firsts: dict[str, str] = {}
    for entry in numbered:
        before = known.get((entry.kind, _own(entry)))
        used = entry.renamed or _own(entry)
        if before is not None and "criteria" in before.resource:
            first = str(before.resource["criteria"])
            if entry.known_as:
                entry.known_as = first
            else:
                entry.move(before.full_url, first)
        if used != _own(entry):
            firsts[_part(entry.kind, used, site)] = _part(entry.kind, _own(entry), site)
    if firsts:
        _rekey(entries, firsts, site)


def _own(entry: Entry) -> str:
    """Return the query of the number that its source knows something by."""
    return entry.known_as or entry.criteria


def _part(kind: str, criteria: str, site: str) -> str:
    """Return what a thing found by this query is in the keys of others."""
    found = _MARKED.sub(r"\1", unquote(criteria.removeprefix("identifier=")))
    if kind != "Patient":
        return found
    system, _, value = found.partition("|")
    return "urn:uuid:" + key(site, kind, system, value)


def _rekey(entries: Sequence[Entry], firsts: Mapping[str, str], site: str) -> None:
    """Let what is keyed by a new number keep the key of the first one."""
    for entry in entries:
        parts = tuple(firsts.get(part, part) for part in entry.parts)
        if parts != entry.parts:
            rekeyed(site, entry, parts)


def signposts(
    entries: Sequence[Entry], message_id: int, view: View
) -> list[KnownResource]:
    """Return a signpost for each new number under which nothing is known yet."""
    keys = {(one.kind, one.renamed): one for one in entries if one.renamed}
    known = view.known(dict.fromkeys(keys, NO_ONE))
    found: list[KnownResource] = []
    for place, entry in keys.items():
        if place not in known:
            sign = _signpost(entry)
            view.keep(place, sign)
            found.append(KnownResource(*place, sign.content, message_id=message_id))
    return found


def _signpost(entry: Entry) -> Kept:
    words: Element = {"resourceType": entry.kind, "criteria": _own(entry)}
    return closed(entry.full_url, Version(words))
