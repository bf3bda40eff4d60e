"""Who trained and who activated a matching model, as the audit trail has it.

The weights are a file that is never changed; the trail keeps its digest, what it was
fitted on, and what was expected of it when it came into use.

Spec:
    identity.md 12, ``model``; 13.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from engine.store import audit
from engine.store.audit import Act, Order, Wanted
from engine.store.seal import Sealer

TRAIN: Final = "train"
ACTIVATE: Final = "activate"
_SUBJECT: Final = "model "
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a model; ``told`` is what was kept of it."""

    model: str
    at: datetime
    actor: str
    told: Mapping[str, Any] = field(default_factory=dict)


def keep(
    connection: Connection,
    sealer: Sealer,
    order: Order,
    action: str,
    model: str,
    told: Mapping[str, Any],
) -> None:
    """Write that a model was trained or activated, with what is worth keeping."""
    detail = orjson.dumps({**told, "reason": order.reason}).decode()
    act = Act(order.now, order.actor, action, _SUBJECT + model, detail)
    audit.write(connection, sealer, [act])


def steps(connection: Connection, sealer: Sealer, action: str) -> list[Step]:
    """Return all trainings, or all activations, newest first."""
    found = audit.search(connection, sealer, Wanted(action=action), limit=_MOST)
    return [
        Step(act.subject.removeprefix(_SUBJECT), act.at, act.actor, _told(act.detail))
        for act in (row.act for row in found)
        if act.subject.startswith(_SUBJECT)
    ]


def digest(weights: str) -> str:
    """Return what tells a file of weights from any other."""
    return sha256(weights.encode()).hexdigest()


def _told(detail: str) -> dict[str, Any]:
    """Return what was kept; an earlier release wrote the reason alone."""
    try:
        found = orjson.loads(detail)
    except orjson.JSONDecodeError:
        found = None
    return found if isinstance(found, dict) else {"reason": detail}
