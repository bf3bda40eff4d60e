"""Merge, link, move and change of identifier, as the sender tells them.

Spec:
    identity.md 8; fhir.md T28.
"""

from dataclasses import replace
from typing import Final

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
from engine.identity.matching import Match, counted, match
from engine.identity.registration import Category, Notice, NoticeKind, Registration
from engine.identity.resolution import decide_known, resolve
from engine.identity.traits import Kind, Traits
from engine.identity.weights import Model

_BY_RECORD: Final = frozenset({NoticeKind.MOVE, NoticeKind.UNLINK})


def decide(registration: Registration, index: PatientIndex, model: Model) -> Decision:
    """Return who a message is about and everything that has to be written.

    It only reads. A message with several patients (A40 repeats its pairs) has the
    decisions on the others in ``also``; one that is held holds them all.
    """
    others = tuple(decide(each, index, model) for each in registration.also)
    notice = registration.notice
    if notice is None:
        decision = resolve(registration, index, model)
    elif notice.kind == NoticeKind.CHANGE:
        decision = _renumbered(registration, notice, index, model)
    else:
        decision = resolve(registration, index, model)
        if not decision.held:
            decision = _noticed(decision, notice, others, index, model)
    if others or decision.model != model.version:
        also = tuple(_of_one_person(each, decision) for each in others)
        decision = replace(decision, also=also, model=model.version)
    return _withheld(decision) if decision.held else decision


def _of_one_person(other: Decision, first: Decision) -> Decision:
    """Return a decision with the first one's person where both name one number."""
    shared = set(other.registration.identifiers) & set(first.registration.identifiers)
    if other.record is not None or not shared:
        return other
    return replace(other, enterprise_id=first.enterprise_id)


def _withheld(decision: Decision) -> Decision:
    """Return a held decision: what the index knows stays as it is."""
    return replace(
        decision,
        change=decision.change if decision.record is None else None,
        moves=(),
        also=tuple(map(_withheld, decision.also)),
    )


def _noticed(
    decision: Decision,
    notice: Notice,
    others: tuple[Decision, ...],
    index: PatientIndex,
    model: Model,
) -> Decision:
    """Return the decision with what the notice says about the prior numbers."""
    known = index.known(notice.prior)
    prior = next((known[each] for each in notice.prior if each in known), None)
    if notice.kind in {NoticeKind.LINK, NoticeKind.UNLINK}:
        return _paired(decision, notice, others[0], index, model)
    if prior is None:
        return _retiring(decision, notice.prior)
    if prior.person == decision.enterprise_id:
        return _joined_already(decision, notice, prior, index)
    reason = _contradiction(decision, prior, index, model)
    if reason:
        ruling = index.ruling(decision.registration.message)
        if not ruling:
            return _conflict(decision, prior, index, model)
        decision = replace(decision, reasons=(*decision.reasons, Reason.DECIDED))
        if ruling == Ruling.DIFFERENT:
            return decision
    return _applied(decision, notice, prior)


# -- merge and move --------------------------------------------------------------------


def _applied(decision: Decision, notice: Notice, prior: SourceRecord) -> Decision:
    person = decision.enterprise_id
    if notice.kind == NoticeKind.MOVE:
        move = Move("link", (prior.number,), prior.person, person, Reason.TOLD)
        return replace(decision, moves=(*decision.moves, move))
    if decision.outcome == Outcome.NEW and decision.change is not None:
        change = replace(decision.change, person=prior.person)
        decision = replace(
            decision,
            outcome=Outcome.LINKED,
            enterprise_id=prior.person,
            reasons=(Reason.TOLD,),
            change=change,
        )
        return _retiring(decision, notice.prior)
    move = Move("merge", (), prior.person, person, Reason.TOLD)
    decision = replace(decision, moves=(*decision.moves, move))
    return _retiring(decision, notice.prior)


def _retiring(decision: Decision, numbers: tuple[Identifier, ...]) -> Decision:
    """Return the decision with numbers that stay known but are no longer in use."""
    change = decision.change
    if change is None:
        record = decision.record
        assert record is not None, "a decision without a record has a change"
        change = RecordChange(
            record.number, record.person, record.traits, before=record.traits
        )
    return replace(decision, change=replace(change, retired=numbers))


