"""Code tables as FHIR ConceptMaps, in and out.

Spec:
    channel-format.md 7; FHIR R4 (4.0.1), ConceptMap.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from engine.errors import TransformError

COLUMNS: Final = ("from", "to", "display", "system", "note")
_NO_MATCH: Final = frozenset(("unmatched", "disjoint"))


def rows_of(resource: Mapping[str, object]) -> list[dict[str, str]]:
    """Return the rows of a code table that a ConceptMap holds.

    Targets that are no match are left out.

    Raises:
        TransformError: the resource is no ConceptMap, or a code has two targets.
    """
    if resource.get("resourceType") != "ConceptMap":
        raise TransformError("this is not a ConceptMap", "not-a-concept-map")
    rows = [row for group in _items(resource, "group") for row in _of_group(group)]
    codes = [row["from"] for row in rows]
    twice = next((code for code in codes if codes.count(code) > 1), "")
    if twice:
        raise TransformError(
            f"{twice!r} has several targets; a code table has one", "not-a-table"
        )
    return rows


def concept_map(
    name: str, rows: Sequence[Mapping[str, str]], site: str
) -> dict[str, object]:
    """Return a code table as ConceptMap, JSON-ready, one group for each system."""
    groups: dict[str, list[object]] = {}
    for row in rows:
        target = {"code": row["to"], "equivalence": "equivalent"}
        target |= {"display": row["display"]} if row.get("display") else {}
        target |= {"comment": row["note"]} if row.get("note") else {}
        element = {"code": row["from"], "target": [target]}
        groups.setdefault(row.get("system", ""), []).append(element)
    return {
        "resourceType": "ConceptMap",
        "url": f"urn:id:{site}:table:{name}",
        "name": name.replace("-", "_"),
        "status": "active",
        "group": [
            {**({"target": system} if system else {}), "element": elements}
            for system, elements in groups.items()
        ],
    }


def _of_group(group: Mapping[str, object]) -> Iterator[dict[str, str]]:
    system = str(group.get("target", ""))
    for element in _items(group, "element"):
        for target in _items(element, "target"):
            if target.get("equivalence") in _NO_MATCH or "code" not in target:
                continue
            yield {
                "from": str(element.get("code", "")),
                "to": str(target["code"]),
                "display": str(target.get("display", "")),
                "system": system,
                "note": str(target.get("comment", "")),
            }


def _items(element: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    found = element.get(name)
    return (
        [one for one in found if isinstance(one, dict)]
        if isinstance(found, list)
        else []
    )
