"""Whether a message says that its patient is to be kept from most eyes.

Spec:
    identity.md 14, M20; HL7 v2.9 chapter 3, PV1-16, PD1-12 and ARV.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from engine.hl7 import Segment

_ALIASES: Final = frozenset({"A", "S", "MSK"})
"""Types of table 0200 for names that are not the patient's own."""

_REMOVED: Final = '""'


def is_confidential(
    about: Iterable[Segment], vip_codes: Collection[str]
) -> bool | None:
    """Return whether the patient is protected, None where nothing is said of it.

    One word for protection outweighs all against it. What is not said changes nothing:
    a protected person stays protected.

    Args:
        about: the segments of one patient, from PID to the next one.
        vip_codes: values of PV1-16 that ask for protection, in capitals; its table
            is the site's own.
    """
    said = [
        word
        for segment in about
        if segment.id in _SAYS
        and (word := _SAYS[segment.id](segment, vip_codes)) is not None
    ]
    return any(said) if said else None


def is_alias(pid: Segment) -> bool:
    """Whether all names of a PID are aliases, pseudonyms or masked."""
    names = pid.repetitions(5)
    return bool(names) and all(each.text(7) in _ALIASES for each in names)


def _protection(pd1: Segment, _: Collection[str]) -> bool | None:
    word = pd1.raw(12).strip().upper()
    return {"Y": True, "N": False, _REMOVED: False}.get(word)


def _vip(pv1: Segment, codes: Collection[str]) -> bool | None:
    return pv1.text(16).strip().upper() in codes or None


def _restriction(arv: Segment, _: Collection[str]) -> bool | None:
    action = arv.text(2).strip().upper()
    return {"A": True, "U": True, "": True, "D": False}.get(action)


_SAYS: Final[Mapping[str, Callable[[Segment, Collection[str]], bool | None]]] = (
    MappingProxyType({"PD1": _protection, "PV1": _vip, "ARV": _restriction})
)
