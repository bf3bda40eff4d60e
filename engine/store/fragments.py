"""Messages that come in fragments: which one follows which, kept with the journal.

A fragment names the next one (DSC-1), which names it back (MSH-14). Both are kept as
keyed hashes of the sender's own pointer.

Spec:
    protocol.md E70 to E72.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, exists, insert, null, select, update

from engine.store import contexts
from engine.store.contexts import MESSAGE_COLUMNS
from engine.store.dialect import bulk, put
from engine.store.message_state import MessageState
from engine.store.schema import Found, is_word
from engine.store.seal import Sealer
from engine.store.tables import fragment as fragments
from engine.store.tables import journal_message, message, redo


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a message continues and what it awaits: pointers of its sender, or ``""``.

    Both already name their sender, so that equal pointers of two never meet.
    """

    continues: str
    awaits: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The fragments of a message so far, in order.

    ``contents`` are theirs where the chain is complete; one is None when it was
    purged or is damaged.
    """

    ids: tuple[int, ...]
    complete: bool
    contents: tuple[bytes | None, ...] = ()


class Tail(NamedTuple):
    """The last fragment of a chain that awaits another one, and the chain's first."""

    message_id: int
    chain: int
    place: int
    control_id: str


_TAILS: Final = (
    select(
        fragments.c.awaits,
        fragments.c.message_id,
        fragments.c.chain,
        fragments.c.place,
        journal_message.c.control_id,
    )
    .join(journal_message, journal_message.c.id == fragments.c.chain)
    .where(fragments.c.awaits.in_(bindparam("pointers", expanding=True)))
    .order_by(fragments.c.message_id)
)
"""The open chains that await these pointers; the youngest last."""

_NEW: Final = insert(fragments)
_CONTINUED: Final = (
    update(fragments)
    .where(fragments.c.message_id == bindparam("number"))
    .values(awaits=null())
)
_own = fragments.alias("own")
_CHAINS: Final = (
    select(
        _own.c.message_id.label("of"),
        fragments.c.awaits,
        journal_message.c.content,
        *MESSAGE_COLUMNS,
    )
    .select_from(_own)
    .join(fragments, fragments.c.chain == _own.c.chain)
    .join(journal_message, journal_message.c.id == fragments.c.message_id)
    .where(_own.c.message_id.in_(bindparam("ids", expanding=True)))
    .order_by(_own.c.message_id, fragments.c.place)
)
_LATE: Final = (
    select(message.c.id)
    .join(fragments, fragments.c.message_id == message.c.id)
    .where(
        is_word(message.c.state, MessageState.RECEIVED),
        message.c.channel == bindparam("of"),
        message.c.processed_at < bindparam("before"),
        ~exists().where(redo.c.message_id == message.c.id),
    )
)
"""Fragments whose next one has not come, and that nobody looks at at the moment."""

_IN_STATE: Final = select(message.c.id).where(
    message.c.id.in_(bindparam("ids", expanding=True)),
    message.c.state == bindparam("state"),
)
_RECEIVED: Final = MessageState.RECEIVED.value
_ERROR: Final = MessageState.ERROR.value


@dataclass(slots=True)
class Chains:
    """The chains that a group of arrivals continues or begins."""

    sealer: Sealer
    _tails: dict[bytes, Tail] = field(default_factory=dict)
    _new: list[dict[str, object]] = field(default_factory=list)
    _continued: list[dict[str, object]] = field(default_factory=list)

    def awaits(self, fragment: Fragment | None) -> bool:
        """Whether a new message has its place: all but orphans have."""
        if fragment is None or not fragment.continues:
            return True
        return _pointer(self.sealer, fragment.continues) in self._tails

    def join(self, fragment: Fragment, number: int, control_id: str) -> str:
        """Put a new message at its place; return MSH-10 of the first of its chain."""
        tail = Tail(number, number, 1, control_id)
        if fragment.continues:
            before = self._tails.pop(_pointer(self.sealer, fragment.continues))
            tail = Tail(number, before.chain, before.place + 1, before.control_id)
            self._continued.append({"number": before.message_id})
        awaits = _pointer(self.sealer, fragment.awaits) if fragment.awaits else None
        if awaits is not None:
            self._tails[awaits] = tail
        row: dict[str, object] = {"message_id": number, "chain": tail.chain}
        self._new.append(row | {"place": tail.place, "awaits": awaits})
        return tail.control_id

    def write(self, connection: Connection) -> None:
        """Keep the places of the new ones."""
        bulk(connection, _NEW, self._new)
        bulk(connection, _CONTINUED, self._continued)


def chains_of(
    connection: Connection, sealer: Sealer, arrived: Iterable[Fragment | None]
) -> Chains:
    """Return the open chains that these fragments continue."""
    pointers = [
        _pointer(sealer, each.continues) for each in arrived if each and each.continues
    ]
    chains = Chains(sealer)
    if pointers:
        for row in connection.execute(_TAILS, {"pointers": pointers}):
            chains._tails[row.awaits] = Tail(*row[1:])  # noqa: SLF001 - made here
    return chains


def _pointer(sealer: Sealer, text: str) -> bytes:
    return sealer.blind(f"fragment|{text}")


def load(
    connection: Connection, sealer: Sealer, ids: Sequence[int]
) -> dict[int, Chain]:
    """Return the chains of these messages, those that are fragments."""
    if not ids:
        return {}
    rows: dict[int, list[Found]] = {}
    for row in connection.execute(_CHAINS, {"ids": list(ids)}):
        rows.setdefault(row.of, []).append(row)
    return {number: _chain(sealer, number, found) for number, found in rows.items()}


def _chain(
    sealer: Sealer,
    number: int,
    rows: Sequence[Found],
) -> Chain:
    """Return one chain; contents are opened only for the message that ends it."""
    ids = tuple(row.id for row in rows)
    complete = rows[-1].awaits is None
    if not complete or number != ids[-1]:
        return Chain(ids, complete)
    return Chain(
        ids,
        complete,
        tuple(
            row.content
            and sealer.open_undamaged(row.content, *contexts.of_message(row[3:]))
            for row in rows
        ),
    )


def late(connection: Connection, channel: str, before: datetime) -> list[int]:
    """Return the fragments of a channel that have waited since before ``before``."""
    return list(connection.execute(_LATE, {"of": channel, "before": before}).scalars())


def look_again(
    connection: Connection, channel: str, ids: Sequence[int], now: datetime
) -> None:
    """Have a worker look again at those of these fragments that still wait."""
    waiting = connection.execute(_IN_STATE, {"ids": ids, "state": _RECEIVED}).scalars()
    rows: list[dict[str, object]] = [
        {"message_id": number, "channel": channel, "asked_at": now, "tries": 0}
        for number in waiting
    ]
    put(connection, redo, rows)


def missed(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Return those of these fragments that are in the error queue."""
    return list(connection.execute(_IN_STATE, {"ids": ids, "state": _ERROR}).scalars())
