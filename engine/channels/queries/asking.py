"""Queries in HL7 v2: what QPD, RCP and DSC ask for.

Spec:
    identity.md 11, ITI-9, ITI-21 and ITI-22; HL7 v2.5.1 chapter 5, 5.5.4 (QPD), 5.5.6
    (RCP); IHE ITI TF-2 3.21.4.1.2.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from engine.hl7 import Message
from engine.hl7.acknowledgment import AckFault
from engine.hl7.datatypes import Hd
from engine.hl7.delimiters import STANDARD
from engine.hl7.escapes import encode
from engine.hl7.segment import Repetition, Segment
from engine.identity.criteria import WILD, Criteria, cleaned
from engine.identity.traits import Traits, traits_of

UNKNOWN: Final = "204"
WRONG: Final = "102"
MISSING: Final = "101"
UNABLE: Final = "207"
MOST_PARTS: Final = 40
"""Repetitions of QPD-3 that are read; nobody asks by more."""

_TRAITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "PID.5.1": "family",
        "PID.5.2": "given",
        "PID.5.3": "middle",
        "PID.7": "birth",
        "PID.8": "sex",
        "PID.11.3": "city",
        "PID.11.4": "state",
        "PID.11.5": "zip5",
        "PID.13": "phone",
        "PID.19": "ssn",
    }
)
_NUMBER: Final = frozenset({"PID.3.1", "PID.3.4", "PID.3.4.2", "PID.3.4.3", "PID.3.5"})
_STREET: Final = "PID.11.1"


class Refused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """The query cannot be answered; ``fault`` says where and why."""

    def __init__(self, code: str, location: str, text: str) -> None:
        super().__init__(text)
        self.fault = AckFault(code, location=location, text=text)


@dataclass(frozen=True, slots=True)
class Demand:
    """A demographics query: what must fit, and one number of the person."""

    criteria: Criteria
    number: str = ""
    issuer: tuple[str, str] = ("", "")


def query_segment(message: Message) -> Segment:
    """Return QPD.

    Raises:
        Refused: there is none.
    """
    found = message.first("QPD")
    if found is None:
        raise Refused(MISSING, "QPD^1", "a query needs QPD")
    return found


def quantity(message: Message, most: int) -> int:
    """Return how many persons are wanted at once: RCP-2, within the channel's limit."""
    rcp = message.first("RCP")
    wanted = rcp.text(2) if rcp is not None else ""
    number = int(wanted) if wanted.isdecimal() and len(wanted) <= len("9999999") else 0
    return min(number, most) if number else most


def pointer_of(message: Message) -> str:
    """Return DSC-1, where an earlier answer goes on; ``""`` for a new query."""
    dsc = message.first("DSC")
    return dsc.text(1) if dsc is not None else ""


def domains(qpd: Segment, field: int) -> Iterator[tuple[int, Hd]]:
    """Yield place and authority of each domain wanted, from CX-4 or HD alone."""
    for place, each in enumerate(qpd.repetitions(field)[:MOST_PARTS], 1):
        named = Hd.within(each.sub(4)) if each.text(4) or each.text(4, 2) else Hd()
        if named.namespace or named.universal_id:
            yield place, named


def demand(qpd: Segment) -> Demand:
    """Return what QPD-3 asks for: ``@PID.5.1^Smi*~@PID.7^19800229``.

    Raises:
        Refused: it asks by something unknown, twice by one thing, or by nothing.
    """
    given: dict[str, tuple[int, str]] = {}
    for place, each in enumerate(qpd.repetitions(3)[: MOST_PARTS + 1], 1):
        name, value = _part(each)
        if place > MOST_PARTS or name in given:
            raise Refused(WRONG, f"QPD^1^3^{place}", "asked twice, or too much at once")
        if value:
            given[name] = place, value
    wanted = dict(_wanted(given))
    number = given.get("PID.3.1", (0, ""))[1]
    issuer = tuple(given.get(each, (0, ""))[1] for each in ("PID.3.4", "PID.3.4.2"))
    if not wanted and not number:
        raise Refused(MISSING, "QPD^1^3", "nothing is asked for")
    return Demand(Criteria(wanted), number, (issuer[0], issuer[1]))


def _part(each: Repetition) -> tuple[str, str]:
    """Return the field one repetition names, without a first subcomponent's number."""
    name = each.text(1).strip().removeprefix("@").upper()
    for number in ("PID.3.4", "PID.5.1", "PID.11.1"):
        name = number if name == f"{number}.1" else name
    short = {"PID.7.1": "PID.7", "PID.13.1": "PID.13"}
    return short.get(name, name), each.text(2).strip()


def _wanted(given: Mapping[str, tuple[int, str]]) -> Iterator[tuple[str, str]]:
    for name, (place, value) in given.items():
        location = f"QPD^1^3^{place}"
        if name in _NUMBER:
            continue
        if name == _STREET:
            found = _house(value)
            if not found.street or WILD in value:
                raise Refused(WRONG, location, "no street that can be searched for")
            yield from (("number", found.number), ("street", found.street))
        elif name in _TRAITS:
            wanted = cleaned(_TRAITS[name], value)
            if wanted is None or not wanted.strip(WILD):
                raise Refused(WRONG, location, "no value that can be searched for")
            yield _TRAITS[name], wanted
        else:
            raise Refused(UNABLE, location, "not a field that can be searched by")


def _house(line: str) -> Traits:
    """Return house number and street as the index writes them."""
    pid = f"PID{'|' * 11}{encode(line, STANDARD)}"
    return traits_of(Segment(pid, STANDARD, "utf-8"))
