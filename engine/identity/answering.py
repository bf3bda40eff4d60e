"""Open doubts that a message answers: a record alone joins the person it may be.

What arrives last decides in which order records are compared. Two registrations of one
person may each be too thin for the other and be asked about; a third that fits both
tells. Had it come second, nobody would have been asked, so nobody is now.

Spec:
    identity.md 6, and 14 (M03: opened doubts are rescored or closed).
"""

from collections.abc import Sequence

from engine.identity.index import PatientIndex, SourceRecord
from engine.identity.matching import (
    Match,
    counted,
    keys_of,
    match,
    ranked,
)
from engine.identity.placeholders import without_common
from engine.identity.weights import Model


def answered(
    news: SourceRecord, rivals: Sequence[Match], index: PatientIndex, model: Model
) -> tuple[Match, ...]:
    """Return the rivals who are, with this news, the person it was linked to.

    Args:
        news: the record that just came; its ``person`` is whom it was linked to.
        rivals: matches of the news with other persons.
        index: where open doubts and persons are looked up.
        model: weights and thresholds.
    """
    doubted = [each for each in rivals if index.doubted(each.record.number)]
    members = index.members(news.person) if doubted else []
    return tuple(
        each
        for each in doubted
        if _asked_about(each.record, members, index)
        and _belongs(each.record, members, news, index, model)
    )


def _asked_about(
    alone: SourceRecord, members: Sequence[SourceRecord], index: PatientIndex
) -> bool:
    """Whether a doubt joins a record alone to a person, and nobody said otherwise."""
    numbers = {each.number for each in members}
    return (
        not numbers.isdisjoint(index.doubted(alone.number))
        and numbers.isdisjoint(index.told_apart(alone.number, alone.traits))
        and len(index.members(alone.person)) == 1
    )


def _belongs(
    alone: SourceRecord,
    members: Sequence[SourceRecord],
    news: SourceRecord,
    index: PatientIndex,
    model: Model,
) -> bool:
    """Whether a record is a person's: rather than not by itself, surely with news."""
    nearby = index.candidates(keys_of(alone.traits, index, model))
    traits = without_common(alone.traits, nearby, index)
    counts = counted(traits, index, model)
    known = [match(traits, each, counts, model) for each in members]
    before = ranked(traits, known, model)
    if not any(each.bits > 0 for each in (*before.linkable, *before.doubtful)):
        return False
    after = ranked(traits, [*known, match(traits, news, counts, model)], model)
    return bool(after.linkable)
