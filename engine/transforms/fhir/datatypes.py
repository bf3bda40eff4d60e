"""HL7 v2 data types to FHIR R4 data types, one function for each.

Every function returns JSON-ready elements with only what the source carries; an empty
one where it carries nothing, so that callers can drop it.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from engine.hl7 import Repetition
from engine.hl7.datatypes import Cwe, Cx, Ei, Hd, Xon
from engine.hl7.segment import NULL
from engine.transforms.fhir.feed import Feed
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.systems import EXTENSION, HL7, IDENTIFIER_TYPE, RFC3986
from engine.transforms.fhir.vocabulary import TABLE_CODES, Codes

_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FORMATTING: Final = re.compile(
    r"\\(\.(?:br|sp\+?\d*|ce|fi|nf|in[+-]?\d*|ti[+-]?\d*|sk\d*)|H|N)\\"
)
_BREAKS: Final = (".br", ".sp", ".ce", ".fi", ".nf")
_ONE_CODING: Final = 3


def put(element: Element, name: str, value: object) -> None:
    """Set an element of a resource unless there is nothing to set."""
    if value:
        element[name] = value


def listed(element: Element, name: str) -> list[Element]:
    """Return a list element of a resource, ``[]`` where it is not there; read only."""
    known = element.get(name)
    return known if isinstance(known, list) else []


def append(element: Element, name: str, value: Element) -> None:
    """Add to a list element of a resource; the list it had may be shared."""
    element[name] = [*listed(element, name), value]


def plain(text: str) -> str:
    """Return text that FHIR takes as a string, or ``""``."""
    if not text:
        return ""
    text = text.strip()
    if text == NULL:
        return ""
    return text if text.isprintable() else _UNPRINTABLE.sub("", text).strip()


def formatted(text: str) -> str:
    r"""Return FT or TX text with its formatting resolved: ``\.br\`` is a newline."""
    if "\\" in text:
        text = _FORMATTING.sub(_layout, text)
    return text if text.isprintable() else _UNPRINTABLE.sub("", text)


def free_text(source: Repetition) -> str:
    r"""Return a text as it reads; a separator sent bare in it belongs to it."""
    return formatted(" ".join(source.strings(source.component_count)))


def _layout(found: re.Match[str]) -> str:
    if found[1].startswith(_BREAKS):
        return "\n"
    return " " if found[1].startswith(".sk") else ""


def code(text: str) -> str:
    """Return text that FHIR takes as a code: no blanks but single ones inside."""
    text = " ".join(text.split())
    return "" if text == NULL else text


def extension(name: str, kind: str, value: object) -> Element:
    """Return one extension; a bare name is one of FHIR's own."""
    url = name if ":" in name else EXTENSION + name
    return {"url": url, "value" + kind: value}


def keep(element: Element, name: str, kind: str, value: object) -> None:
    """Add an extension to an element, unless there is nothing to say."""
    if value:
        append(element, "extension", extension(name, kind, value))


def coded(system: str, value: str, display: str = "") -> Element:
    """Return a CodeableConcept with one coding."""
    coding: Element = {"system": system, "code": value}
    put(coding, "display", display)
    return {"coding": [coding]}


def period(feed: Feed, start: str, end: str) -> Element:
    """Return a Period; ``{}`` where neither end can be read."""
    found: Element = {}
    put(found, "start", feed.date_time(start))
    put(found, "end", feed.date_time(end))
    return found


def concept(
    feed: Feed, source: Repetition, table: str = "", field: str = ""
) -> Element:
    """Return a coded value as CodeableConcept.

    Args:
        feed: the sender.
        source: one repetition of CWE, CNE, CF, CE, IS or ID.
        table: HL7 table a code without a coding system is read with, such as ``0007``.
        field: name of the sender's own code system where the table has no such code.
    """
    if source.component_count == 1:
        return _bare(feed, source.strings(1)[0], table, field)
    value = Cwe.of(source)
    codings: list[Element] = []
    if first := coding_of(feed, value, table, field):
        codings.append(first)
    if source.component_count > _ONE_CODING:
        codings += _alternates(feed, value, field)
    found: Element = {"coding": codings} if codings else {}
    words = (value.original_text, value.text, value.alternate_text,
             value.second_alternate_text)  # fmt: skip
    text = next((said for one in words if (said := plain(one))), "")
    put(found, "text", text)
    for said, number in zip(words[1:], _numbers(value), strict=True):
        if said and not number and plain(said) not in ("", text):
            append(found, "coding", {"display": plain(said)})
    return found


def _numbers(value: Cwe) -> tuple[str, str, str]:
    """Return the three codes of a coded value."""
    return value.code, value.alternate_code, value.second_alternate_code


def _alternates(feed: Feed, value: Cwe, field: str) -> list[Element]:
    """Return the second and third coding of a coded value."""
    both = (
        (
            value.alternate_code, value.alternate_text, value.alternate_system,
            value.alternate_version, value.alternate_system_oid,
        ),
        (
            value.second_alternate_code, value.second_alternate_text,
            value.second_alternate_system, value.second_alternate_version,
            value.second_alternate_system_oid,
        ),
    )  # fmt: skip
    return [one for parts in both if (one := _coding(feed, parts, "", field))]


