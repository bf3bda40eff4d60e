"""The seven invariants, each as a function that names what breaks it.

Offenders are named by number and hash, never by content.

Spec:
    faults.md 2.
"""

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from tests.faults.books import POSITIVE, Books, Delivery, Message, Receipt

MESSAGE_STATES = frozenset({"received", "filtered", "processed", "held", "error"})
DELIVERY_STATES = frozenset({"queued", "leased", "delivered", "failed", "discarded"})
UNSENT = frozenset({"queued", "leased"})


def i1_answered_is_journalled(books: Books) -> Iterator[str]:
    """Every positively answered message is in the journal, unchanged and once."""
    held = Counter((each.channel, each.sha256) for each in books.messages.values())
    for answer in books.answers:
        if answer.code in POSITIVE and not held[answer.channel, answer.sha256]:
            yield f"{answer.control_id} {answer.sha256[:12]} answered, not journalled"
    for (channel, sha256), count in held.items():
        if count > 1:
            yield f"{sha256[:12]} journalled {count} times in {channel}"


# ---- I2


def i2_one_state_each(books: Books) -> Iterator[str]:
    """Every message and delivery is in one state, and the sums agree."""
    yield from _orphans(books)
    yield from _passed_over(books)
    deliveries, entries, tasks = books.by_message(), _entries(books), _tasks(books)
    for message in books.messages.values():
        if message.state is not None and message.state not in MESSAGE_STATES:
            yield f"message {_named(message)} is {message.state}"
        if message.state == "processed":
            yield from _documents(books, message, deliveries.get(message.id, []))
        if message.state == "filtered" and not message.reason:
            yield f"message {_named(message)} is filtered without a reason"
        found = entries[message.id, 0], tasks[message.id]
        yield from _queued(books, message, found)
    for delivery in books.deliveries.values():
        if delivery.state not in DELIVERY_STATES:
            yield f"delivery {delivery.id} is {delivery.state}"
        wanted = int(delivery.state == "failed")
        if entries[delivery.message_id, delivery.id] != wanted:
            yield f"delivery {delivery.id}, {delivery.state}, has not {wanted} entries"


def _entries(books: Books) -> Counter[tuple[int, int]]:
    """Return the open error-queue entries of each message and delivery."""
    statement = (
        "SELECT message_id, delivery_id FROM engine.error_entry WHERE closed_at IS NULL"
    )
    return Counter(books.ask(statement))


def _tasks(books: Books) -> Counter[int]:
    """Return the open mismatch-queue entries that hold a message."""
    statement = "SELECT message FROM engine.task WHERE state = 'open' AND held > 0"
    return Counter(row[0] for row in books.ask(statement))


def _orphans(books: Books) -> Iterator[str]:
    for (number,) in books.ask(
        "SELECT id FROM engine.message EXCEPT SELECT id FROM journal.message"
    ):
        yield f"message {number} has a state and is not journalled"
    for delivery in books.deliveries.values():
        if delivery.message_id not in books.messages:
            yield f"delivery {delivery.id} belongs to no message"


def _passed_over(books: Books) -> Iterator[str]:
    """Nothing behind the cursor is without a state."""
    cursors = dict(
        books.ask("SELECT channel, min(last_id) FROM engine.progress GROUP BY channel")
    )
    for message in books.messages.values():
        if message.state is None and message.id <= cursors.get(message.channel, 0):
            yield f"message {_named(message)} was passed over"


def _documents(
    books: Books, message: Message, deliveries: list[Delivery]
) -> Iterator[str]:
    """One document for each destination of the channel, from the latest processing.

    What a change of persons sends again comes on top: it names its link event.
    """
    latest = Counter(
        each.destination
        for each in deliveries
        if each.attempt == message.attempt and not each.event
    )
    for name in books.plan.channels.get(message.channel, {}):
        if latest[name] != 1:
            yield f"message {_named(message)} has {latest[name]} documents for {name}"


def _queued(books: Books, message: Message, found: tuple[int, int]) -> Iterator[str]:
    """An entry in the queue that the state says, and none in the other."""
    held = message.state == "held"
    doubt = held and message.reason.startswith("identity")
    waits = held and message.behind is not None
    wanted = int(message.state == "error" or (held and not doubt and not waits))
    if found != (wanted, int(doubt)):
        yield (
            f"message {_named(message)}, {message.state}, has {found[0]} error-queue "
            f"and {found[1]} mismatch-queue entries"
        )
    if waits:
        ahead = books.messages.get(message.behind or 0)
        if ahead is None or ahead.state != "held":
            yield f"message {_named(message)} waits for one that is not held"


# ---- I3, I4, I5


def i3_delivered(books: Books) -> Iterator[str]:
    """Delivered at least once; once where the destination is idempotent."""
    seen = books.seen()
    for (place, sha256), deliveries in books.by_document().items():
        receipts = seen.get((place, sha256), [])
        for told in _miscounted(books, deliveries, receipts):
            yield f"delivery {deliveries[0].id} {sha256[:12]} at {place}: {told}"
    for delivery in books.deliveries.values():
        if delivery.state in UNSENT:
            yield f"delivery {delivery.id} at {delivery.place}: still {delivery.state}"


