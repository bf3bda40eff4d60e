"""The closed sets of words that stand in the tables and on the screens."""

from enum import StrEnum


class Verdict(StrEnum):
    """What accept made of the bytes."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"


class LaneState(StrEnum):
    """Where a lane with undelivered work stands; a lane without work has no row."""

    READY = "ready"
    LEASED = "leased"
    PARKED = "parked"


class OnFailure(StrEnum):
    """What a delivery that failed for good does to its lane."""

    PARK = "park"
    CONTINUE = "continue"
    STOP = "stop"


class EntryKind(StrEnum):
    """What an error-queue entry is about."""

    MESSAGE = "message"
    DELIVERY = "delivery"
    QUARANTINED = "quarantined"
    HELD = "held"


class RunState(StrEnum):
    """What a person wants of a channel or of one destination."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class FactorKind(StrEnum):
    """What proves who somebody is, beside a password."""

    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY = "recovery"
