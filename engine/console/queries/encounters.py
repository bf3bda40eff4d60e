"""The visits that sources told of some records, on one line of time.

One person lies in one bed: two inpatient stays at once, in two places, argue against
one person.

Spec:
    console.md S6 (encounters on one time line).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from itertools import combinations
from typing import Final

from engine.channels.processing.known import Kept, opened
from engine.identity.index import SourceRecord
from engine.store import resources
from engine.store.patients import SqlPatientIndex
from engine.transforms.fhir.mapped import Element

MOST: Final = 100
"""Older visits than these are neither drawn nor listed."""

LEFT: Final = 150
WIDTH: Final = 740
LANE: Final = 34
_KINDS: Final = {
    "IMP": "inpatient",
    "ACUTE": "inpatient",
    "NONAC": "inpatient",
    "EMER": "emergency",
    "AMB": "outpatient",
    "PRENC": "before admission",
    "OBSENC": "observation",
}
_NOT_THERE: Final = frozenset({"planned", "cancelled", "entered-in-error"})
_PROTECTED: Final = frozenset({"R", "V"})
_DAY: Final = len("YYYY-MM-DD")


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit as a source told it; patient data.

    ``number`` is ``system|value``. ``place`` is the path to the bed as far as it was
    told, and ``authority`` the system whose record it is. ``end`` is None where none
    was told. ``days`` are beginning and end where the source told days without times.
    ``x``, ``y`` and ``width`` are its bar in the drawing. ``clashes`` says that it is
    one of two stays that one person cannot have had.
    """

    record: int
    kind: str
    status: str
    number: str
    place: str
    authority: str
    begin: datetime
    end: datetime | None
    message: int
    days: tuple[str, str] = ("", "")
    x: float = 0
    y: float = 0
    width: float = 0
    clashes: bool = False

    @property
    def called(self) -> str:
        """Return the visit number as people know it."""
        return self.number.partition("|")[2]

    @property
    def where(self) -> str:
        """Return the place in words."""
        return self.place.replace("/", " ") or "a place not told"

    @property
    def sentence(self) -> str:
        """Return it in words: what it was, where, from when until when."""
        begin, end = self.days
        since = begin or f"{self.begin:%Y-%m-%d %H:%M}"
        told = end or (f"{self.end:%Y-%m-%d %H:%M}" if self.end else "no end told")
        clash = "; two places at once" if self.clashes else ""
        kind = self.kind or "visit"
        return f"{kind} {self.called}, {self.where}, {since} to {told}{clash}"

    def until(self, now: datetime) -> datetime:
        """Return when it ended, as far as is known: one that goes on lasts till now."""
        if self.end is not None:
            return max(self.end, self.begin)
        return max(now, self.begin) if self.status == "in-progress" else self.begin


@dataclass(frozen=True, slots=True)
class Encounters:
    """Visits from the earliest on, by record from top to bottom in the drawing.

    ``lanes`` are records with the height of their line, ``clashes`` pairs of stays in
    two places at once.
    """

    visits: tuple[Visit, ...]
    lanes: tuple[tuple[int, float], ...]
    clashes: tuple[tuple[Visit, Visit], ...]
    begin: datetime | None
    end: datetime | None
    left_out: int = 0

    @property
    def height(self) -> int:
        """Return how high the drawing is."""
        return len(self.lanes) * LANE


def encounters_of(
    patients: SqlPatientIndex,
    records: Sequence[SourceRecord],
    now: datetime,
    zone: tzinfo,
    *,
    confidential: bool,
) -> Encounters:
    """Return the visits of some records.

    Args:
        patients: an index to read with.
        records: in the order they are drawn.
        now: when it is; visits that go on last until then.
        zone: of days without a time.
        confidential: whether visits that their source protects are shown.
    """
    known = resources.of_records(
        patients.connection,
        patients.sealer,
        [each.number for each in records],
        "Encounter",
    )
    issuer = {each.number: each.authority for each in records}
    found = [
        visit
        for one in known
        for kept in [opened(one)]
        if confidential or not _is_protected(kept.resource)
        if (visit := _visit(kept, one.record, one.message_id, issuer, zone))
    ]
    found.sort(key=lambda each: (each.begin, each.record, each.number))
    return drawn(found[-MOST:], list(issuer), now, max(len(found) - MOST, 0))


