"""The message a command was given: in a file, on stdin, or by its number."""

import sys
from pathlib import Path

from engine.cli.confidential import expect_to_show, note_opening
from engine.cli.invocation import Exit, Stop, now
from engine.cli.site import store


def message_bytes(place: str) -> bytes:
    """Return one message: the first of a file, of stdin (``-``), or a stored one.

    A C-CDA document comes in the message that would carry it.

    A stored one, named by its number, is patient data that leaves the store, so the
    audit trail gets a row.
    """
    from engine.peers.sending import split
    from engine.transforms.ccda.enclosing import carried

    if is_stored(place):
        return _stored(int(place))
    piped = place == "-"
    content = sys.stdin.buffer.read() if piped else Path(place).read_bytes()
    found = split(carried(content, now()))
    if not found:
        raise Stop(f"no message begins with MSH in {place}", Exit.PROBLEMS)
    return found[0]


def is_stored(place: str) -> bool:
    """Tell whether a word is the number of a stored message, not a file."""
    return place.isdecimal() and not Path(place).exists()


def _stored(message_id: int) -> bytes:
    from engine.hl7.continuation import join
    from engine.store import fragments, journal

    with store() as database:
        sealer = database.sealer
        with database.reading() as connection:
            data = journal.content(connection, sealer, message_id)
            chain = fragments.load(connection, sealer, [message_id]).get(message_id)
        if chain and chain.contents:
            data = join([part for part in chain.contents if part])
        if data is None:
            sentence = f"message {message_id} is unknown, or its content was purged"
            raise Stop(sentence, Exit.PROBLEMS, "interop messages search lists them")
        expect_to_show(database, message_id)
        note_opening(database, message_id)
    return data
