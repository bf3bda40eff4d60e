"""Which of the values that a source sent were of use.

What is no date, no number, or only stands for one is not kept among a record's traits:
only the message still shows that something was sent.

Spec:
    identity.md 2 (what counts as missing) and 13, metrics: validity per trait.
"""

from collections.abc import Callable, Mapping
from typing import Final

from engine.hl7 import Segment
from engine.identity.traits import traits_of

_SENT: Final[Mapping[str, Callable[[Segment], str]]] = {
    "family": lambda pid: pid.text(5),
    "given": lambda pid: pid.text(5, 2),
    "birth": lambda pid: pid.text(7),
    "sex": lambda pid: pid.text(8),
    "ssn": lambda pid: pid.text(19),
    "street": lambda pid: pid.text(11),
    "zip5": lambda pid: pid.text(11, 5),
    "phone": lambda pid: pid.text(13),
}


def usable(pid: Segment) -> dict[str, bool]:
    """Return of each trait that a PID carries whether anything of it can be compared.

    Of an SSN the last four digits are enough.
    """
    traits = traits_of(pid)
    known = traits._asdict() | {"ssn": traits.last_four}
    return {
        trait: bool(known[trait])
        for trait, sent in _SENT.items()
        if sent(pid).strip() not in {"", '""'}
    }
