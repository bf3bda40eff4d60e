"""Emergency access, told at once: nobody waits until the watch looks again.

The watch keeps the incident open while the access lasts, and ends it.

Spec:
    security.md S12; console.md S14 (local emergency account, alert on use).
"""

from datetime import datetime
from typing import Final

from engine.channels.alerts.facts import EMERGENCY
from engine.channels.alerts.settings import alert_settings
from engine.settings import Settings
from engine.store import incidents
from engine.store.database import Connection
from engine.store.incidents import Incident, Notice

SEVERITY: Final = "critical"


def raise_alarm(
    connection: Connection, settings: Settings, what: str, sentence: str, now: datetime
) -> None:
    """Open an incident and have the contacts of ``[alerts]`` told, in one transaction.

    Raises:
        ConfigurationError: the settings of alerts cannot be read.
    """
    notify = alert_settings(settings).rules.notify
    key = f"{EMERGENCY}||{what}"
    known = [each.id for each in incidents.unfinished(connection) if each.key == key]
    if not known:
        begun = Incident(
            *(key, EMERGENCY, "", what, SEVERITY, sentence, notify, 1, 0, now, now, now)
        )
        known = incidents.keep(connection, [begun])
    incidents.queue_notices(
        connection,
        [
            Notice(known[0], "begins", contact, sentence, SEVERITY, now)
            for contact in notify
        ],
    )
