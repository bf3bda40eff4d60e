"""What one rendering carries along: the site, the facts, and what it has to report."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from engine.hl7.conformance import Finding
from engine.transforms.ccda.elements import Element
from engine.transforms.ccda.facts import Facts, Resource, child, children, codes, text
from engine.transforms.ccda.site import CdaSite, is_example, is_oid, is_uuid
from engine.transforms.trace import Loss

NAMESPACE: Final = UUID("8f0c7e0a-5d5e-5c6e-9d5a-3c1f6a1a7b42")
"""Names of ours are derived below it, so that they never meet anyone else's."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Which resource stands in which row: section key, row ID, full URL."""

    section: str
    row: str
    url: str


@dataclass(slots=True)
class Rendering:
    """Everything the header and the sections share while one document is made."""

    site: CdaSite
    facts: Facts
    now: datetime
    findings: list[Finding] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    author_id: Element = field(init=False)
    _seen: set[tuple[str, str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.author_id = Element(
            "id", {"root": self.site.root, "extension": "interop-engine"}, []
        )

    def find(self, code: str, path: str, sentence: str) -> None:
        """Note something odd once; the sentence holds no value of the person."""
        if (code, path, sentence) not in self._seen:
            self._seen.add((code, path, sentence))
            self.findings.append(Finding(code, path, sentence))

    def lose(self, path: str, reason: str, value: str = "") -> None:
        """Note a value that this document does not carry."""
        self.losses.append(Loss(path, reason, value))

    def oid(self, system: str) -> str:
        """Return the OID or UUID of an identifier system, ``""`` when it has none."""
        if system and system == self.site.enterprise_system:
            return self.site.enterprise
        known = self.site.oids.get(system) or IDENTIFIER_OIDS.get(system, "")
        found = known or system.removeprefix("urn:oid:")
        if is_uuid(found := found.removeprefix("urn:uuid:")):
            return found
        return found if is_oid(found) and not is_example(found) else ""

    def instance(self, identifier: Resource, path: str) -> Element | None:
        """Return a FHIR Identifier as an id; None when its authority has no OID."""
        system, value = text(identifier, "system"), text(identifier, "value")
        if text(identifier, "use") == "old":
            self.lose(path, "old-identifier", value)
            return None
        if not value:
            return None
        if system == ANY_URI and self.oid(value):
            return Element("id", {"root": self.oid(value)}, [])
        if oid := self.oid(system):
            return Element("id", {"root": oid, "extension": value}, [])
        self.lose(path, "no-oid", value)
        self.find("no-oid", path, f"identifiers of {system or 'no system'} have no OID")
        return None

    def statements(self, source: Resource) -> set[str]:
        """Return the codes of a CodeableConcept, and what the site's words mean."""
        said = codes(source)
        words = {text(source, "text"), *said}
        words.update(text(coding, "display") for coding in children(source, "coding"))
        known = self.site.no_known
        return said.union(known[word] for word in words if word in known)

    def own_ids(self, resource: Resource, url: str, path: str) -> list[Element]:
        """Return the ids of an entry: the source's own, else one made from its URL."""
        found = [
            made
            for identifier in (
                child(resource, "masterIdentifier"),
                *children(resource, "identifier"),
            )
            if not text(identifier, "system").endswith(DERIVED_KEYS)
            and (made := self.instance(identifier, path)) is not None
        ]
        return found or [self.derived_id(url)]

    def derived_id(self, *names: str) -> Element:
        """Return an id below the site's root that is the same for the same names."""
        name = "|".join((self.site.root, *names))
        return Element(
            "id",
            {"root": self.site.root, "extension": str(uuid5(NAMESPACE, name))},
            [],
        )

    def originate(self, section: str, row: str, url: str) -> None:
        """Remember which resource a row shows."""
        self.origins.append(Origin(section, row, url))


ANY_URI: Final = "urn:ietf:rfc:3986"
"""The identifier system of values that are URIs, such as the OID of a facility."""
DERIVED_KEYS: Final = ":key"
"""Ends the system of keys that the map step made; no sender knows them."""

IDENTIFIER_OIDS: Final = {
    "http://hl7.org/fhir/sid/us-ssn": "2.16.840.1.113883.4.1",
    "http://hl7.org/fhir/sid/us-npi": "2.16.840.1.113883.4.6",
    "http://hl7.org/fhir/sid/us-medicare": "2.16.840.1.113883.4.572",
}
"""Well-known identifier systems that need no row in the site's table."""
