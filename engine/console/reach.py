"""How far somebody reaches who may see the channels of some tags only.

Each route is listed with the question that keeps such a caller to these channels. One
that is not listed is for those who see every channel: nothing is open by omission.

Spec:
    security.md S10; console.md S14 (access by channel tag).
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from engine.console.permissions import Caller
from engine.console.problems import API_PATH
from engine.console.surroundings import caller, surroundings
from engine.store import error_queue, incidents, queues, search
from engine.store.queues import DeliveryFilter

Question = Callable[[Request, Caller], bool]
EVERYWHERE: Final = "this spans all channels, and you may see those of some tags only"
ELSEWHERE: Final = "this belongs to a channel that you may not see"


def _is_ones_own(_: Request, __: Caller) -> bool:
    return True


def _leaves_out(_: Request, __: Caller) -> bool:
    """Hold for lists, whose pages leave out what is of other channels."""
    return True


def _asks_there(_: Request, __: Caller) -> bool:
    """Hold for what knows no channel but those one may see: bench, searches, moves."""
    return True


def _of_message(request: Request, who: Caller) -> bool:
    number = _number(request, "message_id")
    with surroundings(request).database.reading() as connection:
        found = search.message(connection, number)
    return found is None or who.sees(found.channel)


def _of_delivery(request: Request, who: Caller) -> bool:
    """Ask for the delivery's own channel: its message is what the address claims."""
    wanted = DeliveryFilter(message_id=_number(request, "message_id"))
    with surroundings(request).database.reading() as connection:
        sent = {each.id for each in queues.deliveries(connection, wanted)}
    return _number(request, "delivery_id") in sent and _of_message(request, who)


def _of_group(request: Request, who: Caller) -> bool:
    with surroundings(request).database.reading() as connection:
        found = error_queue.entries(
            connection, group=request.path_params["key"], limit=1
        )
    return not found or who.sees(found[0].channel)


def _of_incident(request: Request, who: Caller) -> bool:
    with surroundings(request).database.reading() as connection:
        found = incidents.find(connection, _number(request, "number"))
    return found is None or who.sees(found.channel)


def _of_channel(request: Request, who: Caller) -> bool:
    return who.sees(request.path_params["name"])


def _hears_of_ones_own(_: Request, __: Caller) -> bool:
    """Hold for streams, which say what the pages do."""
    return True


def _number(request: Request, name: str) -> int:
    text = request.path_params[name]
    return int(text) if text.isdecimal() else 0


def _of_sent(request: Request, who: Caller) -> bool:
    with surroundings(request).database.reading() as connection:
        found = queues.delivery(connection, _number(request, "delivery_id"))
    return found is None or who.sees(found.channel)


_MESSAGE: Final = "/messages/{message_id}"
_V1: Final = API_PATH
_SENT: Final = _V1 + "deliveries/{delivery_id}"
_INCIDENT: Final = "/alerts/incidents/{number}"
REACH: Final[Mapping[str, Question]] = {
    **dict.fromkeys(("/sign-out", "/preferences", "/fhir/metadata"), _is_ones_own),
    **dict.fromkeys(("/", "/work", "/work.{form}"), _leaves_out),
    **dict.fromkeys(("/messages", "/messages.{form}"), _leaves_out),
    **dict.fromkeys(("/alerts", "/alerts.{form}"), _leaves_out),
    **dict.fromkeys(
        (_INCIDENT + f"/{what}" for what in ("acknowledge", "snooze", "escalate")),
        _of_incident,
    ),
    **dict.fromkeys(("/channels", "/channels.{form}"), _leaves_out),
    **dict.fromkeys(("/live/{name}", "/live/{name}.json"), _hears_of_ones_own),
    "/channels/{name}": _of_channel,
    **dict.fromkeys(
        (f"/channels/{{name}}/{what}" for what in ("compare", "rollback", "release")),
        _of_channel,
    ),
    "/channels/{name}/connect": _of_channel,
    "/channels/{name}/export.zip": _of_channel,
    "/channels/{name}/{what}": _of_channel,
    **dict.fromkeys(("/bench", "/bench/test", "/bench/what-if"), _asks_there),
    **dict.fromkeys(("/bench/share", "/bench/scrub", "/bench/save"), _asks_there),
    **dict.fromkeys(("/bench/send", "/alerts/rules"), _asks_there),
    **dict.fromkeys(("/messages/move", _V1 + "messages/move"), _asks_there),
    _MESSAGE: _of_message,
    _MESSAGE + "/{what}": _of_message,
    **dict.fromkeys((_MESSAGE + "/edit", _MESSAGE + "/edit/send"), _of_message),
    **dict.fromkeys((_MESSAGE + "/assign", _MESSAGE + "/comment"), _of_message),
    _MESSAGE + "/documents/{delivery_id}": _of_delivery,
    _MESSAGE + "/deliveries/{delivery_id}/{what}": _of_delivery,
    "/work/errors/{key}": _of_group,
    "/work/errors/{key}/assign": _of_group,
    "/work/errors/{key}/comment": _of_group,
    "/work/errors/{key}/{what}": _of_group,
    _V1 + "openapi.json": _is_ones_own,
    **dict.fromkeys((_V1 + "channels", _V1 + "messages"), _leaves_out),
    _V1 + "messages/search": _asks_there,
    _V1 + "deliveries": _leaves_out,
    **dict.fromkeys((_V1 + "parked", _V1 + "errors", _V1 + "alerts"), _leaves_out),
    **dict.fromkeys(
        (
            _V1 + f"channels/{{name}}{then}"
            for then in (
                *("", "/try", "/connect", "/{what}", "/history", "/export"),
                *("/history/{number}", "/history/{number}/rollback"),
            )
        ),
        _of_channel,
    ),
    **dict.fromkeys(
        (
            _V1 + _MESSAGE[1:] + then
            for then in ("", "/assign", "/comment", "/edit", "/edit/try", "/{what}")
        ),
        _of_message,
    ),
    **dict.fromkeys((_SENT, _SENT + "/document", _SENT + "/{what}"), _of_sent),
    _V1 + "errors/{key}": _of_group,
    _V1 + "errors/{key}/assign": _of_group,
    _V1 + "errors/{key}/comment": _of_group,
    _V1 + "errors/{key}/{what}": _of_group,
    **dict.fromkeys(
        (
            _V1 + f"alerts/{{number}}/{what}"
            for what in ("acknowledge", "snooze", "escalate")
        ),
        _of_incident,
    ),
}
_OWN: Final = "/account"


def expect_reach(request: Request) -> None:
    """Refuse what is beyond the caller's channels; it may read the store.

    Raises:
        HTTPException: 403.
    """
    who, path = caller(request), request.scope["route"].path
    if who.channels is None or path.startswith(_OWN):
        return
    question = REACH.get(path)
    if question is None:
        raise HTTPException(HTTPStatus.FORBIDDEN, EVERYWHERE)
    if not question(request, who):
        raise HTTPException(HTTPStatus.FORBIDDEN, ELSEWHERE)
