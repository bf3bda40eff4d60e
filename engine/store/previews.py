"""What a decision would do: made inside the transaction, looked at, and taken back.

Spec:
    console.md S6, "Preview before applying".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from engine.identity.corrections import Correction, Form
from engine.identity.person import LinkEvent
from engine.identity.survivorship import GoldenRecord
from engine.store import corrections, links, patient_views
from engine.store.corrections import Place
from engine.store.patients import SqlPatientIndex


@dataclass(frozen=True, slots=True)
class Preview:
    """What a decision would change and send; nothing of it is written.

    ``before`` and ``after`` hold the records of each person concerned, ``survivors``
    who would stand for a retired person, ``golden`` what persons would look like
    (patient data), ``sends`` every delivery that would follow.
    """

    events: tuple[LinkEvent, ...]
    before: Mapping[str, list[int]]
    after: Mapping[str, list[int]]
    survivors: Mapping[str, str]
    golden: Mapping[str, GoldenRecord]
    sends: tuple[Correction, ...]

    def as_row(self) -> dict[str, object]:
        """Return the preview without patient data, ready to be printed."""
        return {
            "kind": " ".join(dict.fromkeys(each.kind.value for each in self.events)),
            "records": sorted({n for each in self.events for n in each.records}),
            "before": dict(self.before),
            "after": dict(self.after),
            "survivors": dict(self.survivors),
            "sends": [
                {
                    "channel": each.channel,
                    "destination": each.destination,
                    "what": each.what.value,
                    "person": each.person,
                }
                for each in self.sends
            ],
        }


def preview(
    patients: SqlPatientIndex,
    act: Callable[[SqlPatientIndex], object],
    forms: Mapping[Place, Form] | None = None,
    ranks: Sequence[str] = (),
) -> Preview:
    """Return what an act would change, without making it.

    Args:
        patients: an index on a write transaction.
        act: makes the decision with the index it is given.
        forms: the destinations that want corrections.
        ranks: assigning authorities, the most trusted first.

    Raises:
        IllegalTransitionError: the act is not possible.
    """
    patients.flush()
    connection = patients.connection
    since = corrections.newest(connection)
    savepoint = connection.begin_nested()
    trial = SqlPatientIndex(connection, patients.sealer)  # its numbers go with it
    try:
        act(trial)
        trial.flush()
        events = corrections.after(connection, since)
        concerned = sorted({p for e in events for p in (e.source, e.target) if p})
        after = _members(connection, concerned)
        survivors = dict(links.membership(connection, concerned).survivor_of)
        sends: list[Correction] = []
        for each in events:
            plan = corrections.planned(connection, each, forms or {})
            sends += plan[1] if plan else []
        golden = {
            person: view.golden
            for person in concerned
            if after[person]
            and (view := patient_views.view(trial, person, ranks)) is not None
        }
    finally:
        savepoint.rollback()
    before = _members(connection, concerned)
    return Preview(tuple(events), before, after, survivors, golden, tuple(sends))


def _members(connection: Connection, persons: Sequence[str]) -> dict[str, list[int]]:
    state = links.membership(connection, persons)
    return {each: list(state.records_of(each)) for each in persons}
