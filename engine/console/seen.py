"""What was shown of doubts: they are decided as they were seen, or not at all.

Spec:
    console.md S6 (error: preview no longer valid).
"""

from collections.abc import Iterable
from typing import Final

from engine.errors import IllegalTransitionError
from engine.store.patients import SqlPatientIndex
from engine.store.task_moves import records_of
from engine.store.worklist import Task

_CHANGED: Final = (
    "the records, or whose they are, have changed since they were shown: look at them "
    "again, then decide"
)


def mark_of(index: SqlPatientIndex, tasks: Iterable[Task]) -> str:
    """Return what tells whether doubts are still about the same: a keyed hash.

    Of every record of the persons concerned, whose it is, and what it says.
    """
    told = [
        f"{found.id}|{each.number}|{each.person}|{tuple(each.traits)}"
        for found in tasks
        for each in records_of(index, found)
    ]
    return index.sealer.blind("\n".join(["seen", *told])).hex()


def expect_same(index: SqlPatientIndex, tasks: Iterable[Task], seen: str) -> None:
    """Refuse to decide on what is no more; without a mark nothing is asked.

    Raises:
        IllegalTransitionError: it has changed.
    """
    if seen and seen != mark_of(index, tasks):
        raise IllegalTransitionError(_CHANGED)
