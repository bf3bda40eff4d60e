"""Who one patient of a message is: the two ways in, and the doubts on the way.

It only reads. A number that is known leads to its record without matching; for any
other the traits decide.

Spec:
    identity.md 1, 6 and 7.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from engine.identity.answering import answered
from engine.identity.decision import (
    Decision,
    Doubt,
    Move,
    Outcome,
    Reason,
    RecordChange,
    Ruling,
)
from engine.identity.index import Identifier, PatientIndex, SourceRecord
from engine.identity.matching import Match, Ranking, enough, keys_of, rank
from engine.identity.placeholders import meant
from engine.identity.registration import Category, Registration
from engine.identity.similarity import compare
from engine.identity.traits import Kind, Traits, updated
from engine.identity.weights import Frequencies, Model, overlay_score

# -- the two ways in -------------------------------------------------------------------


def resolve(registration: Registration, index: PatientIndex, model: Model) -> Decision:
    """Return who one PID segment is about, merge notices left aside.

    `notices.decide` is what a message goes through; it calls this for each patient.
    """
    known = index.known(registration.identifiers)
    if not known:
        return decide_unknown(registration, index, model)
    record = next(known[each] for each in registration.identifiers if each in known)
    if len({each.person for each in known.values()}) > 1:
        return _claimed_twice(registration, record, known, index)
    return decide_known(registration, record, known, index, model)


def _claimed_twice(
    registration: Registration,
    record: SourceRecord,
    known: Mapping[Identifier, SourceRecord],
    index: PatientIndex,
) -> Decision:
    """The numbers of one message belong to several persons."""
    decision = _linked(registration, record, Reason.IDENTIFIER_CONFLICT)
    if index.ruling(registration.message):
        return replace(decision, reasons=(Reason.DECIDED,))
    rivals = [each for each in known.values() if each.person != record.person]
    matches = tuple(Match(each, {}, 0.0, Frequencies(0, 0, 0)) for each in rivals)
    held = Category.OVERLAY in registration.policy.holds
    doubt = Doubt(Category.OVERLAY, Reason.IDENTIFIER_CONFLICT, matches, held)
    return replace(decision, outcome=Outcome.DOUBT, doubts=(doubt,))


# -- a number nobody has seen ----------------------------------------------------------

_SET_APART: Final = MappingProxyType(
    {
        Kind.UNIDENTIFIED: Reason.UNIDENTIFIED,
        Kind.TEST: Reason.TEST_PATIENT,
        Kind.REMOVED: Reason.REMOVED,
    }
)


def decide_unknown(
    registration: Registration, index: PatientIndex, model: Model
) -> Decision:
    """Return the decision for a record that is not in the index yet."""
    traits = registration.traits
    keys = list(registration.keys) or keys_of(traits, index, model)
    if traits.isolated:
        return _new(registration, keys, _SET_APART[Kind(traits.kind)], model)
    if not enough(traits):
        return _new(registration, keys, Reason.PLACEHOLDER_DATA, model)
    ranking = rank(traits, keys, index, model)
    decision = _ranked(registration, keys, ranking, index, model)
    return replace(decision, learned=ranking.learned)


def _ranked(
    registration: Registration,
    keys: list[int],
    ranking: Ranking,
    index: PatientIndex,
    model: Model,
) -> Decision:
    """Link to a candidate, ask about the best, or begin a person."""
    if ranking.linkable:
        return _joined(registration, keys, ranking, index, model)
    doubt = _question(registration, registration.traits, ranking)
    if doubt is None:
        return _new(registration, keys, Reason.NO_CANDIDATE, model)
    decision = _new(registration, keys, doubt.reason, model)
    return replace(
        decision, outcome=Outcome.DOUBT, match=doubt.matches[0], doubts=(doubt,)
    )


def _new(
    registration: Registration, keys: list[int], reason: Reason, model: Model
) -> Decision:
    person = registration.minted
    return Decision(
        registration,
        Outcome.NEW,
        person,
        (reason,),
        change=_registered(registration, person, keys),
        model=model.version,
    )


def _joined(
    registration: Registration,
    keys: list[int],
    ranking: Ranking,
    index: PatientIndex,
    model: Model,
) -> Decision:
    """Link to the best; settle or ask whether the other persons are the same, too."""
    best = ranking.linkable[0]
    person = best.record.person
    decision = Decision(
        registration,
        Outcome.LINKED,
        person,
        (Reason.MATCH,),
        match=best,
        change=_registered(registration, person, keys),
    )
    decision = _with_death(decision, best.record)
    rivals = (*ranking.linkable[1:], *ranking.doubtful)
    if not rivals:
        return decision
    apart = index.told_apart(best.record.number, best.record.traits)
    rivals = tuple(r for r in rivals if r.record.number not in apart)
    news = replace(best.record, number=0, traits=registration.traits)
    settled = answered(news, rivals, index, model)
    moves = (
        Move("merge", (), each.record.person, person, Reason.MATCH) for each in settled
    )
    decision = replace(decision, moves=tuple(moves))
    rest = tuple(r for r in rivals if r in ranking.linkable and r not in settled)
    if not rest:
        return decision
    return _with_doubt(decision, _asked(registration, rest, best.record.authority))


def _registered(
    registration: Registration, person: str, keys: Sequence[int]
) -> RecordChange:
    return RecordChange(
        None,
        person,
        registration.traits,
        registration.identifiers,
        keys_added=tuple(keys),
    )


# -- a number we know ------------------------------------------------------------------


def decide_known(
    registration: Registration,
    record: SourceRecord,
    known: Collection[Identifier],
    index: PatientIndex,
    model: Model,
) -> Decision:
    """Return the decision for a record that is in the index.

    Args:
        registration: what the message says.
        record: the record its number led to.
        known: the identifiers of the registration that lead to it already.
        index: where the rest is looked up.
        model: weights and thresholds.
    """
    fresh = tuple(each for each in registration.identifiers if each not in known)
    if record.authority != registration.identifiers[0].authority:
        return _of_another_authority(registration, record, index, model)
    decision = _linked(registration, record, Reason.KNOWN_IDENTIFIER)
    news = _news(registration, record)
    if news == record.traits:
        if fresh:
            change = RecordChange(record.number, record.person, news, fresh, news)
            return replace(decision, change=change)
        return decision
    if overlaid(meant(record.traits, index), registration.traits, model):
        ruling = index.ruling(registration.message)
        if not ruling:
            return _held_overlay(decision, registration)
        decision = replace(decision, reasons=(Reason.DECIDED,))
        if ruling == Ruling.DIFFERENT:
            new = decide_unknown(registration, index, model)
            return replace(new, reasons=(Reason.DECIDED, *new.reasons))
    return _changed(decision, record, news, fresh, index, model)


def overlaid(before: Traits, after: Traits, model: Model) -> bool:
    """Whether an update seems to put another person into a record."""
    if before.kind == Kind.UNIDENTIFIED:
        return False
    levels = compare(before, after, model.nicknames)
    if Kind.UNNAMED in {before.kind, after.kind} and levels.get("birth") == "no":
        return True  # without a given name the birthday is what tells newborns apart
    if before.kind == Kind.UNNAMED and levels.get("birth") == "eq":
        same_mother = bool(before.mother) and before.mother == after.mother
        if same_mother or levels.get("address") in {"eq", "near"}:
            return False
    all_new = (
        levels.get("sex") == "no"
        and levels.get("given") == "no"
        and levels.get("birth", "eq") != "eq"
    )
    return all_new or overlay_score(levels, model.weights) < 0


def _news(registration: Registration, record: SourceRecord) -> Traits:
    """Return the traits the record will have: nothing late replaces anything newer."""
    late = "" < registration.happened < record.updated
    if registration.fills_only or late:
        return updated(registration.traits, record.traits)
    return updated(record.traits, registration.traits)


def _linked(
    registration: Registration, record: SourceRecord, reason: Reason
) -> Decision:
    decision = Decision(
        registration, Outcome.LINKED, record.person, (reason,), record=record
    )
    return _with_death(decision, record)


def _held_overlay(decision: Decision, registration: Registration) -> Decision:
    held = Category.OVERLAY in registration.policy.holds
    doubt = Doubt(Category.OVERLAY, Reason.POTENTIAL_OVERLAY, (), held)
    return replace(
        decision,
        outcome=Outcome.DOUBT,
        reasons=(Reason.POTENTIAL_OVERLAY,),
        doubts=(doubt,),
    )


def _of_another_authority(
    registration: Registration,
    record: SourceRecord,
    index: PatientIndex,
    model: Model,
) -> Decision:
    """A second system uses a number the first one told us: a record of its own."""
    traits = registration.traits
    decision = _linked(registration, record, Reason.KNOWN_IDENTIFIER)
    if overlaid(meant(record.traits, index), traits, model) and not index.ruling(
        registration.message
    ):
        match = Match(record, {}, 0.0, Frequencies(0, 0, 0))
        held = Category.OVERLAY in registration.policy.holds
        doubt = Doubt(Category.OVERLAY, Reason.IDENTIFIER_CONFLICT, (match,), held)
        return replace(
            decision, outcome=Outcome.DOUBT, reasons=(doubt.reason,), doubts=(doubt,)
        )
    keys = keys_of(traits, index, model)
    change = _registered(registration, record.person, keys)
    return replace(decision, record=None, change=change)


def _changed(
    decision: Decision,
    record: SourceRecord,
    news: Traits,
    fresh: tuple[Identifier, ...],
    index: PatientIndex,
    model: Model,
) -> Decision:
    """Write what is new, and match again where an identifying trait changed."""
    before = dict.fromkeys(keys_of(record.traits, index, model))
    after = dict.fromkeys(keys_of(news, index, model))
    change = RecordChange(
        record.number,
        record.person,
        news,
        fresh,
        record.traits,
        tuple(key for key in after if key not in before),
        tuple(key for key in before if key not in after),
    )
    decision = replace(decision, change=change)
    if news.removed:
        return replace(decision, reasons=(*decision.reasons, Reason.REMOVED))
    if news.identifying == record.traits.identifying or news.isolated:
        return decision
    return _rematched(decision, record, list(after), index, model)


def _rematched(
    decision: Decision,
    record: SourceRecord,
    keys: list[int],
    index: PatientIndex,
    model: Model,
) -> Decision:
    """Ask again whose record this is; only a person alone is moved by a rule."""
    assert decision.change is not None
    news = decision.change.traits
    own = {each.number for each in index.members(record.person)}
    apart = index.told_apart(record.number, news)
    ranking = rank(news, keys, index, model, without=own | apart)
    decision = replace(decision, learned=ranking.learned)
    if apart:
        decision = replace(decision, reasons=(*decision.reasons, Reason.DECIDED))
    if ranking.linkable and len(own) == 1 and not apart:
        best = ranking.linkable[0]
        person = best.record.person
        move = Move("merge", (), record.person, person, Reason.MATCH)
        return replace(
            decision,
            enterprise_id=person,
            reasons=(*decision.reasons, Reason.MATCH),
            match=best,
            moves=(move,),
        )
    if ranking.linkable:
        return _with_doubt(
            decision, _asked(decision.registration, ranking.linkable, record.authority)
        )
    doubt = _question(decision.registration, news, ranking)
    return _with_doubt(decision, doubt) if doubt else decision


# -- doubts ----------------------------------------------------------------------------

_ACTIVITY: Final = frozenset(
    f"ADT^A{number:02}" for number in (1, 2, 4, 5, 6, 7, 9, 10, 12, 13, 14)
)


def _with_doubt(decision: Decision, doubt: Doubt) -> Decision:
    return replace(
        decision,
        doubts=(*decision.doubts, doubt),
        reasons=(*decision.reasons, doubt.reason),
    )


def _with_death(decision: Decision, record: SourceRecord) -> Decision:
    """Ask when somebody known to be dead is admitted; it never holds a message."""
    registration, death = decision.registration, record.traits.death
    if not death or registration.event not in _ACTIVITY:
        return decision
    if death != "Y" and registration.happened[:8] <= death:
        return decision
    return _with_doubt(decision, Doubt(Category.OVERLAY, Reason.DECEASED_ACTIVITY))


def _question(
    registration: Registration, traits: Traits, ranking: Ranking
) -> Doubt | None:
    """Return the question worth asking about candidates too weak to link."""
    matches = ranking.doubtful or ranking.shared_ssn
    if not matches:
        return None
    best = matches[0]
    doubt = _asked(registration, matches, registration.identifiers[0].authority)
    if Kind.UNNAMED in {traits.kind, best.record.traits.kind}:
        return replace(doubt, reason=Reason.NEWBORN_UNNAMED)
    if best.guarded and best.levels.get("given") != "eq":
        return replace(doubt, reason=Reason.TWIN_SUSPECT)
    if best in ranking.shared_ssn:
        return replace(doubt, reason=Reason.SHARED_SSN)
    return doubt


def _asked(
    registration: Registration, matches: tuple[Match, ...], authority: str
) -> Doubt:
    same = matches[0].record.authority == authority
    category = Category.DUPLICATE if same else Category.OVERLAP
    reason = Reason.POTENTIAL_DUPLICATE if same else Reason.POTENTIAL_OVERLAP
    return Doubt(category, reason, matches, category in registration.policy.holds)
