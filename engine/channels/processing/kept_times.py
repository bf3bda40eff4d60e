"""How a kept resource remembers when each part of it was said.

The row of the store has the time of the latest word, so that saying all of it again
changes the row alone. The rest lies beside the resource.
"""

from datetime import datetime

from engine.transforms.fhir.history import Fact
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.stamps import NEVER, SAID, Stamp
from engine.transforms.fhir.update import Version


def told_at(stamp: Stamp) -> datetime | None:
    """Return the time of a stamp, None where the source gave none."""
    return None if stamp.at == NEVER else stamp.at


def times_of(version: Version) -> Element:
    """Return when parts of a version were said, as far as the row does not tell."""
    latest, found = version.latest, dict[str, object]()
    if latest.rank != SAID or latest.sent != NEVER:
        found["latest"] = _written(latest)
    if version.others:
        found["others"] = {name: _written(at) for name, at in version.others.items()}
    if version.past:
        found["past"] = {
            element: [[_written(fact.stamp), fact.when, fact.value] for fact in facts]
            for element, facts in version.past.items()
        }
    return found


def timed(resource: Element, beside: Element, told: datetime | None) -> Version:
    """Return a version of what `times_of` wrote and the time of the row."""
    at, latest = told or NEVER, beside.get("latest")
    others, past = beside.get("others", {}), beside.get("past", {})
    assert isinstance(others, dict)
    assert isinstance(past, dict)
    return Version(
        resource,
        Stamp(at=at) if latest is None else _read(latest)._replace(at=at),
        {name: _read(stamp) for name, stamp in others.items()},
        {
            element: tuple(
                Fact(_read(stamp), when, value) for stamp, when, value in facts
            )
            for element, facts in past.items()
        },
    )


def _written(stamp: Stamp) -> list[object]:
    """Return a stamp as short as it goes: ``[2, "2024-01-02T03:04:05+00:00"]``."""
    times = [stamp.at] if stamp.sent == NEVER else [stamp.at, stamp.sent]
    return [stamp.rank, *(each.isoformat() for each in times)]


def _read(written: object) -> Stamp:
    assert isinstance(written, list)
    rank, *times = written
    return Stamp(rank, *(datetime.fromisoformat(each) for each in times))
