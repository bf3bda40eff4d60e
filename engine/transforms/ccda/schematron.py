"""Schematron rules with XPath 1.0 tests, judged without a style sheet.

HL7 publishes its C-CDA rules in this form. One pass through XSLT takes near a second
for a document; asking each rule for its nodes directly takes some milliseconds. What
this reader does not know it refuses when the rules are read, so that no rule is skipped
in silence.

Spec:
    ISO/IEC 19757-3:2006, 5.4 (schema, phase, pattern, rule, assert, extends, let) and
    6.5 (a node is judged by the first rule of a pattern that matches it).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from lxml import etree

from engine.errors import ConfigurationError
from engine.transforms.ccda.linkage import Node

PHASE: Final = "errors"
"""HL7's files sort their rules into phases of this name and ``warnings``."""

_SCH: Final = "{http://purl.oclc.org/dsdl/schematron}"
_KNOWN: Final = frozenset(
    (
        *("schema", "title", "p", "ns", "phase", "active", "pattern", "rule"),
        *("assert", "extends", "let", "value-of", "name", "emph", "dir", "span"),
    )
)
_FUNCTIONS: Final = frozenset(
    (
        *("boolean", "ceiling", "concat", "contains", "count", "current", "document"),
        *("false", "floor", "lang", "last", "local-name", "name", "namespace-uri"),
        *("normalize-space", "not", "number", "position", "round", "starts-with"),
        *("string", "string-length", "substring", "substring-after", "sum", "true"),
        *("substring-before", "translate", "id", "comment", "node", "text"),
    )
)
_CALL: Final = re.compile(r"([A-Za-z_][\w.:-]*)\s*\(")
_WORDS: Final = frozenset({"and", "or", "div", "mod"})
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_VOCABULARY: Final = re.compile(r"document\(\s*(['\"])([^'\"]+)\1\s*\)/([\w-]+:[\w-]+)")
_CURRENT: Final = re.compile(r"current\(\s*\)")
_ATTRIBUTE: Final = re.compile(r"@[A-Za-z_][\w.-]*")
_ROOTS: Final = re.compile(
    r"[\w-]+:[\w-]+\[[\w-]+:templateId\[@root\s*=\s*'([^']+)'"
    r"(?:\s+and\s+@extension\s*=\s*'[^']+')?\]\](?:/[\w-]+:[\w-]+)*"
)

Values = dict[str, Any]  # lxml takes elements, text and numbers


@dataclass(frozen=True, slots=True)
class Failure:
    """One assertion that does not hold.

    ``rule`` is its id and ``sentence`` its text as published; ``place`` is the name of
    the element. None holds a value of the document.
    """

    rule: str
    sentence: str
    place: str


@dataclass(frozen=True, slots=True)
class _Assertion:
    id: str
    test: etree.XPath
    sentence: str


@dataclass(frozen=True, slots=True)
class _Context:
    """Where a rule applies: one alternative, and the template it asks for, if one."""

    path: etree.XPath
    template: str


@dataclass(frozen=True, slots=True)
class _Rule:
    contexts: tuple[_Context, ...]
    values: tuple[tuple[str, str], ...]
    assertions: tuple[_Assertion, ...]