def _joined_already(
    decision: Decision, notice: Notice, prior: SourceRecord, index: PatientIndex
) -> Decision:
    """Both numbers are one person's: a self, repeated or inverse merge."""
    if notice.kind == NoticeKind.MOVE or prior.retired:
        return decision
    if decision.record is not None and decision.record.retired:
        ruling = index.ruling(decision.registration.message)
        if not ruling:
            return _doubted(decision, ())
        decision = replace(decision, reasons=(*decision.reasons, Reason.DECIDED))
        if ruling == Ruling.DIFFERENT:
            return decision
        own = decision.registration.identifiers
        decision = _retiring(decision, notice.prior)
        assert decision.change is not None
        return replace(decision, change=replace(decision.change, identifiers=own))
    person = decision.enterprise_id
    move = Move("merge", (), person, person, Reason.TOLD)
    return _retiring(replace(decision, moves=(move,)), notice.prior)


def _contradiction(
    decision: Decision, prior: SourceRecord, index: PatientIndex, model: Model
) -> bool:
    """Whether the evidence or the history speaks against joining the two.

    A prior number that is retired was merged before, and taken apart by somebody since.
    """
    registration, record = decision.registration, decision.record
    foreign = prior.authority != registration.identifiers[0].authority
    if foreign or prior.retired or not registration.policy.applies_merges:
        return True
    if record and prior.number in index.told_apart(record.number, record.traits):
        return True
    if any(_identified_elsewhere(each, index) for each in (prior, record) if each):
        return True
    traits = record.traits if record else registration.traits
    return _unlike(traits, prior, index, model)


def _identified_elsewhere(record: SourceRecord, index: PatientIndex) -> bool:
    """Whether an unidentified patient has been found to be somebody since."""
    return record.traits.kind == Kind.UNIDENTIFIED and any(
        not each.traits.isolated for each in index.members(record.person)
    )


def _unlike(
    traits: Traits, prior: SourceRecord, index: PatientIndex, model: Model
) -> bool:
    found = match(traits, prior, counted(traits, index, model), model)
    return (
        found.bits < model.thresholds.low
        and found.levels.get("given") == "no"
        and found.levels.get("birth") == "no"
    )


def _conflict(
    decision: Decision, prior: SourceRecord, index: PatientIndex, model: Model
) -> Decision:
    registration, record = decision.registration, decision.record
    traits = record.traits if record else registration.traits
    return _doubted(
        decision, (match(traits, prior, counted(traits, index, model), model),)
    )


def _doubted(decision: Decision, matches: tuple[Match, ...]) -> Decision:
    category = Category.CONFLICTING_MERGE
    held = category in decision.registration.policy.holds
    doubt = Doubt(category, Reason.MERGE_CONFLICT, matches, held)
    return replace(
        decision,
        outcome=Outcome.DOUBT,
        reasons=(Reason.MERGE_CONFLICT,),
        doubts=(*decision.doubts, doubt),
    )


# -- link, unlink, change of number ----------------------------------------------------


def _paired(
    decision: Decision,
    notice: Notice,
    other: Decision,
    index: PatientIndex,
    model: Model,
) -> Decision:
    """A24 joins two persons and leaves their numbers alone; A37 takes it back."""
    one, two = decision.record, other.record
    together = decision.enterprise_id == other.enterprise_id
    if notice.kind == NoticeKind.UNLINK:
        if one is None or two is None:
            return decision
        apart = Move("different", (one.number, two.number), "", "", Reason.TOLD)
        leave = Move(
            "unlink",
            (two.number,),
            two.person,
            other.registration.minted,
            Reason.TOLD,
        )
        return replace(decision, moves=(leave, apart) if together else (apart,))
    if together:
        return decision
    if two is not None and _unwelcome(decision, two, index):
        return _conflict(decision, two, index, model)
    move = Move("merge", (), other.enterprise_id, decision.enterprise_id, Reason.TOLD)
    return replace(decision, moves=(*decision.moves, move))


def _unwelcome(decision: Decision, two: SourceRecord, index: PatientIndex) -> bool:
    """Whether a person has to look before two known persons are linked."""
    one = decision.record
    if index.ruling(decision.registration.message) == Ruling.SAME:
        return False
    if not decision.registration.policy.applies_merges:
        return True
    return one is not None and two.number in index.told_apart(one.number, one.traits)


def _renumbered(
    registration: Registration, notice: Notice, index: PatientIndex, model: Model
) -> Decision:
    """The record stays and gets another number; the old one remains as an alias."""
    now = index.known(registration.identifiers)
    before = index.known(notice.prior)
    prior = next((before[each] for each in notice.prior if each in before), None)
    if prior is None or now:
        decision = resolve(registration, index, model)
        if decision.held:
            return decision
        if prior is None:
            return _retiring(decision, notice.prior)
        if prior.person != decision.enterprise_id:
            return _conflict(decision, prior, index, model)
        return _retiring(decision, notice.prior)
    decision = decide_known(registration, prior, now, index, model)
    return decision if decision.held else _retiring(decision, notice.prior)
