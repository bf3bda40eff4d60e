"""How an order of a program is carried out: once, with a reason, or not at all.

With an ``Idempotency-Key`` the act, its audit row and its answer are one transaction;
the same key again gets the same answer, and nothing is done. A secret in it is shown
once and kept nowhere: the second answer is without it.

Spec:
    console.md 2 (actions) and 6 (Idempotency-Key).
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.console.api.models import Shown
from engine.console.pages.work import MANY
from engine.console.surroundings import caller, surroundings
from engine.store import kept_answers
from engine.store.audit import Order
from engine.store.database import Connection
from engine.store.kept_answers import Kept
from engine.store.seal import Sealer

KEY: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
_KEY: Final = re.compile(r"[!-~]{1,255}")
_OTHER: Final = f"this {KEY} was sent with another order; nothing was done"

Act = Callable[[Connection, Sealer, Order], Shown]
"""Carries an order out within a transaction, and says what it did."""

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Asked(BaseModel):
    """The body of an order; what it does not know it refuses."""

    model_config = ConfigDict(extra="forbid")


class Ordered(Asked):
    """An order and why, where somebody says so."""

    reason: str = ""


class Reasoned(Ordered):
    """An order that needs a reason: it is kept in the audit trail."""

    reason: Reason


class Counted(Reasoned):
    """An order for several things.

    More than 20 at once are confirmed by their number, as ``expected``; where it is
    sent, nothing is done unless there are so many.
    """

    expected: int = Field(0, ge=0)

    def confirm(self, count: int) -> None:
        """Refuse an order for another number, or for many whose number is not said.

        Raises:
            HTTPException: 422, with the number.
        """
        if self.expected != count and (self.expected or count > MANY):
            sentence = f"send expected: {count} to confirm; nothing was changed"
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)


def carried_out(request: Request, asked: Ordered, act: Act) -> Response:
    """Carry an order out, or return what it was answered before.

    Raises:
        HTTPException: the key is none, or was for another order.
        IllegalTransitionError: it cannot be done (any more); nothing was.
    """
    here, who = surroundings(request), caller(request).name
    order = Order(who, here.now(), asked.reason)
    sealer, sent = here.database.sealer, _key_of(request)
    with here.database.engine() as connection:
        if sent is None:
            return _told(act(connection, sealer, order))
        key, wanted = kept_answers.key_of(who, sent), _wanted(request, asked)
        kept = kept_answers.take(connection, sealer, key, wanted, order.now)
        if kept is None:
            answer = act(connection, sealer, order)
            again = answer.model_copy(update=answer.WITHHELD)
            kept_answers.keep(connection, sealer, key, _json(again))
            return _told(answer)
    return _again(kept)


def answered(request: Request, asked: Ordered) -> Response | None:
    """Return what an order was answered before; None where it is new, or has no key.

    For what cannot be done within a transaction, before it is begun.

    Raises:
        HTTPException: as `carried_out`.
    """
    here, who = surroundings(request), caller(request).name
    sent = _key_of(request)
    if sent is None:
        return None
    key, wanted = kept_answers.key_of(who, sent), _wanted(request, asked)
    with here.database.reading() as connection:
        kept = kept_answers.look(
            connection, here.database.sealer, key, wanted, here.now()
        )
    return None if kept is None else _again(kept)


def _key_of(request: Request) -> str | None:
    sent = request.headers.get(KEY)
    if sent is not None and not _KEY.fullmatch(sent):
        sentence = f"{KEY} is 1 to 255 visible ASCII characters"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    return sent


def _wanted(request: Request, asked: Ordered) -> bytes:
    order = f"{request.method} {request.url.path} {asked.model_dump_json()}"
    return order.encode()


def _again(kept: Kept) -> Response:
    if not kept.same:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, _OTHER)
    headers = {REPLAYED: "true"}
    return Response(kept.answer, headers=headers, media_type="application/json")


def _told(answer: Shown) -> Response:
    return Response(_json(answer), media_type="application/json")


def _json(answer: Shown) -> bytes:
    return answer.model_dump_json().encode()


def expect_version(request: Request, version: str) -> None:
    """Refuse an order that was given for something as it is no more.

    Raises:
        HTTPException: 412; without ``If-Match`` nothing is asked.
    """
    asked = request.headers.get("if-match", "*")
    if "*" in asked or version in [each.strip() for each in asked.split(",")]:
        return
    sentence = "it was changed meanwhile: read it again; nothing was done"
    raise HTTPException(HTTPStatus.PRECONDITION_FAILED, sentence)
