"""S12 Alerts: few messages, each worth reading.

Spec:
    console.md S12.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final, TypeVar
from urllib.parse import urlencode

from fastapi import Form
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.channels.alerts import suggested
from engine.channels.alerts.gather import past_of
from engine.channels.alerts.past import Past
from engine.channels.alerts.preview import rules_of
from engine.channels.format.channel import Channel
from engine.console.listing import Listing, answer
from engine.console.permissions import Permission
from engine.console.surroundings import Surroundings, caller, own_place, surroundings
from engine.errors import ConfigurationError
from engine.store import incidents
from engine.store.audit import Order
from engine.store.incidents import Incident, Notice, Window, trial_notice

COLUMNS: Final = (
    *("id", "kind", "channel", "place", "severity", "sentence", "parts"),
    *("opened_at", "ended_at", "acknowledged_by", "acknowledged_at", "note"),
    "snoozed_until",
)
TABS: Final = ("open", "rules", "history", "maintenance")
LONGEST_MINUTES: Final = 7 * 24 * 60


def alerts(request: Request, kind: str = "open", channel: str = "") -> Response:
    """Show open incidents, the rules, what was, and when nothing is said.

    The rules of one ``channel`` are shown with those it does not have.
    """
    return _page(request, kind, channel)


def _page(request: Request, kind: str, channel: str, complaint: str = "") -> Response:
    here = surroundings(request)
    now, sees = here.now(), caller(request).sees
    channels = [each for each in _channels(here) if sees(each.name)]
    kind = kind if kind in TABS else TABS[0]
    with here.database.reading() as connection:
        current = _seen(request, incidents.open_incidents(connection))
        ended = _seen(request, incidents.ended_incidents(connection))
        refused = _told(request, incidents.refused_notices(connection))
        said = _told(request, incidents.recent_notices(connection))
        windows = _seen(request, incidents.windows(connection, now))
        chosen = next((e for e in channels if e.name == channel), (*channels, None)[0])
        past = Past(now, here.settings.zone)
        if kind == "rules":
            closer = [chosen.name] if chosen else []
            past = past_of(connection, here.settings, channels, closer, now)
    rows = [asdict(each) for each in [*current, *ended]]
    return answer(
        request,
        Listing("incidents", COLUMNS, rows),
        "alerts.html",
        kind=kind,
        tabs=TABS,
        current=current,
        ended=ended,
        refused=refused,
        said=said,
        windows=windows,
        rules=rules_of(channels, past),
        chosen=chosen.name if chosen else "",
        offers=_offers(here, chosen, past) if kind == "rules" else [],
        suggested=suggested.SUGGESTED,
        may_deploy=caller(request).may(Permission.DEPLOY),
        complaint=complaint,
        channels=[each.name for each in channels],
        contacts=sorted(here.settings.contacts),
        may_act=caller(request).may(Permission.REPLAY),
    )


def add_rule(
    request: Request,
    channel: Annotated[str, Form()] = "",
    rule: Annotated[str, Form()] = "",
    contact: Annotated[str, Form()] = "",
) -> Response:
    """Write a rule that suits most sites into the file of a channel."""
    here = surroundings(request)
    if not caller(request).sees(channel):
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no channel {channel}")
    order = _order(request, rule)
    try:
        suggested.add(here.database, here.settings, (channel, rule), contact, order)
    except ConfigurationError as error:
        told = "; ".join([f"Nothing was changed: {error}", *error.faults[:5]])
        return _page(request, "rules", channel, told)
    place = f"/alerts?{urlencode({'kind': 'rules', 'channel': channel})}"
    return RedirectResponse(place, HTTPStatus.SEE_OTHER)


def _offers(
    here: Surroundings,
    channel: Channel | None,
    past: Past,
) -> list[suggested.Offer]:
    if channel is None:
        return []
    try:
        written = (here.settings.folder / channel.file).read_text("utf-8", "replace")
    except OSError:
        written = ""
    return suggested.offers(channel, written, past)


def _channels(here: Surroundings) -> Sequence[Channel]:
    return here.site.channels if here.site else ()


Shown = TypeVar("Shown", Incident, Window)


def _seen(request: Request, found: Iterable[Shown]) -> list[Shown]:
    """Return what concerns the node, or a channel that the caller sees."""
    sees = caller(request).sees
    return [each for each in found if not each.channel or sees(each.channel)]


def _told(request: Request, found: list[Notice]) -> list[Notice]:
    """Return notices for whoever sees every channel: they name what they are about."""
    return found if caller(request).channels is None else []


def acknowledge(
    request: Request,
    number: int,
    reason: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """Note that somebody sees to an incident."""
    here = surroundings(request)
    with here.database.engine() as connection:
        sealer = here.database.sealer
        done = incidents.acknowledge(
            connection, sealer, number, _order(request, reason)
        )
    if done and back:
        return RedirectResponse(own_place(back), HTTPStatus.SEE_OTHER)
    return _back(done)


def snooze(
    request: Request,
    number: int,
    minutes: Annotated[int, Form(ge=1, le=LONGEST_MINUTES)] = 60,
) -> Response:
    """Say nothing of an incident for a while."""
    here = surroundings(request)
    until = here.now() + timedelta(minutes=minutes)
    with here.database.engine() as connection:
        done = incidents.snooze(
            connection, here.database.sealer, number, until, _order(request, "")
        )
    return _back(done)


def escalate(
    request: Request,
    number: int,
    contact: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Have somebody else told of an incident, now and when it ends."""
    here = surroundings(request)
    expect_contact(request, contact)
    with here.database.engine() as connection:
        sealer = here.database.sealer
        order = _order(request, reason)
        done = incidents.escalate(connection, sealer, number, contact, order)
    return _back(done)


def expect_contact(request: Request, contact: str) -> None:
    """Refuse a contact that the settings do not name.

    Raises:
        HTTPException: 404.
    """
    if contact not in surroundings(request).settings.contacts:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such contact")


def maintain(
    request: Request,
    channel: Annotated[str, Form()] = "",
    minutes: Annotated[int, Form(ge=1, le=LONGEST_MINUTES)] = 60,
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Say nothing of a channel, or of none, for a while from now."""
    here = surroundings(request)
    now = here.now()
    until = now + timedelta(minutes=minutes)
    window = Window(channel, now, until, caller(request).name, reason)
    with here.database.engine() as connection:
        incidents.add_window(connection, here.database.sealer, window, now)
    return _to("maintenance")


def end_maintenance(request: Request, number: int) -> Response:
    """Let a window end now."""
    here = surroundings(request)
    with here.database.engine() as connection:
        incidents.end_window(
            connection, here.database.sealer, number, _order(request, "")
        )
    return _to("maintenance")


def try_contact(request: Request, contact: Annotated[str, Form()] = "") -> Response:
    """Have a contact told that this is a test."""
    here = surroundings(request)
    expect_contact(request, contact)
    with here.database.engine() as connection:
        incidents.queue_notices(connection, [trial_notice(contact, here.now())])
    return _to("history")


def _order(request: Request, reason: str) -> Order:
    return Order(caller(request).name, surroundings(request).now(), reason.strip())


def _back(done: bool) -> Response:  # noqa: FBT001 - what became of the move
    if not done:
        sentence = "this incident is over, or there is none: nothing was changed"
        raise HTTPException(HTTPStatus.CONFLICT, sentence)
    return _to("open")


def _to(kind: str) -> Response:
    return RedirectResponse(f"/alerts?kind={kind}", HTTPStatus.SEE_OTHER)
