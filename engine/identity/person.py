"""Persons as a fold over link events; every event has an inverse that is an event.

Spec:
    identity.md 8.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from engine.errors import IllegalTransitionError


class LinkKind(StrEnum):
    """What a link event does."""

    LINK = "link"
    UNLINK = "unlink"
    MERGE = "merge"
    UNMERGE = "unmerge"
    SPLIT = "split"
    DIFFERENT = "different"
    WITHDRAW = "withdraw"


_PAIRS = frozenset({LinkKind.DIFFERENT, LinkKind.WITHDRAW})


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """One change of membership: ``records`` went from ``source`` to ``target``.

    ``via`` is the record a linked one was matched with, ``undoes`` the event an inverse
    takes back. ``different`` and ``withdraw`` name a pair of records and no persons. A
    merge whose two sides are one person is recorded and changes nothing.
    """

    number: int
    time: datetime
    actor: str
    kind: LinkKind
    records: tuple[int, ...]
    source: str = ""
    target: str = ""
    reason: str = ""
    message: int = 0
    task: int = 0
    via: int = 0
    undoes: int = 0
    model: str = ""


@dataclass(frozen=True, slots=True)
class Membership:
    """Who belongs to whom: person by record, survivor by retired person, pairs."""

    person_of: Mapping[int, str] = field(default_factory=dict)
    survivor_of: Mapping[str, str] = field(default_factory=dict)
    different: frozenset[tuple[int, int]] = frozenset()

    def records_of(self, person: str) -> tuple[int, ...]:
        """Return the records of a person, in order."""
        return tuple(
            sorted(record for record, of in self.person_of.items() if of == person)
        )

    def resolved(self, person: str) -> str:
        """Return the person an enterprise identifier stands for today."""
        while person in self.survivor_of:
            person = self.survivor_of[person]
        return person


_NOBODY = Membership()


def fold(events: Iterable[LinkEvent], state: Membership = _NOBODY) -> Membership:
    """Return the state that events lead to, from another one on."""
    people, survivors = dict(state.person_of), dict(state.survivor_of)
    different = set(state.different)
    for event in events:
        if event.kind is LinkKind.DIFFERENT:
            different.add(pair_of(*event.records))
        elif event.kind is LinkKind.WITHDRAW:
            different.discard(pair_of(*event.records))
        else:
            survivors.pop(event.target, None)
            if event.kind is LinkKind.MERGE and event.source != event.target:
                survivors[event.source] = event.target
            people |= dict.fromkeys(event.records, event.target)
    return Membership(people, survivors, frozenset(different))


def pair_of(one: int, other: int) -> tuple[int, int]:
    """Return two records in the order a pair is kept."""
    return (one, other) if one < other else (other, one)


# -- moves -----------------------------------------------------------------------------


def merged(
    source: str, target: str, records: Collection[int], event: LinkEvent
) -> LinkEvent:
    """Return the event that retires one person into another.

    Args:
        source: the person that retires; already resolved.
        target: the survivor; already resolved.
        records: all records of ``source``.
        event: carries number, time, actor, cause and reason.
    """
    return replace(
        event,
        kind=LinkKind.MERGE,
        records=() if source == target else tuple(sorted(records)),
        source=source,
        target=target,
    )


def moved(
    state: Membership, records: Collection[int], target: str, event: LinkEvent
) -> LinkEvent:
    """Return the event by which records of one person leave for another.

    A link of the last records a person has is a merge: nobody is left empty.

    Raises:
        IllegalTransitionError: the records are not one person's, are there already,
            or are all the person has and are to be split off.
    """
    owners = {state.person_of.get(record, "") for record in records}
    if len(owners) != 1 or "" in owners:
        raise IllegalTransitionError("the records to move do not belong to one person")
    source = owners.pop()
    if source == target:
        raise IllegalTransitionError(f"the records already belong to person {target}")
    everything = set(state.records_of(source)) <= set(records)
    if everything and event.kind is LinkKind.LINK:
        return merged(source, target, records, event)
    if everything:
        raise IllegalTransitionError(
            f"person {source} would be left without records: merge instead"
        )
    return replace(event, records=tuple(sorted(records)), source=source, target=target)


def inverse(
    state: Membership, undone: LinkEvent, later: Iterable[LinkEvent], event: LinkEvent
) -> LinkEvent:
    """Return the event that takes another one back.

    An unmerge returns exactly the records that came with the merge and are still
    where it brought them, and those that were matched to one of them since.

    Args:
        state: today's.
        undone: the event to take back.
        later: the events after it, in order.
        event: carries number, time, actor, cause and reason; its ``target`` is the
            person to use where the records belonged to nobody before.

    Raises:
        IllegalTransitionError: nothing is left to take back, or it was taken back.
    """
    since = list(later)
    if any(each.undoes == undone.number for each in since):
        raise IllegalTransitionError(f"link event {undone.number} is undone already")
    event = replace(event, undoes=undone.number)
    if undone.kind in _PAIRS:
        withdraw = undone.kind is LinkKind.DIFFERENT
        kind = LinkKind.WITHDRAW if withdraw else LinkKind.DIFFERENT
        return replace(event, kind=kind, records=undone.records, target="")
    holder = state.resolved(undone.target)
    if undone.kind in {LinkKind.UNMERGE, LinkKind.SPLIT}:
        survivor = state.resolved(undone.source)
        return merged(holder, survivor, state.records_of(holder), event)
    back = _followers(undone.records, since)
    records = [record for record in back if state.person_of.get(record) == holder]
    target = _home(state, undone, holder) or event.target
    if not records or target == holder:
        raise IllegalTransitionError(
            f"link event {undone.number} has nothing left to take back"
        )
    if undone.kind is LinkKind.UNLINK:
        return moved(state, records, target, replace(event, kind=LinkKind.LINK))
    merge = undone.kind is LinkKind.MERGE
    return replace(
        event,
        kind=LinkKind.UNMERGE if merge else LinkKind.UNLINK,
        records=tuple(sorted(records)),
        source=holder,
        target=target,
    )


def _home(state: Membership, undone: LinkEvent, holder: str) -> str:
    """Return the person the records came from, ``""`` where there is none to go to."""
    if undone.kind is LinkKind.MERGE:
        return undone.source
    home = state.resolved(undone.source)
    return "" if home == holder else home


def _followers(records: Iterable[int], since: Iterable[LinkEvent]) -> set[int]:
    """Return the records, and those that were linked because of one of them."""
    back = set(records)
    for event in since:
        if event.kind is LinkKind.LINK and event.via in back:
            back.update(event.records)
    return back
