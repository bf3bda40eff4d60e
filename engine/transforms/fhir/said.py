"""What segments say by themselves, remembered: the same ones come again and again.

A patient's allergies and next of kin are in every one of their messages, a result of a
laboratory differs from the last one in its value only. So the mappers of such segments
read in two steps: what a segment says, whoever it is about, is remembered here; whom it
belongs to is worked out for each message.

It is kept in the memory of the process and nowhere else, and only of the segments used
last.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from engine.transforms.fhir.mapped import Element, Party

_MOST: Final = 4_096
_LONG: Final = 2_000
"""Characters from which on a segment is a document; documents do not come again."""

BLANK: Final = None
"""Stands in a remembered element where each message fills in its own."""


Referral: TypeAlias = tuple[tuple[Party, ...], tuple[tuple[str, object], ...]]
"""Parties a segment refers to, and the elements it adds to the last one."""


Remembered: TypeAlias = object
"""What a reader made of a segment, such as the elements of its resource."""


class Said(NamedTuple):
    """What was read of a segment.

    ``taken`` are the fields that were read, ``carrying`` those that may carry
    something, both as `Node` has them. The value is shared between messages.
    """

    value: Remembered
    taken: int
    carrying: int
    referrals: tuple[Referral, ...]


Place: TypeAlias = tuple[object, Callable[..., object], str]
"""The feed, how the segment is read, and its text."""

_SAID: Final[OrderedDict[Place, Said]] = OrderedDict()
"""A memory, not a state: what is in it only saves making it again."""


def recall(place: Place) -> Said | None:
    """Return what was read of the same segment before."""
    known = _SAID.get(place)
    if known is not None:
        _SAID.move_to_end(place)
    return known


def remember(place: Place, said: Said) -> None:
    """Keep what was read; the segment longest unused is forgotten for it."""
    if len(place[2]) < _LONG:
        _SAID[place] = said
        if len(_SAID) > _MOST:
            _SAID.popitem(last=False)


def remembered() -> list[object]:
    """Return what is remembered, the longest unused first."""
    return [said.value for said in _SAID.values()]


def forget() -> None:
    """Forget everything."""
    _SAID.clear()


def drop_blanks(element: Element, *names: str) -> None:
    """Take the blanks that nothing was filled into out of a message's own element."""
    for name in names:
        if element[name] is BLANK:
            del element[name]