def _miscounted(
    books: Books, deliveries: list[Delivery], receipts: list[Receipt]
) -> Iterator[str]:
    """Say what is wrong with how often one document was seen."""
    told, count = books.plan.destination(deliveries[0].place), len(receipts)
    if count < sum(each.state == "delivered" for each in deliveries):
        yield f"delivered, and seen {count} times"
    if count > sum(each.attempts for each in deliveries):
        yield f"seen {count} times, more often than it was tried"
    harmless = told["kind"] == "mllp" or all(each.again for each in receipts)
    if count > len(deliveries) and not harmless:
        yield f"seen {count} times at an idempotent destination"
    if len({each.control_id for each in receipts}) > 1:
        yield "repeated under another MSH-10"


def i4_order(books: Books) -> Iterator[str]:
    """Within a lane documents arrive in accept order, and repeats are adjacent."""
    known = {(each.place, each.sha256): each for each in books.deliveries.values()}
    last: dict[int, tuple[int, int]] = {}
    for receipt in sorted(books.receipts):
        delivery = known.get((receipt.destination, receipt.sha256))
        if delivery is None:
            continue
        order = delivery.message_id, delivery.ordinal
        before = last.setdefault(delivery.lane_id, order)
        if order < before:
            yield (
                f"delivery {delivery.id} {receipt.sha256[:12]} at {delivery.place} "
                f"came after message {before[0]} of its lane"
            )
        last[delivery.lane_id] = max(order, before)


def i5_nothing_else(books: Books) -> Iterator[str]:
    """Nothing is journalled that was not sent, nor delivered that was not rendered."""
    for message in books.messages.values():
        if (message.channel, message.sha256) not in books.sent:
            yield f"message {_named(message)} was never sent"
    known = books.by_document()
    for one in books.receipts:
        if (one.destination, one.sha256) not in known:
            named = f"{one.control_id} {one.sha256[:12]} at {one.destination}"
            yield f"{named} is no delivery's document"
    for delivery in books.deliveries.values():
        origin = books.messages.get(delivery.message_id)
        verbatim = "verbatim" in books.plan.destination(delivery.place)
        if verbatim and (origin is None or origin.sha256 != delivery.sha256):
            yield f"delivery {delivery.id} {delivery.sha256[:12]} is not what came in"


# ---- I6, I7


def i6_audit_chain(books: Books) -> Iterator[str]:
    """Every audit row hashes to its link, from the first to the last."""
    key = bytes.fromhex(books.plan.key.read_text("ascii").strip())
    secret, link = _derived(key, b"interop audit chain"), b""
    rows = books.ask(
        "SELECT id, at, actor, action, subject, detail, hash "
        "FROM engine.audit ORDER BY id"
    )
    for count, row in enumerate(rows, start=1):
        number, at, actor, action, subject, detail, found = row
        words = (str(number), str(at), actor, action, subject)
        parts = [*(word.encode() for word in words), detail]
        whole = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        link = hmac.digest(secret, link + whole, "sha256")
        if number != count or link != found:
            yield f"audit row {number} does not follow from row {count - 1}"
            return


def _derived(key: bytes, purpose: bytes) -> bytes:
    """HKDF of RFC 5869 with SHA-256, no salt, one block."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), key, "sha256")
    return hmac.digest(extracted, purpose + b"\x01", "sha256")


def i7_counters(books: Books) -> Iterator[str]:
    """The counters of states that the console shows are the tables' own counts.

    How many Bundles were looked at is counted too; that is no state of anything.
    """
    states = "SELECT * FROM engine.counter WHERE subject <> 'gate'"
    kept = {row[:4]: row[4] for row in books.ask(states)}
    rows = books.ask(
        "SELECT 'message', channel, '', state, count(*) FROM engine.message "
        "GROUP BY channel, state UNION ALL "
        "SELECT 'delivery', channel, destination, state, count(*) "
        "FROM engine.delivery GROUP BY channel, destination, state"
    )
    counted = {row[:4]: row[4] for row in rows}
    taken = dict(books.ask("SELECT channel, messages FROM journal.intake"))
    kept |= {("journal", name, "", ""): count for name, count in taken.items()}
    journalled = Counter(each.channel for each in books.messages.values())
    counted |= {("journal", name, "", ""): count for name, count in journalled.items()}
    for place in sorted(kept.keys() | counted.keys()):
        one, other = kept.get(place, 0), counted.get(place, 0)
        if one != other:
            name = " ".join(filter(None, place))
            yield f"{name}: the counter says {one}, the table {other}"


def _named(message: Message) -> str:
    return f"{message.id} {message.sha256[:12]}"


Invariant = Callable[[Books], Iterable[str]]
INVARIANTS: dict[str, Invariant] = {
    "I1": i1_answered_is_journalled,
    "I2": i2_one_state_each,
    "I3": i3_delivered,
    "I4": i4_order,
    "I5": i5_nothing_else,
    "I6": i6_audit_chain,
    "I7": i7_counters,
}
