"""Queries in words: ``patient:100482 type:ADT^A01 state:error since:2h``.

Spec:
    console.md S3; cli.md 3 (messages search).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Final

from engine.settings import read_duration
from engine.store.message_state import MessageState
from engine.store.results import SearchKey
from engine.store.search import MessageFilter

KEYS: Final[Mapping[str, str]] = {
    "patient": "identifier",
    "id": "control",
    "name": "family",
}
"""Qualifier: the kind of search key it asks for."""

SAYS_WHO: Final = frozenset({"patient", "name"})
"""What may name a patient, so it never stands in an address."""

QUALIFIERS: Final = ("channel", "state", "type", "since", "until", "person", *KEYS)
_TIMES: Final = "write 2h, 3d, today, 2026-03-01 or 2026-03-01T14:30"
_QUALIFIER: Final = re.compile(r'(\w+):("[^"]*"|\S*)|(\S+)')


@dataclass(frozen=True, slots=True)
class QueryFault:
    """What cannot be understood, where in the query, and what would be."""

    at: int
    length: int
    sentence: str
    hint: str


def terms(query: str) -> dict[str, str] | QueryFault:
    """Return qualifiers and their values, the last of a name; or what is wrong."""
    found = {}
    for each in _QUALIFIER.finditer(query):
        name = each[1] or each[3]
        if each[1] not in QUALIFIERS:
            near = get_close_matches(name, QUALIFIERS, 1)
            hint = f"did you mean {near[0]}: ?" if near else _known()
            return QueryFault(each.start(), len(name), "is not a qualifier", hint)
        found[name] = each[2].strip('"')
    return found


def _known() -> str:
    return "qualifiers: " + " ".join(f"{name}:" for name in QUALIFIERS)


def read(query: str, now: datetime) -> MessageFilter | QueryFault:
    """Return what a query asks for, or what cannot be understood."""
    given = terms(query)
    if isinstance(given, QueryFault):
        return given
    state = given.get("state", "")
    if state and state not in set(MessageState):
        hint = "states: " + ", ".join(MessageState)
        return _fault(query, "state", "is not a state", hint)
    times = {n: moment(given[n], now) for n in ("since", "until") if given.get(n)}
    for name, at in times.items():
        if at is None:
            return _fault(query, name, "is not a time", _TIMES)
    kind, _, trigger = given.get("type", "").partition("^")
    return MessageFilter(
        channel=given.get("channel", ""),
        state=MessageState(state) if state else None,
        message_type=kind,
        trigger_event=trigger,
        since=times.get("since"),
        until=times.get("until"),
        person=given.get("person", ""),
        keys=tuple(SearchKey(KEYS[n], v) for n, v in given.items() if n in KEYS and v),
    )


def _fault(query: str, name: str, sentence: str, hint: str) -> QueryFault:
    at = query.rindex(f"{name}:") + len(name) + 1
    length = len(query[at:].split(" ", 1)[0])
    return QueryFault(at, max(length, 1), sentence, hint)


def moment(text: str, now: datetime) -> datetime | None:
    """Return an instant: ``2h`` ago, ``today``, a date, or ISO 8601; UTC if silent."""
    if (ago := read_duration(text)) is not None:
        return _before(now, ago)
    if text == "today":
        return now.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _before(now: datetime, ago: timedelta) -> datetime | None:
    try:
        return now - ago
    except OverflowError:
        return None


def written(given: Mapping[str, str]) -> str:
    """Return a query of these qualifiers."""
    quoted = {n: f'"{v}"' if " " in v else v for n, v in given.items() if v}
    return " ".join(f"{name}:{value}" for name, value in quoted.items())