def coding_of(feed: Feed, value: Cwe, table: str = "", field: str = "") -> Element:
    """Return the first coding of a coded value; ``{}`` where it has no code."""
    if not value.code:
        return {}
    parts = (value.code, value.text, value.system, value.version, value.system_oid)
    return _coding(feed, parts, table, field)


def _bare(feed: Feed, text: str, table: str, field: str) -> Element:
    value = code(plain(text))
    if not value:
        return {}
    system = _fallback_system(feed, value, table, field)
    return {"coding": [{"system": system, "code": value}], "text": value}


def _coding(
    feed: Feed, parts: tuple[str, str, str, str, str], table: str, field: str
) -> Element:
    value = code(plain(parts[0]))
    if not value:
        return {}
    system = parts[2].strip()
    found: Element = {
        "system": feed.code_system(system, parts[4])
        if system or parts[4]
        else _fallback_system(feed, value, table, field)
    }
    put(found, "version", plain(parts[3]))
    found["code"] = value
    put(found, "display", plain(parts[1]))
    return found


def _fallback_system(feed: Feed, value: str, table: str, field: str) -> str:
    """Return a system for a code sent without one: the field's HL7 table, or theirs."""
    if value in TABLE_CODES.get(table, ()):
        return f"{HL7}v2-{table}"
    return feed.own_codes(field or table or "none")


def translated(source: Element, codes: Codes, system: str) -> Element:
    """Put the FHIR code of a concept's first coding before the sender's own."""
    codings = source.get("coding")
    if not isinstance(codings, list):
        return source
    image = codes.get(str(codings[0].get("code")))
    if image is None or codings[0]["system"] == system:
        return source
    return {**source, "coding": [{"system": system, "code": image}, *codings]}


def alternate_codes(source: Element) -> Element:
    """Return the extension that keeps a source code beside a FHIR code."""
    return {"extension": [extension("alternate-codes", "CodeableConcept", source)]}


def identifier(feed: Feed, value: Cx, type_code: str = "") -> Element:
    """Return one CX as Identifier; ``{}`` without a number.

    Args:
        feed: the sender.
        value: the identifier as sent.
        type_code: what CX.5 means where it is empty.
    """
    number = plain(value.identifier)
    if not number:
        return {}
    kind = code(value.type_code) or type_code
    found: Element = {}
    put(found, "type", identifier_type(feed, kind))
    found["system"] = feed.identifier_system(value.assigning_authority, kind)
    found["value"] = number
    put(found, "period", period(feed, value.effective, value.expiration))
    put(found, "assigner", assigner(value.assigning_authority))
    keep(found, "identifier-checkDigit", "String", plain(value.check_digit))
    scheme = plain(value.check_digit_scheme)
    keep(found, "namingsystem-checkDigit", "String", scheme)
    return found


def identifier_of(feed: Feed, source: Repetition, type_code: str = "") -> Element:
    """Return one CX field as Identifier; shared, so nobody may change it."""
    return feed.recall("CX" + type_code, source, _read_identifier(type_code))


@lru_cache(maxsize=64)
def _read_identifier(type_code: str) -> Callable[[Feed, Repetition], Element]:
    def read(feed: Feed, source: Repetition) -> Element:
        return identifier(feed, Cx.of(source), type_code)

    return read


def identifier_type(feed: Feed, type_code: str) -> Element:
    """Return the type of an identifier, table 0203 where it has the code."""
    if not type_code:
        return {}
    known = type_code in TABLE_CODES["0203"]
    return coded(IDENTIFIER_TYPE if known else feed.own_codes("0203"), type_code)


def assigner(authority: Hd) -> Element:
    """Return who assigned an identifier, by name only."""
    name = plain(authority.namespace or authority.universal_id)
    return {"display": name} if name else {}


def entity_identifier(feed: Feed, value: Ei, type_code: str = "") -> Element:
    """Return one EI as Identifier; ``{}`` without a number."""
    return identifier(
        feed,
        Cx(value.identifier, "", "", Hd(*value[1:]), type_code, Hd(), "", "", "", ""),
    )


def designator_identifiers(feed: Feed, value: Hd) -> list[Element]:
    """Return an HD as the identifiers of what it names: its word and its URI.

    Where there is a URI, that is what it is known by. Its word is of a system apart, so
    that a search for what a sender names by the word alone finds one thing, not two.
    """
    found: list[Element] = []
    if name := plain(value.namespace):
        by_word = not plain(value.universal_id)
        system = feed.identifier_system(Hd("namespaces" if by_word else "names"))
        found.append({"system": system, "value": name})
    if plain(value.universal_id):
        uri = feed.identifier_system(Hd("", *value[1:]))
        one: Element = {"system": RFC3986, "value": uri}
        if kind := code(value.universal_id_type):
            one["type"] = coded(HL7 + "v2-0301", kind)
        found.append(one)
    return found


def strings(*texts: str) -> list[str]:
    """Return the texts that say something."""
    return [found for text in texts if text and (found := plain(text))]


def organization_identifier(feed: Feed, value: Xon) -> Element:
    """Return the identifier in an XON; ``{}`` where it has only a name."""
    return identifier(
        feed,
        Cx(value.identifier or value.number, value.check_digit, "",
           value.assigning_authority, value.identifier_type, Hd(), "", "", "", ""),
    )  # fmt: skip
