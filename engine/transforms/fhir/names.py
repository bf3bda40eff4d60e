"""How people are called and reached: XPN, XAD and XTN.

Spec:
    HL7 v2-to-FHIR 1.0.0, data type maps XPN[HumanName], FN[HumanName], XAD[Address],
    XTN[ContactPoint]; fhir.md T26.
"""

from functools import partial
from typing import Final, TypeAlias

from engine.hl7 import Repetition
from engine.hl7.datatypes import Xad, Xpn, Xtn
from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import (
    append,
    code,
    coded,
    extension,
    keep,
    period,
    plain,
    put,
    strings,
)
from engine.transforms.fhir.feed import Feed
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.systems import HL7
from engine.transforms.fhir.vocabulary import (
    ADDRESS_TYPE,
    ADDRESS_USE,
    NAME_USE,
    TELECOM_SYSTEM,
    TELECOM_USE,
)

_FAMILY_PARTS: Final = ("own-prefix", "own-name", "partner-prefix", "partner-name")


def human_names(feed: Feed, source: Repetition) -> list[Element]:
    """Return one XPN as HumanName, and a second one for what the person is called.

    Spec:
        HL7 v2-to-FHIR 1.0.0, data type map XPN[HumanName]; fhir.md T26.
    """
    return feed.recall("XPN", source, _human_names)


def _human_names(feed: Feed, source: Repetition) -> list[Element]:
    value = Xpn.of(source)
    found: Element = {}
    put(found, "use", NAME_USE.get(value.type_code))
    family = plain(value.family)
    put(found, "family", family)
    if family and len(value.family_parts) > 1:
        put(found, "_family", family_parts(value.family_parts[1:]))
    put(found, "given", strings(value.given, value.further_given))
    put(found, "prefix", strings(value.prefix))
    put(found, "suffix", strings(value.suffix, value.degree, value.professional_suffix))
    if not found.keys() - {"use"}:
        found = {}
    else:
        _add_name_validity(feed, found, source, value)
    names = [found] if found else []
    if called := plain(value.called_by):
        names.append({"use": "nickname", "given": [called]})
    return names


def _add_name_validity(
    feed: Feed, name: Element, source: Repetition, value: Xpn
) -> None:
    if value.effective or value.expiration:
        put(name, "period", period(feed, value.effective, value.expiration))
    elif value.validity:
        start, end = [*source.sub(10), ""][:2]
        put(name, "period", period(feed, start, end))
    if value.assembly in ("G", "F"):
        name["extension"] = [
            extension("humanname-assembly-order", "Code", f"{value.assembly}")
        ]


def family_parts(parts: tuple[str, ...] | list[str]) -> Element:
    """Return FN.2 to FN.5 as extensions of the family name."""
    extensions = [
        extension("humanname-" + name, "String", plain(part))
        for name, part in zip(_FAMILY_PARTS, parts, strict=False)
        if plain(part)
    ]
    return {"extension": extensions} if extensions else {}


def address(feed: Feed, source: Repetition) -> Element:
    """Return one XAD as Address; ``{}`` without any part of it."""
    return feed.recall("XAD", source, _address)


def _address(feed: Feed, source: Repetition) -> Element:
    value = Xad.of(source)
    found: Element = {}
    lines = strings(*value.street_parts[:3], value.other_designation, source.text(19))
    put(found, "line", lines)
    put(found, "city", plain(value.city))
    put(found, "district", plain(value.county))
    put(found, "state", plain(value.state))
    put(found, "postalCode", plain(value.postal_code))
    put(found, "country", plain(value.country))
    keep(found, "iso21090-ADXP-censusTract", "String", plain(value.census_tract))
    if not found:
        return {}
    _add_address_kind(found, value.type_code)
    if value.effective or value.expiration:
        put(found, "period", period(feed, value.effective, value.expiration))
    elif value.validity:
        start, end = [*source.sub(12), ""][:2]
        put(found, "period", period(feed, start, end))
    return found


def _add_address_kind(found: Element, type_code: str) -> None:
    """Set use and type from XAD.7; what is neither is kept as sent."""
    use, kind = ADDRESS_USE.get(type_code), ADDRESS_TYPE.get(type_code)
    put(found, "use", use)
    put(found, "type", kind)
    if type_code and not use and not kind:
        sent = coded(HL7 + "v2-0190", code(type_code))
        append(
            found, "extension", extension("alternate-codes", "CodeableConcept", sent)
        )


def contact_points(feed: Feed, source: Repetition, use: str = "") -> list[Element]:
    """Return one XTN as ContactPoints: the number, and a mail address beside it.

    Args:
        feed: the sender.
        source: one repetition of XTN.
        use: what XTN.2 means where it is empty.
    """
    return feed.recall("XTN" + use, source, _POINTS[use])


Phones: TypeAlias = tuple[tuple[int, str], ...]
"""Fields of type XTN, each with what XTN.2 means where it is empty."""


def phones(conversion: Conversion, node: Node, fields: Phones) -> list[Element]:
    """Return the ContactPoints of XTN fields, each with the use it implies."""
    found: list[Element] = []
    for field, use in fields:
        for source in node.all(field) if node.has(field) else ():
            found += contact_points(conversion.feed, source, use)
            if _says_another_number(Xtn.of(source)):
                conversion.lose(node, field, "not-mapped-by-choice", 1)
    return found


def _says_another_number(value: Xtn) -> bool:
    """Whether XTN.1 holds a number that is not the one made of the other parts."""
    said, taken = _digits(value.number), _digits(_number(value))
    return bool(said) and said not in taken and taken not in said


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))


def _contact_points(feed: Feed, source: Repetition, *, use: str) -> list[Element]:
    value = Xtn.of(source)
    system = TELECOM_SYSTEM.get(value.equipment, "")
    use = "mobile" if value.equipment == "CP" else TELECOM_USE.get(value.use, use)
    found: list[Element] = []
    number = "" if system == "email" else _number(value)
    if number:
        kind = system or ("email" if "@" in number else "phone")
        point: Element = {"system": kind, "value": number}
        put(point, "extension", _number_parts(value))
        found.append(point)
    mail = plain(value.email) or (plain(value.number) if system == "email" else "")
    if mail:
        found.append({"system": "email", "value": mail})
    for point in found:
        put(point, "use", use)
        if value.preference.isdecimal() and int(value.preference) > 0:
            point["rank"] = int(value.preference)
        put(point, "period", period(feed, value.effective, value.expiration))
    return found


def _number(value: Xtn) -> str:
    """Return the telephone number as people write it."""
    if value.unformatted:
        return plain(value.unformatted)
    if not value.local_number:
        return plain(value.number)
    country = value.country_code.lstrip("+")
    parts = (
        f"+{country}" if country else "",
        value.area_code,
        value.local_number,
        f"X{value.extension}" if value.extension else "",
    )
    return plain(" ".join(part for part in parts if part))


def _number_parts(value: Xtn) -> list[Element]:
    return [
        extension("contactpoint-" + name, "String", plain(part))
        for name, part in (
            ("country", value.country_code),
            ("area", value.area_code),
            ("local", value.local_number),
            ("extension", value.extension),
        )
        if plain(part)
    ]


_POINTS: Final = {
    use: partial(_contact_points, use=use) for use in ("", "home", "work")
}
