"""Names, addresses, telephone numbers and who holds them, in US Realm form."""

import re
from typing import Final

from engine.transforms.ccda.elements import Child, Element, element, null
from engine.transforms.ccda.facts import Resource, children, text, texts
from engine.transforms.ccda.rendering import Rendering
from engine.transforms.ccda.site import Custodian

_NAME_USE: Final = {"official": "L", "usual": "L", "nickname": "P", "anonymous": "P"}
_ADDRESS_USE: Final = {"home": "HP", "work": "WP", "temp": "TMP"}
_TELECOM_USE: Final = {"home": "HP", "work": "WP", "mobile": "MC", "temp": "TMP"}
_SCHEME: Final = {"phone": "tel:", "sms": "tel:", "pager": "tel:", "fax": "fax:"}
_UNSAFE_IN_URL: Final = re.compile(r"[^A-Za-z0-9+().;=_~@!$&'*,/?:-]")
MAX_STREET_LINES: Final = 4


def names(holder: Resource, rendering: Rendering, *, fielded: bool) -> list[Element]:
    """Return the names of a person, or one that is ``UNK``.

    Args:
        holder: a resource with ``name``.
        rendering: is told of names that are left out.
        fielded: a patient's name has given and family, each may be ``UNK``; others may
            be plain text.
    """
    kind = text(holder, "resourceType")
    made: list[Element] = []
    for name in children(holder, "name"):
        if text(name, "use") == "old":
            rendering.lose(f"{kind}.name", "no-cda-home", text(name, "family"))
        elif (found := _name(name, fielded=fielded)) is not None:
            made.append(found)
        elif text(name, "text"):
            rendering.lose(f"{kind}.name.text", "no-cda-home", text(name, "text"))
    return made or [null("name")]


def _name(name: Resource, *, fielded: bool) -> Element | None:
    family = text(name, "family")
    given = texts(name, "given")
    use = _NAME_USE.get(text(name, "use"))
    attributes = {"use": use} if use else {}
    if not family and not given:
        plain = "" if fielded else text(name, "text")
        return Element("name", attributes, [], plain) if plain else None
    return element(
        "name",
        attributes,
        [element("prefix", text=part) for part in texts(name, "prefix")],
        [element("given", text=part) for part in given] or null("given"),
        element("family", text=family) if family else null("family"),
        [element("suffix", text=part) for part in texts(name, "suffix")],
    )


def name_words(holder: Resource) -> str:
    """Return the first name of a person or the name of an organization, to be read."""
    if plain := text(holder, "name"):
        return plain
    for name in children(holder, "name"):
        parts = [*texts(name, "prefix"), *texts(name, "given"), text(name, "family")]
        said = " ".join(filter(None, [*parts, *texts(name, "suffix")]))
        if said or text(name, "text"):
            return said or text(name, "text")
    return ""


def addresses(holder: Resource, rendering: Rendering) -> list[Element]:
    """Return the addresses of a person or organization, or one that is ``UNK``."""
    kind = text(holder, "resourceType")
    made: list[Element] = []
    for address in children(holder, "address"):
        if text(address, "use") == "old":
            rendering.lose(f"{kind}.address", "no-cda-home", text(address, "city"))
        elif (found := _address(address)) is not None:
            made.append(found)
    return made or [null("addr")]


def _address(address: Resource) -> Element | None:
    lines = texts(address, "line") or list(filter(None, [text(address, "text")]))
    parts = {
        "county": text(address, "district"),
        "city": text(address, "city"),
        "state": text(address, "state"),
        "postalCode": text(address, "postalCode"),
        "country": text(address, "country"),
    }
    if not lines and not any(parts.values()):
        return None
    use = _ADDRESS_USE.get(text(address, "use"))
    return _fielded_address({"use": use} if use else {}, lines, parts)