class Schematron:
    """The rules of one file, for its phase of errors."""

    def __init__(self, source: bytes, vocabularies: Mapping[str, bytes]) -> None:
        """Read the rules.

        Args:
            source: the Schematron file.
            vocabularies: files that rules look codes up in, by the name they use.

        Raises:
            ConfigurationError: it is no Schematron, or says what is not known here.
        """
        root = _parsed(source)
        self._namespaces = {
            str(each.get("prefix")): str(each.get("uri"))
            for each in root.iter(f"{_SCH}ns")
        }
        self._vocabularies = {
            name: _parsed(content) for name, content in vocabularies.items()
        }
        self._values: Values = {}
        _refuse_unknown(root)
        active = _active(root)
        named = {each.get("id"): each for each in root.iter(f"{_SCH}rule")}
        self._patterns = tuple(
            tuple(self._rules(pattern, named))
            for pattern in root.iter(f"{_SCH}pattern")
            if active is None or pattern.get("id") in active
        )

    def failures(self, document: Node) -> Iterator[Failure]:
        """Yield what does not hold, in the order of the rules."""
        templates = frozenset(
            each.get("root", "") for each in document.iter("{*}templateId")
        )
        for rules in self._patterns:
            judged: set[Node] = set()
            for rule in rules:
                for node in _nodes(rule, document, templates, self._values):
                    if node not in judged:
                        judged.add(node)
                        yield from self._failed(rule, node)

    def _failed(self, rule: _Rule, node: Node) -> Iterator[Failure]:
        values = {**self._values, "current": [node]}
        for name, attribute in rule.values:
            values[name] = node.get(attribute, [])
        for each in rule.assertions:
            if not each.test(node, **values):
                yield Failure(each.id, each.sentence, etree.QName(node).localname)

    def _rules(
        self, pattern: Node, named: Mapping[str | None, Node]
    ) -> Iterator[_Rule]:
        for rule in pattern.iterchildren(f"{_SCH}rule"):
            if rule.get("abstract") == "true":
                continue
            parts = list(_parts(rule, named))
            yield _Rule(
                tuple(map(self._context, _alternatives(rule.get("context", "")))),
                tuple(
                    (str(each.get("name")), each.get("value", "").removeprefix("@"))
                    for each in parts
                    if each.tag == f"{_SCH}let"
                ),
                tuple(
                    self._assertion(each)
                    for each in parts
                    if each.tag == f"{_SCH}assert"
                ),
            )

    def _context(self, alternative: str) -> _Context:
        path = alternative if alternative.startswith("/") else f"//{alternative}"
        asked = _ROOTS.fullmatch(alternative)
        return _Context(self._compiled(path), asked.group(1) if asked else "")

    def _assertion(self, node: Node) -> _Assertion:
        sentence = " ".join("".join(map(str, node.itertext())).split())
        pattern = next(node.iterancestors(f"{_SCH}pattern"))
        named = node.get("id", pattern.get("id", ""))
        return _Assertion(
            named, self._compiled(f"boolean({node.get('test', '')})"), sentence
        )

    def _compiled(self, path: str) -> etree.XPath:
        bare = _QUOTED.sub("''", path)
        unknown = {*_CALL.findall(bare)} - _FUNCTIONS - _WORDS
        if unknown:
            raise ConfigurationError(f"XPath 1.0 has no function {min(unknown)}")
        asked = _VOCABULARY.sub(self._vocabulary, path)
        asked = _CURRENT.sub("$current", asked)
        if "document(" in _QUOTED.sub("''", asked):
            raise ConfigurationError(f"a rule reads a file in a way not known: {bare}")
        try:
            return etree.XPath(asked, namespaces=self._namespaces, smart_strings=False)
        except etree.XPathError as error:
            raise ConfigurationError(f"{path} is no XPath 1.0: {error}") from error

    def _vocabulary(self, found: re.Match[str]) -> str:
        """Turn ``document('voc.xml')/voc:systems`` into the root element itself."""
        root = self._vocabularies.get(found.group(2))
        prefix, _, name = found.group(3).partition(":")
        if root is None:
            raise ConfigurationError(f"the rules read {found.group(2)}: it is missing")
        if root.tag != f"{{{self._namespaces.get(prefix)}}}{name}":
            return "/.."  # no such root: the empty set, as the rule would find
        variable = f"vocabulary{list(self._vocabularies).index(found.group(2))}"
        self._values[variable] = [root]
        return f"${variable}"


def _nodes(
    rule: _Rule, document: Node, templates: frozenset[str], values: Values
) -> Iterator[Node]:
    for context in rule.contexts:
        if not context.template or context.template in templates:
            yield from cast("list[Node]", context.path(document, **values))


def _parsed(content: bytes) -> Node:
    try:
        return etree.fromstring(
            content, etree.XMLParser(resolve_entities=False, no_network=True)
        )
    except etree.XMLSyntaxError as error:
        raise ConfigurationError(f"the file is not well-formed: {error}") from error


def _refuse_unknown(root: Node) -> None:
    """Refuse what is not read here: abstract patterns, reports, inclusions, keys."""
    if root.tag != f"{_SCH}schema":
        raise ConfigurationError("the file is no Schematron of ISO/IEC 19757-3")
    if root.get("queryBinding", "xslt") not in {"xslt", "xpath"}:
        raise ConfigurationError("only rules in XPath 1.0 can be read")
    for node in root.iter("*"):
        name = str(node.tag).removeprefix(_SCH)
        if name not in _KNOWN or "is-a" in node.attrib:
            raise ConfigurationError(
                f"line {node.sourceline}: {name} is not known here"
            )
        parent = node.getparent()
        if name == "let" and not (
            parent is not None
            and parent.tag == f"{_SCH}rule"
            and _ATTRIBUTE.fullmatch(node.get("value", ""))
        ):
            wanted = "let can name an attribute of what a rule judges, nothing else"
            raise ConfigurationError(f"line {node.sourceline}: {wanted}")


def _active(root: Node) -> frozenset[str] | None:
    """Return the patterns of the phase of errors; None means all."""
    phases = {each.get("id"): each for each in root.iter(f"{_SCH}phase")}
    if PHASE not in phases:
        return None
    return frozenset(
        str(each.get("pattern")) for each in phases[PHASE].iter(f"{_SCH}active")
    )


def _parts(rule: Node, named: Mapping[str | None, Node]) -> Iterator[Node]:
    """Yield what a rule says, with what the rules it extends say in their places."""
    for child in rule.iterchildren("*"):
        if child.tag == f"{_SCH}extends":
            yield from _parts(_extended(child, named), named)
        else:
            yield child


def _extended(extends: Node, named: Mapping[str | None, Node]) -> Node:
    found = named.get(extends.get("rule"))
    if found is None:
        wanted = extends.get("rule")
        raise ConfigurationError(
            f"line {extends.sourceline}: no rule {wanted} to extend"
        )
    return found


def _alternatives(context: str) -> list[str]:
    """Split a match pattern at the bars that stand outside of predicates and words."""
    hidden = _QUOTED.sub(lambda found: "'" * len(found.group()), context)
    parts, depth, begun = [], 0, 0
    for at, letter in enumerate(hidden):
        depth += (letter in "[(") - (letter in "])")
        if letter == "|" and depth == 0:
            parts.append(context[begun:at].strip())
            begun = at + 1
    return [*parts, context[begun:].strip()]
