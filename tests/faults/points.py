"""Every failpoint of the engine, and what has to happen for it to be reached."""

LOAD = (
    "journal.group-taken",
    "journal.numbers-reserved",
    "journal.messages-inserted",
    "journal.duplicates-noted",
    "journal.before-commit",
    "journal.committed",
    "ack.before-write",
    "ack.written",
    "source.file-read",
    "source.messages-kept",
    "source.file-put-away",
    "claim.before",
    "claim.noted",
    "claim.committed",
    "transform.prepared",
    "transform.finished",
    "results.persons-written",
    "results.states-written",
    "results.cursor-moved",
    "results.keys-written",
    "outbox.lanes-written",
    "outbox.deliveries-inserted",
    "results.resources-written",
    "results.recorded",
    "results.committed",
    "outbox.claimed",
    "outbox.committed",
    "outbox.marked",
    "send.before",
    "send.taken",
    "mllp.written",
    "mllp.answered",
    "http.written",
    "http.answered",
    "file.written",
    "file.renamed",
    "file.synced",
)
"""Reached while messages go through; each at its first and its third time."""

START = (
    "recovery.begun",
    "recovery.leases-ended",
    "recovery.committed",
    "listeners.before-open",
    "listeners.open",
    "config.routes-made",
)
PRUNE = (
    "prune.duplicates-forgotten",
    "prune.content-purged",
    "prune.journal-committed",
    "prune.confirmed",
    "prune.committed",
    "checkpoint.before",
    "checkpoint.done",
)
"""Reached when the journal has been idle for a second, once a minute."""

RELOAD = (
    "config.read",
    "config.applied",
    "config.worker-read",
    "config.worker-applied",
)
STOP = ("stop.begun", "stop.drained", "stop.journal-ended")
OPERATOR = ("audit.written",)
EDITED = ("edited.journaled", "edited.settled")
"""Reached when the edge takes up an edited copy of a message."""

MIGRATION = ("migration.begun", "migration.done", "migration.committed")
"""Reached once for each of the two schemas; `migration` crashes at these."""

ALL = (*LOAD, *START, *PRUNE, *RELOAD, *STOP, *OPERATOR, *EDITED, *MIGRATION)

WORKERS = ("claim", "transform", "results", "outbox.lanes", "outbox.deliveries")


def owner(point):
    """Return the process that reaches a point."""
    in_worker = point.startswith((*WORKERS, "config.worker"))
    return "worker" if in_worker else "edge"
