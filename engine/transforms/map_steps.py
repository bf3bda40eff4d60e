"""Python rows of ``map``: resources out to a site's own function, and back.

Spec:
    channel-format.md 5.1 and 6.
"""

from collections.abc import Callable, Mapping

import orjson

from engine.errors import TransformError
from engine.transforms.fhir.bundle import write_json
from engine.transforms.fhir.checks import check_resource
from engine.transforms.fhir.digits import Digits
from engine.transforms.fhir.keys import criteria, key, own_system
from engine.transforms.fhir.mapped import Element, Entry, Mapped
from engine.transforms.step_context import Resources
from engine.transforms.taking_out import leave

_URL = "urn:uuid:"


def offered(mapped: Mapped) -> Resources:
    """Return the resources as a step sees them: plain JSON, each with its id.

    The id is the last part of the full URL, so that ``urn:uuid:ID`` refers to it.
    """
    return [
        {**orjson.loads(write_json(entry.resource)), "id": _id(entry)}
        for entry in mapped.entries
    ]


def take_back(
    mapped: Mapped, made: Resources, row: str, number: Callable[[str], str]
) -> None:
    """Put what a step made of the resources in their place.

    What it left alone stays as it was, numbers keep the digits they were sent with, and
    references go on following their resources. What has no known id is new.

    Args:
        mapped: what was offered; changed in place.
        made: the step's answer.
        row: place of the row, for sentences.
        number: gives what names the next new resource of a type for this message.

    Raises:
        TransformError: ``step-not-r4``, what came back is not R4; nothing was changed.
    """
    known = {_id(entry): entry for entry in mapped.entries}
    references = {entry.full_url: entry.reference for entry in mapped.entries}
    before = {str(each["id"]): each for each in offered(mapped)}
    kept: list[Entry] = []
    for each in made:
        name = str(each.get("id"))
        entry = known.get(name)
        if entry is not None and each == before[name]:
            kept.append(entry)
            continue
        _judge(each, entry, row)
        old = {} if entry is None else entry.resource
        resource = {
            part: _restored(old.get(part), value, references)
            for part, value in each.items()
            if part != "id" or "id" in old
        }
        if entry is None:
            kept.append(_added(mapped.site, resource, number))
        else:
            entry.resource, entry.owned = resource, True
            kept.append(entry)
    leave(mapped, kept)


def _id(entry: Entry) -> str:
    return entry.full_url.removeprefix(_URL)


def _judge(resource: Element, entry: Entry | None, row: str) -> None:
    """Refuse what is not R4, or is not the resource it was."""
    if entry is not None and resource.get("resourceType") != entry.kind:
        raise TransformError(
            f"row {row} made a {entry.kind} another type", "step-not-r4"
        )
    for finding in check_resource(resource):
        raise TransformError(
            f"row {row} made {finding.path}: {finding.text}", "step-not-r4"
        )


def _added(site: str, resource: Element, number: Callable[[str], str]) -> Entry:
    kind, system = str(resource["resourceType"]), own_system(site)
    value = number(kind)
    known = resource.get("identifier")
    one = {"system": system, "value": value}
    resource["identifier"] = [*known, one] if isinstance(known, list) else [one]
    url = _URL + key(site, kind, system, value)
    return Entry(resource, url, "PUT", criteria(system, value))


def _restored(old: object, new: object, references: Mapping[str, Element]) -> object:
    """Return a new value with the digits and the Reference objects of the old one."""
    if isinstance(new, dict):
        target = new.get("reference")
        if len(new) == 1 and target in references:
            return references[str(target)]
        parts = old if isinstance(old, dict) else {}
        return {
            name: _restored(parts.get(name), value, references)
            for name, value in new.items()
        }
    if isinstance(new, list):
        items = old if isinstance(old, list) else []
        gap = [None] * len(new)
        return [
            _restored(before, item, references)
            for before, item in zip([*items, *gap], new, strict=False)
        ]
    if isinstance(old, Digits) and isinstance(new, float | int) and float(old) == new:
        return old
    return Digits(repr(new)) if isinstance(new, float) else new