def drawn(
    visits: Sequence[Visit], records: Sequence[int], now: datetime, left_out: int = 0
) -> Encounters:
    """Return visits with their places in the drawing, and those that clash."""
    if not visits:
        return Encounters((), (), (), None, None)
    begin = min(each.begin for each in visits)
    end = max(each.until(now) for each in visits)
    scale = (WIDTH - LEFT - 4) / max((end - begin) / timedelta(hours=1), 1.0)
    with_some = {each.record for each in visits}
    numbers = [each for each in records if each in with_some]
    lanes = {number: (at + 0.5) * LANE for at, number in enumerate(numbers)}
    pairs = tuple(clashing(visits, now))
    bad = {id(each) for pair in pairs for each in pair}
    placed = tuple(
        replace(
            each,
            x=round(LEFT + (each.begin - begin) / timedelta(hours=1) * scale, 1),
            y=lanes[each.record],
            width=round(
                max((each.until(now) - each.begin) / timedelta(hours=1) * scale, 4), 1
            ),
            clashes=id(each) in bad,
        )
        for each in visits
    )
    return Encounters(placed, tuple(lanes.items()), pairs, begin, end, left_out)


def clashing(visits: Iterable[Visit], now: datetime) -> list[tuple[Visit, Visit]]:
    """Return pairs of inpatient stays that were at one time in two places."""
    stays = [
        each
        for each in visits
        if each.kind == "inpatient" and each.status not in _NOT_THERE
    ]
    return [
        (one, other)
        for one, other in combinations(stays, 2)
        if (one.number != other.number or not one.called)
        and _apart(one, other)
        and one.begin < other.until(now)
        and other.begin < one.until(now)
    ]


def _apart(one: Visit, other: Visit) -> bool:
    """Whether two places differ: a ward and a bed on it do not."""
    if not (one.place and other.place):
        return one.authority != other.authority
    paths = zip(one.place.split("/"), other.place.split("/"), strict=False)
    return any(left != right for left, right in paths)


# -- reading ---------------------------------------------------------------------------


def _visit(
    kept: Kept, record: int, message: int, issuer: dict[int, str], zone: tzinfo
) -> Visit | None:
    """Return an Encounter as a visit; None for one without a beginning."""
    said = kept.resource
    period = _part(said, "period")
    begin = _instant(period.get("start"), zone)
    if begin is None:
        return None
    code = str(_part(said, "class").get("code", ""))
    number = next(iter(_list(said, "identifier")), {})
    return Visit(
        record,
        _KINDS.get(code, code),
        str(said.get("status", "")),
        f"{number.get('system', '')}|{number.get('value', '')}",
        _place(kept),
        issuer[record],
        begin,
        _instant(period.get("end"), zone, last=True),
        message,
        (_day(period.get("start")), _day(period.get("end"))),
    )


def _place(kept: Kept) -> str:
    """Return where somebody lies or lay last, as the path to the bed."""
    stays = _list(kept.resource, "location")
    stays.sort(key=lambda each: each.get("status") != "active")
    for each in stays:
        url = str(_part(each, "location").get("reference", ""))
        if place := kept.found_by.get(url, "").partition("|")[2]:
            return place
    return ""


def _is_protected(said: Element) -> bool:
    labels = _list(_part(said, "meta"), "security")
    return any(each.get("code") in _PROTECTED for each in labels)


def _part(said: Element, name: str) -> Element:
    found = said.get(name)
    return found if isinstance(found, dict) else {}


def _list(said: Element, name: str) -> list[Element]:
    found = said.get(name)
    return [e for e in found if isinstance(e, dict)] if isinstance(found, list) else []


def _day(text: object) -> str:
    return text if isinstance(text, str) and len(text) == _DAY else ""


def _instant(text: object, zone: tzinfo, *, last: bool = False) -> datetime | None:
    """Return a FHIR dateTime; a day begins at midnight, and as an end it is over then.

    Less than a day is no time to compare.
    """
    if not isinstance(text, str) or len(text) < _DAY:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    return found + timedelta(days=1) if last and len(text) == _DAY else found