def _fielded_address(
    attributes: dict[str, str], lines: list[str], parts: dict[str, str]
) -> Element:
    """Return an address; parts the US Realm demands are ``UNK`` when not known.

    State and postal code are demanded in the US and where no country is given.
    """
    if len(lines) > MAX_STREET_LINES:
        kept = MAX_STREET_LINES - 1
        lines = [*lines[:kept], ", ".join(lines[kept:])]
    abroad = parts["country"] not in ("", "US", "USA")
    demanded = {"city"} if abroad else {"city", "state", "postalCode"}
    return element(
        "addr",
        attributes,
        [element("streetAddressLine", text=line) for line in lines]
        or null("streetAddressLine"),
        [
            element(name, text=value) if value else null(name)
            for name, value in parts.items()
            if value or name in demanded
        ],
    )


def telecoms(holder: Resource) -> list[Element]:
    """Return the telephone numbers and mail addresses, or one that is ``UNK``."""
    made = []
    for point in children(holder, "telecom"):
        url = _url(text(point, "system"), text(point, "value"))
        if url and text(point, "use") != "old":
            use = _TELECOM_USE.get(text(point, "use"))
            attributes = {"value": url, "use": use} if use else {"value": url}
            made.append(Element("telecom", attributes, []))
    return made or [null("telecom")]


def _url(system: str, value: str) -> str:
    if not value:
        return ""
    scheme = "mailto:" if system == "email" or "@" in value else "tel:"
    scheme = _SCHEME.get(system, "" if system == "url" else scheme)
    plain = value if value.lower().startswith(scheme) else scheme + value
    hyphenated = re.sub(r"\s+", "-", plain)
    return _UNSAFE_IN_URL.sub(_escaped, hyphenated)


def _escaped(match: re.Match[str]) -> str:
    octets = match[0].encode("utf-8", "replace")
    return "".join(f"%{octet:02X}" for octet in octets)


def organization(
    name: str, holder: Resource, rendering: Rendering, title: str
) -> Element | None:
    """Return an organization element, or None when it has no name."""
    if not title:
        return None
    return element(
        name,
        None,
        ids(holder, rendering),
        element("name", text=title),
        telecoms(holder),
        addresses(holder, rendering),
    )


def ids(holder: Resource, rendering: Rendering) -> list[Element]:
    """Return the identifiers that have an OID, or one that is ``UNK``."""
    path = f"{text(holder, 'resourceType')}.identifier"
    found = (rendering.instance(item, path) for item in children(holder, "identifier"))
    return [made for made in found if made is not None] or [null("id")]


def role(name: str, holder: Resource, rendering: Rendering, *inside: Child) -> Element:
    """Return an assigned entity or author: id, address, telecom, and what is inside."""
    return element(
        name,
        None,
        ids(holder, rendering),
        addresses(holder, rendering),
        telecoms(holder),
        *inside,
    )


def person(name: str, holder: Resource, rendering: Rendering) -> Element:
    """Return a person element with the names of its holder."""
    return element(name, None, names(holder, rendering, fielded=False))


def custodian_organization(name: str, custodian: Custodian) -> Element:
    """Return the site's organization: id, name, one telecom, one address."""
    return element(
        name,
        None,
        Element("id", {"root": custodian.id}, []),
        element("name", text=custodian.name),
        custodian_telecom(custodian),
        custodian_address(custodian),
    )


def custodian_telecom(custodian: Custodian) -> Element:
    """Return the site's telephone number as it was configured."""
    if not custodian.phone:
        return null("telecom")
    value = _url("phone", custodian.phone)
    return Element("telecom", {"value": value, "use": "WP"}, [])


def custodian_address(custodian: Custodian) -> Element:
    """Return the site's address; what is not configured is ``UNK``."""
    parts = {
        "city": custodian.city,
        "state": custodian.state,
        "postalCode": custodian.postal_code,
        "country": custodian.country,
    }
    if not custodian.street and not any(parts.values()):
        return null("addr")
    lines = [custodian.street] if custodian.street else []
    return _fielded_address({}, lines, parts)
