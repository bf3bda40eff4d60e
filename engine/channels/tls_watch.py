"""Certificates that change or end while the engine runs."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from engine.channels.certificates import End, Profile, ends_of, threshold
from engine.channels.tls import Identities
from engine.errors import ConfigurationError

URGENT_DAYS: Final = 7
_log = structlog.get_logger()


@dataclass(slots=True)
class Watch:
    """Looks at the files of all profiles now and then; in one thread.

    Attributes:
        ends: when the own certificate of each profile ends, as ISO 8601 text.
    """

    identities: Identities
    ends: dict[str, str] = field(default_factory=dict)
    _known: dict[str, tuple[object, list[End]]] = field(default_factory=dict)
    _told: dict[tuple[str, str], int | None] = field(default_factory=dict)

    def look(self, now: datetime) -> None:
        """Take changed files, and warn of what ends soon: once for each threshold."""
        self.identities.refresh()
        found: dict[str, str] = {}
        for profile in self.identities.profiles.values():
            for end in self._ends_of(profile):
                self._warn(end, now)
                if end.what == "certificate":
                    found[profile.name] = end.ends.isoformat()
        self.ends = found

    def _ends_of(self, profile: Profile) -> list[End]:
        """Return what ends, read again only from files that are others now."""
        stamp = profile.stamp()
        known = self._known.get(profile.name)
        if known is None or known[0] != stamp:
            try:
                known = stamp, list(ends_of(profile))
            except ConfigurationError:  # whoever uses the profile says so
                known = stamp, []
            self._known[profile.name] = known
        return known[1]

    def _warn(self, end: End, now: datetime) -> None:
        days = end.days(now)
        due, place = threshold(days), (end.profile, end.what)
        if due is not None and due != self._told.get(place):
            say = _log.error if days <= URGENT_DAYS else _log.warning
            text = "certificate_ends" if days >= 0 else "certificate_ended"
            say(text, profile=end.profile, what=end.what, days=days)
        self._told[place] = due
