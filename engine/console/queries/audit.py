"""Who saw a patient: what was opened of a person, by whom.

Spec:
    console.md S13.
"""

from dataclasses import replace
from typing import Final

import orjson

from engine.store import audit, search
from engine.store.audit import Act, AuditRow, Wanted
from engine.store.database import Connection
from engine.store.patient_views import retired_into
from engine.store.seal import Sealer
from engine.store.search import MessageFilter

SEEN: Final = frozenset({"view", "reveal", "export", "view.patient", "view.everything"})
NAMES_PATIENTS: Final = frozenset(
    {"query.pdqm", "query.match", "query.pixm", "view.patient", "search"}
)
"""Acts whose detail is what was asked of the patient index, and who was answered."""

_MESSAGES: Final = 1_000
_ANSWERS: Final = 5_000
"""So many of the latest answers of the index are looked through for one person."""


def found(
    connection: Connection,
    sealer: Sealer,
    wanted: Wanted,
    person: str = "",
    *,
    before: int = 0,
    limit: int = 100,
) -> list[AuditRow]:
    """Return the acts that fit, newest first; of a person, who saw them."""
    if person:
        return viewed(connection, sealer, person, wanted, before, limit)
    return audit.search(connection, sealer, wanted, before=before, limit=limit)


def shown(row: AuditRow, *, reveal: bool) -> Act:
    """Return an act as it is shown: what names patients only to who may see them."""
    if reveal or row.act.action not in NAMES_PATIENTS:
        return row.act
    return replace(row.act, detail="(names patients)")


def viewed(
    connection: Connection,
    sealer: Sealer,
    person: str,
    wanted: Wanted,
    before: int,
    limit: int,
) -> list[AuditRow]:
    """Return who opened a person, or a message of theirs, or was told of them.

    Acts of late name the person by a keyed hash, earlier ones as their subject.
    """
    persons = (person, *retired_into(connection, person))
    of_person = MessageFilter(person=person)
    messages = search.messages(connection, sealer, of_person, limit=_MESSAGES)
    subjects = (
        *(f"{kind} {eid}" for kind in ("person", "patient") for eid in persons),
        *(f"message {each.id}" for each in messages),
    )
    opened = replace(wanted, action="", subjects=subjects, patients=persons)
    rows = audit.search(connection, sealer, opened, before=before, limit=limit)
    asked = replace(wanted, action="", subjects=("patient index",))
    answers = audit.search(connection, sealer, asked, before=before, limit=_ANSWERS)
    found = {each.id: each for each in rows if each.act.action in SEEN}
    found |= {each.id: each for each in answers if person in _told(each)}
    return [found[number] for number in sorted(found, reverse=True)][:limit]


def _told(row: AuditRow) -> list[str]:
    try:
        persons: list[str] = orjson.loads(row.act.detail)["persons"]
    except (orjson.JSONDecodeError, KeyError):
        return []
    return persons
