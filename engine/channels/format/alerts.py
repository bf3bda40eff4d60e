"""The alerts of a channel, as frozen values."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from engine.channels.format import kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRate:
    """``errors-over``: how many errors within which time."""

    count: Annotated[int, "errors"]
    within: Annotated[timedelta, "time they happen in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert: exactly one condition, and whom to tell."""

    ONE_OF: ClassVar = (
        "silent-for",
        "oldest-over",
        "errors-over",
        "parked-over",
        "rate-off",
        "certificate-within",
        "worklist-over",
    )
    silent_for: Annotated[
        timedelta | Literal["learned"] | None, "nothing arrived for so long"
    ] = None
    oldest_over: Annotated[timedelta | None, "oldest undelivered delivery"] = None
    errors_over: Annotated[ErrorRate | None, "errors within a time"] = None
    parked_over: Annotated[int | None, kinds.COUNT, "parked persons"] = None
    rate_off: Annotated[
        float | None, kinds.PERCENT, "the rate differs from the usual by more"
    ] = None
    certificate_within: Annotated[timedelta | None, "a certificate expires"] = None
    worklist_over: Annotated[timedelta | None, "oldest mismatch entry"] = None
    notify: Annotated[tuple[str, ...], kinds.CONTACT, "contacts of interop.toml"] = ()
    during: Annotated[tuple[int, int] | None, kinds.HOURS, "minutes of the day"] = None
    calendar: Annotated[str, kinds.TEXT, "holidays"] = ""
    after: Annotated[timedelta, "how long the condition must hold"] = timedelta(
        minutes=2
    )
    severity: Annotated[Literal["warning", "critical"], "how urgent"] = "warning"
