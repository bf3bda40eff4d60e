"""Checks of a finished document that need no files: what schema and rules let pass."""

from lxml import etree

from engine.hl7.conformance import Finding


def check(tree: etree._Element, *, companion_guide: bool) -> list[Finding]:
    """Return what is wrong with a document, as findings without patient data."""
    return []
