"""Live cells: what may change while a page stands open, by the id of its element.

A page and its stream show the same cells, so they can never say different things.
Nothing here names a patient.

Spec:
    console.md 2 (live updates) and 6.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from markupsafe import Markup, escape

from engine.console.ages import age, seconds
from engine.console.pace import Pace
from engine.console.queries.overview import ChannelFigures, Figures, drains
from engine.console.rendering import count, state
from engine.console.sparkline import sparkline

Cells = Mapping[str, Markup]
COUNTS: Final = (
    *("received", "processed", "filtered", "held", "error"),
    *("delivered", "waiting", "failed", "parked"),
)


def overview(found: Figures) -> Cells:
    """Return the four figures and every channel's row."""
    cells = {
        "last-hour": escape(count(found.last_hour)),
        "waiting": escape(count(sum(row.waiting for row in found.channels))),
        "p95": escape(seconds(found.pace.p95)),
    }
    for need in found.needs:
        name = need.kind.replace(" ", "-")
        oldest = f"oldest {_ago(need.oldest, found.at)}"
        cells[name] = escape(count(need.count))
        cells[f"{name}-oldest"] = escape(oldest if need.oldest else "nothing needs you")
    return {**cells, **channels(found)}


def channels(found: Figures) -> Cells:
    """Return every channel's row."""
    cells: dict[str, Markup] = {}
    for row in found.channels:
        cells |= _channel(row, found.at) | _pace(row, found.pace)
    return cells


def _pace(row: ChannelFigures, found: Pace) -> dict[str, Markup]:
    channel = row.channel
    usual = found.usual.get(channel)
    against = "usual not known" if usual is None else f"usual {count(round(usual))}"
    return {
        f"channel-{channel}-spark": sparkline(found.minutes.get(channel, [0])),
        f"channel-{channel}-hour": escape(count(found.hour(channel))),
        f"channel-{channel}-usual": escape(against),
        f"channel-{channel}-drain": escape(_drain(row, found)),
    }


def _drain(row: ChannelFigures, found: Pace) -> str:
    return drains(found, row.channel, row.waiting) if row.waiting else ""


def _channel(row: ChannelFigures, at: datetime) -> dict[str, Markup]:
    name = f"channel-{row.channel}"
    shown = {f"{name}-{each}": escape(count(getattr(row, each))) for each in COUNTS}
    return shown | {
        f"{name}-state": state(row.state),
        f"{name}-note": escape(row.note),
        f"{name}-oldest": escape(_ago(row.oldest, at)),
        f"{name}-last": escape(_ago(row.last, at)),
    }


def _ago(since: datetime | None, at: datetime) -> str:
    return "-" if since is None else f"{age(since, at)} ago"


def work(found: Figures) -> Cells:
    """Return how much there is of each kind of work."""
    numbers = {
        "errors": found.needs[0].count,
        "mismatch": found.doubts.count if found.doubts else 0,
        "parked": found.parked,
        "waiting": found.ready,
    }
    return {f"work-{name}": escape(count(n)) for name, n in numbers.items()}


def nothing(found: Figures) -> Cells:
    """Return no cell: the page is a list that only hears of new rows."""
    del found
    return {}


PAGES: Final[Mapping[str, Callable[[Figures], Cells]]] = MappingProxyType(
    {"overview": overview, "channels": channels, "work": work, "messages": nothing}
)
"""Name of a stream: the cells of its page."""
