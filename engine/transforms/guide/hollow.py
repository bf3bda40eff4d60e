"""Elements that name something and do not say it: a coding without its code.

Spec:
    fhir.md T18 (every identifier has a system) and T21 (no coding with a code and no
    system).
"""

from collections.abc import Iterator, Mapping

from engine.transforms.guide.result import Result, Verdict


def hollow(bundle: Mapping[str, object]) -> Iterator[Result]:
    """Yield where a coding or identifier of a Bundle lacks its half."""
    entries = bundle.get("entry")
    for row in entries if isinstance(entries, list) else ():
        resource = row.get("resource") if isinstance(row, dict) else None
        if isinstance(resource, dict):
            yield from _within(resource, str(resource.get("resourceType")))


def _within(value: object, place: str) -> Iterator[Result]:
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _within(inner, f"{place}[{number}]")
    if not isinstance(value, dict):
        return
    name = place.rpartition(".")[2].partition("[")[0]
    for half in _lacking(name, value):
        yield Result(
            Verdict.MISSING, wanted=(f"{place}.{half}",), found=(place,), row="T18, T21"
        )
    for name, inner in value.items():
        yield from _within(inner, f"{place}.{name}")


def _lacking(name: str, value: Mapping[str, object]) -> Iterator[str]:
    if "system" in value and name in {"coding", "valueCoding", "eventCoding", "tag"}:
        yield from {"code"} - value.keys()
    if "code" in value and name in {"coding", "valueCoding", "eventCoding"}:
        yield from {"system"} - value.keys()
    if name in {"identifier", "valueIdentifier"} and "system" in value:
        yield from {"value"} - value.keys()
