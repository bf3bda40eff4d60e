"""The values of a Bundle, each with its resource and its place."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html import unescape
from typing import Final

_TAG: Final = re.compile(r"<[^>]*>")
_MEMBER: Final = re.compile(r"\w+\.\w+\[\d+\]")

STRUCTURAL: Final = frozenset(
    ("resourceType", "id", "reference", "url", "lastUpdated", "versionId", "profile")
)  # fmt: skip
"""Names of elements that say how a Bundle is built, not what a message told."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value: the number of its resource, its type, and its place.

    ``path`` has no numbers, ``numbered`` has them and begins with the type.
    """

    resource: int
    kind: str
    path: str
    numbered: str
    value: str

    @property
    def member(self) -> str:
        """The list member a value is in: ``3 Patient.name[0]``."""
        found = _MEMBER.match(self.numbered)
        return f"{self.resource} {found[0]}" if found else ""


def leaves_of(bundle: Mapping[str, object]) -> Iterator[Leaf]:
    """Return the values of a Bundle that tell something, but for copies of messages."""
    entries = bundle.get("entry")
    for number, row in enumerate(entries if isinstance(entries, list) else ()):
        resource = row.get("resource") if isinstance(row, dict) else None
        if isinstance(resource, dict) and not _is_source_message(resource):
            kind = str(resource.get("resourceType"))
            yield from _below(resource, Leaf(number, kind, "", kind, ""))
    plain = {name: value for name, value in bundle.items() if name != "entry"}
    yield from _below(plain, Leaf(-1, "Bundle", "", "Bundle", ""))


def _below(value: object, at: Leaf) -> Iterator[Leaf]:
    if isinstance(value, dict):
        for name, inner in value.items():
            plain = name.removeprefix("_")
            path = f"{at.path}.{plain}" if at.path else plain
            if plain not in STRUCTURAL or path.endswith("attachment.url"):
                yield from _below(
                    inner, replace(at, path=path, numbered=f"{at.numbered}.{plain}")
                )
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _below(inner, replace(at, numbered=f"{at.numbered}[{number}]"))
    elif value is not None:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if at.path.endswith(".div"):
            text = unescape(_TAG.sub("", text))
        yield replace(at, value=text)


def _is_source_message(resource: Mapping[str, object]) -> bool:
    """Whether a resource is a copy of the message: it would explain everything."""
    if resource.get("resourceType") not in ("DocumentReference", "Binary"):
        return False
    return "hl7v2" in str(resource).lower().replace("-", "").replace(".", "")
