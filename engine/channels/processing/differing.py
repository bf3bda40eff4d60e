"""Where two trials of one message differ: elements, fields, states; no value."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from engine.channels.processing.rendering import FHIR_JSON, HL7
from engine.channels.processing.trial import Trial
from engine.errors import ParseError
from engine.hl7 import Message, parse
from engine.store.deliveries import NewDelivery
from engine.transforms.fhir.bundle import read_json


def differences(before: Trial, after: Trial) -> list[str]:
    """Return the places where the second trial came out otherwise, each once."""
    found = list(_ends(before, after))
    for name in dict.fromkeys([*before.deliveries, *after.deliveries]):
        was, now = before.deliveries.get(name, []), after.deliveries.get(name, [])
        if len(was) != len(now):
            found.append(f"{name}: {len(now)} documents instead of {len(was)}")
            continue
        for one, other in zip(was, now, strict=True):
            found += [f"{name}: {place}" for place in _documents(one, other)]
    return list(dict.fromkeys(found))


def _ends(before: Trial, after: Trial) -> Iterator[str]:
    pairs = (
        ("state", str(before.outcome.state), str(after.outcome.state)),
        ("stage", str(before.outcome.stage), str(after.outcome.stage)),
        ("acknowledgment", before.code, after.code),
    )
    for what, was, now in pairs:
        if was != now:
            yield f"{what}: {now or 'none'} instead of {was or 'none'}"


def _documents(before: NewDelivery, after: NewDelivery) -> Iterator[str]:
    if before.content == after.content:
        return
    kinds = before.content_type, after.content_type
    if kinds == (FHIR_JSON, FHIR_JSON):
        yield from _bundles(read_json(before.content), read_json(after.content))
    elif kinds == (HL7, HL7):
        yield from _messages(before.content, after.content)
    else:
        yield "the document"


# ---- FHIR ----


def _bundles(
    before: Mapping[str, object], after: Mapping[str, object]
) -> Iterator[str]:
    was, now = _resources(before), _resources(after)
    for key in dict.fromkeys([*was, *now]):
        kind = key[0]
        if key not in was:
            yield f"{kind} added"
        elif key not in now:
            yield f"{kind} missing"
        else:
            yield from _elements(kind, was[key], now[key])


def _resources(bundle: Mapping[str, object]) -> dict[tuple[str, int], object]:
    """Return resources by type and which of its type they are."""
    seen: Counter[str] = Counter()
    found: dict[tuple[str, int], object] = {}
    entries = bundle.get("entry", [])
    for entry in entries if isinstance(entries, list) else []:
        resource = entry.get("resource", {})
        kind = str(resource.get("resourceType", "?"))
        seen[kind] += 1
        found[kind, seen[kind]] = resource
    return found


def _elements(path: str, before: object, after: object) -> Iterator[str]:
    """Yield the paths, without indexes, below which two elements differ."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            yield from _elements(f"{path}.{name}", before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list):
        for one, other in zip_longest(before, after):
            yield from _elements(path, one, other)
    else:
        yield path


# ---- HL7 v2 ----


def _messages(before: bytes, after: bytes) -> Iterator[str]:
    try:
        was, now = parse(before), parse(after)
    except ParseError:
        yield "the message"
        return
    for key in dict.fromkeys([*_keys(was), *_keys(now)]):
        one, other = _keys(was).get(key), _keys(now).get(key)
        if one is None or other is None:
            yield f"{key[0]} {'added' if one is None else 'missing'}"
            continue
        for number, (a, b) in enumerate(zip_longest(one, other, fillvalue="")):
            if a != b:
                yield f"{key[0]}-{number}"


def _keys(message: Message) -> dict[tuple[str, int], Sequence[str]]:
    """Return the encoded fields by segment and which of its kind it is."""
    seen: Counter[str] = Counter()
    found: dict[tuple[str, int], Sequence[str]] = {}
    for segment in message.segments:
        seen[segment.id] += 1
        fields = [segment.raw(n) for n in range(1, segment.field_count + 1)]
        found[segment.id, seen[segment.id]] = [segment.id, *fields]
    return found
