"""Large documents by reference: what an Attachment holds as a Binary of its own.

Spec:
    fhir.md T09 (``documents: inline | binary``, with a size limit); FHIR R4, Binary and
    Attachment.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import sha1, sha256
from typing import Final

from engine.transforms.fhir.keys import own_key
from engine.transforms.fhir.mapped import Element, Entry

LARGEST_INLINE: Final = 32_768
"""Characters of base64 that an Attachment holds itself, some 24 kB of content."""


def by_reference(entries: Iterable[Entry], site: str) -> list[Entry]:
    """Return entries whose large documents lie in Binary entries beside them.

    The same document of the same resource has the same Binary, so sending it again
    changes nothing. Whoever may see the resource may see its Binary.

    Args:
        entries: what is sent to a server; neither they nor their resources are changed.
        site: what the ids are made of.
    """
    found: list[Entry] = []
    for entry in entries:
        binaries = _Binaries(entry, site)
        resource = binaries.outside(entry.resource)
        if not binaries.entries:
            found.append(entry)
            continue
        assert isinstance(resource, dict)
        moved = Entry(
            resource, entry.full_url, entry.method, entry.criteria, entry.segment
        )
        moved.said = entry.said
        found += [moved, *binaries.entries.values()]
    return found


class _Binaries:
    """The Binary entries of one resource, by id."""

    __slots__ = ("_owner", "_site", "entries")

    def __init__(self, owner: Entry, site: str) -> None:
        self._owner = owner
        self._site = site
        self.entries: dict[str, Entry] = {}

    def outside(self, value: object) -> object:
        """Return a value whose large attachments point to their Binary."""
        if isinstance(value, list):
            return [self.outside(each) for each in value]
        if not isinstance(value, dict):
            return value
        data = value.get("data")
        if "contentType" in value and isinstance(data, str) and len(data) > (
            LARGEST_INLINE
        ):  # fmt: skip
            return self._moved(value, data)
        return {name: self.outside(each) for name, each in value.items()}

    def _moved(self, attachment: Element, data: str) -> Element:
        content = b64decode(data)
        owner = self._owner.full_url
        number = own_key(self._site, "Binary", owner, sha256(content).hexdigest())
        binary: Element = {
            "resourceType": "Binary",
            "id": number,
            "contentType": attachment["contentType"],
            "securityContext": {"reference": owner},
            "data": data,
        }
        url = "urn:uuid:" + number
        self.entries[number] = Entry(binary, url, "PUT", "", self._owner.segment)
        kept = {name: value for name, value in attachment.items() if name != "data"}
        digest = sha1(content, usedforsecurity=False).digest()
        return {
            **kept,
            "url": f"Binary/{number}",
            "size": len(content),
            "hash": b64encode(digest).decode("ascii"),
        }
