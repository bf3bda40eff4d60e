"""Everything a person may do with one task of the mismatch queue, by its word.

The console and the command line offer the same words.

Spec:
    identity.md 11, worklist; console.md S6, decisions.
"""

from collections.abc import Callable, Mapping
from typing import Final

from engine.errors import IllegalTransitionError
from engine.identity.decision import Ruling
from engine.store import second_looks, task_work, worklist
from engine.store.audit import Order
from engine.store.patients import SqlPatientIndex
from engine.store.second_looks import Practice
from engine.store.task_work import Asked
from engine.store.worklist import Scope

Act = Callable[[SqlPatientIndex, int, Order, Practice], object]


def _decides(ruling: Ruling) -> Act:
    return lambda index, number, order, practice: second_looks.decide(
        index, number, ruling, order, practice=practice
    )


def _proposes(ruling: Ruling) -> Act:
    return lambda index, number, order, _: second_looks.propose(
        index, number, ruling, order
    )


def _asks(asked: Asked) -> Act:
    return lambda index, number, order, _: task_work.ask(index, number, asked, order)


ACTS: Final[Mapping[str, Act]] = {
    "same": _decides(Ruling.SAME),
    "different": _decides(Ruling.DIFFERENT),
    "propose-same": _proposes(Ruling.SAME),
    "propose-different": _proposes(Ruling.DIFFERENT),
    "unsure": _asks(Asked.UNSURE),
    "source": _asks(Asked.SOURCE),
    "comment": lambda index, number, order, _: task_work.comment(index, number, order),
    "undo": lambda index, number, order, _: worklist.undo_task(index, number, order),
}
RULINGS: Final = ("same", "different")


def act(
    patients: SqlPatientIndex,
    number: int,
    what: str,
    order: Order,
    practice: Practice,
    survivor: str = "",
) -> None:
    """Do one of `ACTS` with a task; ``survivor`` is who goes on after *same*.

    Raises:
        IllegalTransitionError: it is not possible (any more), or nobody can survive it.
    """
    if not survivor:
        ACTS[what](patients, number, order, practice)
        return
    if what != Ruling.SAME:
        raise IllegalTransitionError("a survivor is chosen where two are one person")
    scope = Scope(survivor=survivor)
    second_looks.decide(patients, number, Ruling.SAME, order, scope, practice=practice)
