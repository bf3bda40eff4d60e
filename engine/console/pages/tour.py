"""The tour of a demo: five steps, each at its own place of the console.

It is offered where ``[console] tour`` is set, as ``interop demo`` does, until somebody
closes it; then its page is still there.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Final, NamedTuple

from fastapi import Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console.permissions import Permission
from engine.console.rendering import TOUR_CLOSED, TOUR_COOKIE, page
from engine.console.surroundings import surroundings
from engine.store import queues, table_misses, worklist
from engine.store.database import Connection
from engine.store.seal import Sealer

_MONTH: Final = 30 * 24 * 3600


class Step(NamedTuple):
    """One stop: where it is, what to look at, and which count belongs to it."""

    title: str
    href: str
    sentence: str
    counts: str
    permission: Permission = Permission.VIEW_METADATA


STEPS: Final = (
    Step(
        "Watch messages move",
        "/",
        "Three channels take messages of 200 invented people and send them on. Open "
        "one to see its fields and the documents made of it.",
        "delivered",
    ),
    Step(
        "Give a code its meaning",
        "/tables/local-to-loinc?tab=unmapped",
        "The laboratory sends a code that no row of the table knows. Add the row: "
        "exactly the messages that stopped for it go again.",
        "codes missed so far",
        Permission.EDIT,
    ),
    Step(
        "See a receiver go down and come back",
        "/work?kind=waiting",
        "The second hospital system is away for 20 seconds every two minutes. Its "
        "deliveries wait in order and leave by themselves: nobody needs to act.",
        "deliveries waiting",
    ),
    Step(
        "Decide who is who",
        "/work?kind=mismatch",
        "Some people were registered twice. Read the evidence, look at the preview, "
        "decide, and take it back.",
        "open doubts",
        Permission.WORK_IDENTITY,
    ),
    Step(
        "Change a rule and see what it does",
        "/bench?channel=laboratory&sample=oru_unknown_code.hl7",
        "The test bench shows each step of a channel. Change one beside it: nothing is "
        "sent or stored.",
        "",
        Permission.EDIT,
    ),
)


def tour(request: Request) -> Response:
    """Show the five steps with what there is to see at each just now."""
    here = surroundings(request)
    with here.database.reading() as connection:
        counts = _counts(connection, here.database.sealer)
    return page(request, "tour.html", steps=STEPS, counts=counts)


def _counts(connection: Connection, sealer: Sealer) -> Mapping[str, int]:
    waiting = queues.waiting(connection)
    counted = queues.counts(connection)
    return {
        "delivered": sum(c.count for c in counted if c.state == "delivered"),
        "codes missed so far": len(table_misses.misses(connection, sealer)),
        "deliveries waiting": sum(each.ready + each.leased for each in waiting),
        "open doubts": sum(worklist.open_counts(connection).values()),
    }


def close(shown: Annotated[str, Form()] = "") -> Response:
    """Close the tour on every page, or offer it again."""
    answer = RedirectResponse("/" if not shown else "/tour", HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        TOUR_COOKIE,
        shown or TOUR_CLOSED,
        max_age=_MONTH,
        httponly=True,
        samesite="strict",
    )
    return answer
