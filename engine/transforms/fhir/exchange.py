"""A transaction of ours held against what a server has: queries become its own ids.

Pure: the asking and the sending are done elsewhere. Everything here works on a
transaction as JSON, read anew for each try, and changes it in place.

Spec:
    fhir.md T19 and section 6; FHIR R4, http.html: conditional interactions, If-Match.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from engine.transforms.fhir.bundle import refer_outside, references_in
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.partial import grafted


class Held(NamedTuple):
    """A resource as a server has it; ``place`` is its relative URL, ``Patient/4``."""

    place: str
    resource: Element

    @property
    def version(self) -> str:
        """The ETag to name in If-Match; ``""`` where the server keeps no versions."""
        meta = self.resource.get("meta")
        number = meta.get("versionId") if isinstance(meta, dict) else None
        return f'W/"{number}"' if number else ""


Found: TypeAlias = Mapping[str, Held]
"""What a server has, by the query that finds it: ``Patient?identifier=...``."""


def entries_of(bundle: Element) -> list[Element]:
    """Return the entries of a Bundle of ours."""
    entries = bundle["entry"]
    assert isinstance(entries, list)
    return entries


def query_of(entry: Element) -> str:
    """Return the query that finds an entry's resource; ``""`` for one put by its id."""
    request = request_of(entry)
    if criteria := request.get("ifNoneExist"):
        return f"{request['url']}?{criteria}"
    url = str(request["url"])
    return url if "?" in url else ""


def request_of(entry: Element) -> Element:
    """Return how a server is asked to take an entry."""
    request = entry["request"]
    assert isinstance(request, dict)
    return request


def resource_of(entry: Element) -> Element:
    """Return the resource of an entry."""
    resource = entry["resource"]
    assert isinstance(resource, dict)
    return resource


def queries_in(bundle: Element) -> list[str]:
    """Return every query a server has to answer: what entries are, and refer to."""
    found = dict.fromkeys(filter(None, map(query_of, entries_of(bundle))))
    return [*found, *(each for each in _conditional(bundle) if each not in found)]


def _conditional(bundle: Element) -> list[str]:
    """Return the conditional references of a Bundle, each once."""
    return sorted(
        {
            str(one["reference"])
            for entry in entries_of(bundle)
            for one in references_in(resource_of(entry))
            if "?" in str(one["reference"])
        }
    )


def unmet_in(bundle: Element, found: Found) -> list[str]:
    """Return the types of what entries refer to and neither they nor the server has."""
    here = set(map(query_of, entries_of(bundle)))
    absent = [one for one in _conditional(bundle) if one not in found]
    return sorted({one.partition("?")[0] for one in absent if one not in here})


def places_in(entries: Iterable[Element], found: Found) -> dict[str, str]:
    """Return the place on the server of what references may name, as far as known."""
    places = {query: held.place for query, held in found.items()}
    for entry in entries:
        query = query_of(entry)
        if not query:
            places[str(entry["fullUrl"])] = str(request_of(entry)["url"])
        elif query in found:
            places[str(entry["fullUrl"])] = found[query].place
    return places


def marks_of(entry: Element) -> frozenset[str] | None:
    """Return the parts an entry is to change, taken off it; None for all of it."""
    marks = request_of(entry).pop("extension", None)
    if not isinstance(marks, list):
        return None
    return frozenset(str(one["valueString"]) for one in marks)


def onto(
    held: Held, ours: Element, said: frozenset[str], places: Mapping[str, str]
) -> Element:
    """Return what a server is to have in place of what it has."""
    known = set()
    for name in said:
        element, mark, member = name.partition("#")
        known.add(f"{element}{mark}{places.get(member, member)}")
    return grafted(held.resource, ours, known)


# ---- a transaction that changes parts


def narrowed(bundle: Element, found: Found) -> list[int]:
    """Let a transaction change nothing but what it says, given what the server has.

    A marked entry becomes an update of the version seen, or a creation where the server
    has none; one that changes nothing is left out.

    Returns:
        The places, among the entries left, of those that must be created: if such a one
        exists by the time it arrives, what it says is not told yet.
    """
    entries = entries_of(bundle)
    places = places_in(entries, found)
    left: list[Element] = []
    created: list[int] = []
    for entry in entries:
        refer_outside(resource_of(entry), places)
        said, query = marks_of(entry), query_of(entry)
        if said is not None and query in found:
            if not _update(entry, found[query], said, places):
                continue
        elif said is not None:
            kind, _, criteria = query.partition("?")
            entry["request"] = {"method": "POST", "url": kind, "ifNoneExist": criteria}
            created.append(len(left))
        left.append(entry)
    bundle["entry"] = left
    return created


def _update(
    entry: Element, held: Held, said: frozenset[str], places: Mapping[str, str]
) -> bool:
    """Make an entry an update of what the server has; False where nothing changes."""
    whole = onto(held, resource_of(entry), said, places)
    entry["resource"] = whole
    entry["request"] = {"method": "PUT", "url": held.place}
    if held.version:
        entry["request"] = {**request_of(entry), "ifMatch": held.version}
    return whole != held.resource


# ---- one resource after the other


def in_turn(entries: Iterable[Element], places: Mapping[str, str]) -> list[Element]:
    """Return entries such that each comes after what it refers to, where that goes.

    What the server has needs no turn before others. In a circle the first of the given
    order comes last.
    """
    by_url = {str(entry["fullUrl"]): entry for entry in entries}
    seen: set[str] = set()
    done: list[Element] = []
    for start in by_url:
        path = [] if start in seen else [(start, _awaited(start, by_url, places))]
        seen.add(start)
        while path:
            url, awaited = path[-1]
            after = next((one for one in awaited if one not in seen), "")
            if after:
                seen.add(after)
                path.append((after, _awaited(after, by_url, places)))
            else:
                done.append(by_url[url])
                path.pop()
    return done


def _awaited(
    url: str, by_url: Mapping[str, Element], places: Mapping[str, str]
) -> Iterator[str]:
    """Return the full URLs that an entry refers to and that have no place yet."""
    targets = _targets(resource_of(by_url[url])) & by_url.keys()
    return iter(sorted(targets - places.keys()))


def without(resource: Element, absent: frozenset[str]) -> Element:
    """Return a resource without the members that refer to what is not there yet.

    A member is a whole one of a list, or else a whole element: a part of it alone may
    not be valid.
    """
    found: Element = {}
    for name, value in resource.items():
        if isinstance(value, list):
            members = [one for one in value if not _targets(one) & absent]
            if members:
                found[name] = members
        elif not _targets(value) & absent:
            found[name] = value
    return found


def _targets(value: object) -> frozenset[str]:
    return frozenset(str(one["reference"]) for one in references_in(value))
