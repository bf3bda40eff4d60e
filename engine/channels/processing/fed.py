"""What the audit trail says of a patient that a source feeds over FHIR (ITI-104).

Spec:
    identity.md 13, *Audit*; IHE PIXm 3.0.4, 2:3.104.5.1.2: the manager tells a patient
    it did not know from one it knew.
"""

from engine.channels.format.channel import Channel
from engine.channels.processing.prepared import Prepared
from engine.identity.decision import Decision
from engine.store.audit import Act

CREATE, UPDATE, DELETE = "feed.create", "feed.update", "feed.delete"


def fed(prepared: Prepared, channel: Channel, decision: Decision) -> tuple[Act, ...]:
    """Return the act of a message that came as a FHIR Patient; of others none."""
    source, row = channel.source.http, prepared.claimed.row
    if source is None or source.takes != "patients":
        return ()
    known = decision.record is not None or decision.registration.notice is not None
    done = UPDATE if known else CREATE
    return (
        Act(
            row.received_at,
            f"{channel.name} {row.peer}",
            DELETE if decision.registration.traits.removed else done,
            f"message {row.id}",
            patient=decision.enterprise_id,
        ),
    )
