"""Search parameters of PDQm (ITI-78), read into what the index is asked.

Spec:
    identity.md 11; FHIR R4 search, 3.1.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from engine.console.fhir_api.answers import Refusal
from engine.identity.criteria import WILD, Criteria, cleaned

DEFAULT_COUNT: Final = 20
MOST: Final = 100
_STRINGS: Final = MappingProxyType(
    {
        "family": "family",
        "given": "given",
        "address-city": "city",
        "address-state": "state",
    }
)
"""Parameters of type string: they fit what begins so, unless ``:exact``."""

_TOKENS: Final = MappingProxyType({"gender": "sex", "address-postalcode": "zip5"})
_BEGINS: Final = ("ge", "gt", "sa")
_ENDS: Final = ("le", "lt", "eb")


SUPPORTED: Final = MappingProxyType(
    dict.fromkeys(_STRINGS, "string")
    | dict.fromkeys((*_TOKENS, "telecom", "identifier", "_id"), "token")
    | {"birthdate": "date"}
)
"""Parameters and their types, as the CapabilityStatement lists them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One search: ``given`` are its parameters as they came, without paging.

    ``identifiers`` are (system, value) of which a person must have each; ``domains``
    are the systems of the identifiers wanted back, all where there is none.
    """

    given: list[tuple[str, str]]
    criteria: Criteria
    count: int
    identifiers: tuple[tuple[str, str], ...] = ()
    domains: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()

    @property
    def names_somebody(self) -> bool:
        """Whether an identifier or an id is among the parameters."""
        return bool(self.identifiers or self.ids)


@dataclass(slots=True)
class _Reading:
    """Parameters while they are read."""

    wanted: dict[str, str] = field(default_factory=dict)
    begin: str = ""
    end: str = ""
    count: int = DEFAULT_COUNT
    identifiers: list[tuple[str, str]] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    def take(self, name: str, value: str) -> None:
        plain, _, modifier = name.partition(":")
        if plain in _STRINGS and modifier in {"", "exact", "contains"}:
            self._string(plain, modifier, value)
        elif modifier or not value:
            raise _unknown(name)
        elif plain in _TOKENS:
            self._want(plain, _TOKENS[plain], value)
        elif plain == "telecom":
            text = value.rpartition("|")[2]
            self._want(plain, "email" if "@" in text else "phone", text)
        elif plain == "birthdate":
            self._born(value)
        elif plain == "identifier":
            self._identifiers(value)
        else:
            self._control(plain, value)

    def _control(self, name: str, value: str) -> None:
        if name == "_id":
            self.ids += value.split(",")
        elif name == "_count" and value.isdigit():
            self.count = min(int(value), MOST) or 1
        elif not (name == "_format" and "json" in value) and (name, value) != (
            "active",
            "true",
        ):
            raise _unknown(name)

    def _string(self, name: str, modifier: str, value: str) -> None:
        literal = value.replace(WILD, "")
        before = WILD if modifier == "contains" else ""
        after = "" if modifier == "exact" else WILD
        self._want(name, _STRINGS[name], f"{before}{literal}{after}")

    def _want(self, name: str, trait: str, value: str) -> None:
        found = cleaned(trait, value)
        if found is None or not found.strip(WILD) or trait in self.wanted:
            sentence = f"{name}: no value that can be searched for, or several"
            raise Refusal(HTTPStatus.BAD_REQUEST, "value", sentence)
        self.wanted[trait] = found

    def _born(self, value: str) -> None:
        prefix, day = (value[:2], value[2:]) if value[:1].isalpha() else ("eq", value)
        found = cleaned("birth", day)
        if prefix in {*_BEGINS, *_ENDS} and found and WILD not in found:
            if prefix in _BEGINS:
                self.begin = str(int(found) + (prefix != "ge"))
            else:
                self.end = str(int(found) - (prefix != "le"))
            return
        if prefix != "eq":
            raise _unknown("birthdate")
        self._want("birthdate", "birth", day)

    def _identifiers(self, value: str) -> None:
        for token in value.split(","):
            system, mark, number = token.partition("|")
            if mark and system and number:
                self.identifiers.append((system, number))
            elif mark and system:
                self.domains.append(system)
            else:
                raise _unknown("identifier")


def read_parameters(given: Sequence[tuple[str, str]]) -> Asked:
    """Return what is asked.

    Raises:
        Refusal: a parameter is unknown or cannot be read. To leave one out would
            answer with people nobody asked for.
    """
    reading = _Reading()
    for name, value in given:
        reading.take(name, value.strip())
    return Asked(
        list(given),
        Criteria(reading.wanted, (reading.begin, reading.end)),
        reading.count,
        tuple(reading.identifiers),
        tuple(reading.domains),
        tuple(reading.ids),
    )


def _unknown(name: str) -> Refusal:
    """Return the refusal of a parameter; only words that are ours are repeated."""
    known = {*SUPPORTED, "_count"}
    told = name.partition(":")[0]
    sentence = f"a parameter is not supported; supported are {', '.join(sorted(known))}"
    if told in known:
        sentence = f"{told}: this form of it is not supported"
    return Refusal(HTTPStatus.BAD_REQUEST, "not-supported", sentence)
