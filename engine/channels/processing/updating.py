"""One message's word about a resource, onto its latest version.

Spec:
    architecture.md section 4, "A sparse message never wipes a rich one"; fhir.md T31.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from engine.channels.processing.kept_times import told_at
from engine.channels.processing.known import Kept, Subject, closed
from engine.transforms.fhir.bundle import write_json
from engine.transforms.fhir.mapped import Element, Entry, Told
from engine.transforms.fhir.stamps import NEVER, UNTIMED, Stamp, rank_of
from engine.transforms.fhir.update import Update, first, merge


def update_of(
    entry: Entry, resource: Element, told: Told, before: Kept | None
) -> Update:
    """Return what a message says of a resource, stamped with its time.

    A message without any time counts from when it comes.
    """
    known = before.version.latest if before else UNTIMED
    rank = rank_of(resource)
    if told.at is None:
        stamp = known._replace(rank=rank)
    elif entry.as_of:
        state = datetime.fromisoformat(entry.as_of).astimezone(UTC)
        stamp = Stamp(rank, state, told.at)
    else:
        stamp = Stamp(rank, told.at)
    return Update(
        resource, stamp, told.text, entry.presumed, entry.nulls, entry.removed
    )


def updated(
    full_url: str,
    update: Update,
    before: Kept | None,
    here: Mapping[str, str],
    owner: tuple[Subject, int],
) -> Kept:
    """Return the latest version of a resource after one update.

    Args:
        full_url: of the resource.
        update: what the message says.
        before: the latest version until now.
        here: what finds each resource of this message, by full URL.
        owner: whom it is about, and the source record that says it.
    """
    said = write_json(update.resource)
    if before is None:
        kept = closed(full_url, first(update), here, *owner)
        return kept._replace(update=said)
    if before.update == said and _only_repeats(update, before):
        return before.at(told_at(update.stamp))
    found_by = {**before.found_by, **here}
    newest = update.stamp >= before.version.latest
    kept = closed(full_url, merge(before.version, update), found_by, *owner)
    return kept._replace(update=said if newest else before.update)


def _only_repeats(update: Update, before: Kept) -> bool:
    """Whether an update equal to the last one changes nothing but its time."""
    if update.nulls or update.removed or before.version.past:
        return False
    return update.stamp >= before.version.latest and update.stamp.sent == NEVER
