"""The sequence numbers of links, kept in the transaction of the messages they count.

Spec:
    faults.md section 5 rule 3; protocol.md E68.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from engine.hl7.sequence import Link, Step, follow
from engine.store.dialect import put
from engine.store.tables import link_sequence

_NONE: Final = -1
_LINKS: Final = select(link_sequence).where(
    link_sequence.c.link.in_(bindparam("links", expanding=True))
)
_THAW: Final = (
    update(link_sequence)
    .where(link_sequence.c.listener == bindparam("of"), link_sequence.c.frozen == 1)
    .values(frozen=0)
)


@dataclass(frozen=True, slots=True)
class Numbered:
    """A message of a link that agreed on the protocol; ``sequence`` is MSH-13."""

    listener: str
    peer: str
    sequence: str

    @property
    def link(self) -> str:
        """The name under which the link's last number is kept."""
        return f"{self.listener}\x1f{self.peer}"


@dataclass(slots=True)
class Links:
    """The links of one group of arrivals, read once and written once."""

    _known: dict[str, Link] = field(default_factory=dict)
    _changed: dict[str, str] = field(default_factory=dict)

    def step(self, numbered: Numbered, *, repeated: bool) -> Step:
        """Return what the link makes of the next message of the group."""
        before = self._known.get(numbered.link, Link())
        step = follow(before, numbered.sequence, repeated=repeated)
        if step.link != before or numbered.link not in self._known:
            self._known[numbered.link] = step.link
            self._changed[numbered.link] = numbered.listener
        return step

    def write(self, connection: Connection) -> None:
        """Keep what changed."""
        rows: list[dict[str, object]] = [
            {
                "link": name,
                "listener": listener,
                "number": _NONE if link.last is None else link.last,
                "frozen": int(link.frozen),
            }
            for name, listener in sorted(self._changed.items())
            for link in [self._known[name]]
        ]
        put(connection, link_sequence, rows, replace=("number", "frozen"))


def links_of(connection: Connection, names: Iterable[str]) -> Links:
    """Return what is known of these links."""
    wanted = sorted(set(names))
    found = connection.execute(_LINKS, {"links": wanted}) if wanted else ()
    return Links(
        {
            row.link: Link(None if row.number == _NONE else row.number, row.frozen == 1)
            for row in found
        }
    )


def thaw(connection: Connection, listener: str) -> int:
    """Let the frozen links of a listener go on where they were; return how many."""
    return connection.execute(_THAW, {"of": listener}).rowcount
