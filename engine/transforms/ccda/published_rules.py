"""What HL7's published schema and Schematron rules say of a finished document.

A site that has a copy of them names it; the engine brings none along. Findings tell the
rule and the element, never a value of the document.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from lxml import etree

from engine.hl7.conformance import Finding
from engine.transforms.ccda.linkage import Node
from engine.transforms.ccda.schematron import Schematron

SCHEMA: Final = "cda-schema"
SCHEMATRON: Final = "cda-schematron"
RULE_CODES: Final = frozenset({SCHEMA, SCHEMATRON})
"""A finding with such a code means a document that receivers may refuse."""

MAX_ELEMENTS: Final = 5_000
"""Rules look at each element many times; a larger document is judged without them."""


@dataclass(frozen=True, slots=True)
class PublishedRules:
    """One schema and any number of Schematron files, as the site has them."""

    schema: etree.XMLSchema
    schematrons: tuple[Schematron, ...]

    def judged(self, document: Node) -> list[Finding]:
        """Return what schema and rules find wrong."""
        if not self.schema.validate(document):
            return list(self._misfits(document))
        if sum(1 for _ in document.iter("*")) > MAX_ELEMENTS:
            sentence = (
                f"more than {MAX_ELEMENTS:,} elements: judged by the schema alone"
            )
            return [Finding("cda-rules-skipped", "", sentence)]
        found = {
            (each.place, each.rule): f"{each.rule} {each.sentence}"
            for rules in self.schematrons
            for each in rules.failures(document)
        }
        return [
            Finding(SCHEMATRON, place, sentence)
            for (place, _), sentence in found.items()
        ]

    def _misfits(self, document: Node) -> Iterator[Finding]:
        """Yield what the schema refuses; its own sentences would repeat values."""
        for each in cast("Iterable[Any]", self.schema.error_log):
            found = cast("list[Node]", document.xpath(each.path or "/.."))
            place = etree.QName(found[0]).localname if found else ""
            kind = each.type_name.removeprefix("SCHEMAV_").lower().replace("_", " ")
            yield Finding(SCHEMA, place, f"the schema refuses {place}: {kind}")
