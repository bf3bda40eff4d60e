"""S5 Work: everything that needs a person, by cause, with what can be done beside it.

Spec:
    console.md S5.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Form
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.console import cells
from engine.console.exposure import legible, may_see
from engine.console.listing import Listing, answer
from engine.console.permissions import Permission
from engine.console.queries import error_queue as queries
from engine.console.queries import overview
from engine.console.surroundings import caller, own_place, surroundings
from engine.errors import IllegalTransitionError
from engine.store import error_queue, queues, search, second_looks, task_work
from engine.store.audit import Order
from engine.store.database import Connection
from engine.store.error_queue import Entry, Group
from engine.store.seal import Sealer
from engine.store.worklist import Task

PAGE: Final = 100
_LARGEST: Final = 10**18
MANY: Final = 20
"""More than this at once is confirmed by typing the number."""

TABS: Final = ("errors", "mismatch", "parked", "waiting")
COLUMNS: Final = (
    *("kind", "key", "cause", "channel", "destination", "code", "count"),
    *("oldest", "parked", "assignee"),
)
ENTRY_COLUMNS: Final = (
    *("id", "kind", "message_id", "delivery_id", "channel", "destination", "stage"),
    *("class_", "code", "sentence", "assignee", "opened_at"),
)
_DECIDING: Final = frozenset({Permission.WORK_IDENTITY, Permission.VIEW_PHI})
Act = Callable[[Connection, Sealer, Sequence[Entry], Order], int]
ACTS: Final[Mapping[str, Act]] = {"retry": queries.retry, "discard": queries.discard}


def mismatches(request: Request) -> Response:
    """List the mismatch queue, as the tab of that name does."""
    return work(request, "mismatch")


def work(request: Request, kind: str = "errors") -> Response:
    """List what needs a person; what heals by itself has a tab of its own."""
    here, who = surroundings(request), caller(request)
    confidential = who.may(Permission.VIEW_CONFIDENTIAL)
    everything = who.channels is None
    with here.database.reading() as connection:
        figures = overview.figures(connection, here.now(), here.paces)
        figures = overview.visible(figures, who)
        parked = [e for e in queues.parked(connection) if who.sees(e.channel)]
        ranked, twice = (
            _doubts(connection, who.name, confidential=confidential)
            if everything
            else ([], [])
        )
    rows = [
        *(_group_row(each) for each in figures.groups),
        *(
            {
                "kind": "mismatch",
                "key": str(each.id),
                "cause": str(each.reason),
                "channel": "",
                "destination": "",
                "code": str(each.category),
                "count": 1,
                "oldest": each.opened_at,
                "parked": int(each.held),
                "assignee": each.assignee,
            }
            for each, _ in ranked
        ),
    ]
    return answer(
        request,
        Listing("work", COLUMNS, rows),
        "work.html",
        kind=kind if kind in TABS and (everything or kind != "mismatch") else TABS[0],
        tabs=[each for each in TABS if everything or each != "mismatch"],
        groups=figures.groups,
        tasks=[each for each, _ in ranked],
        parked=parked,
        twice=twice,
        waiting=[each for each in figures.lanes if each.ready],
        may_decide=who.permissions >= _DECIDING,
        cells=cells.work(figures),
        live="/live/work",
    )


def _doubts(
    connection: Connection, name: str, *, confidential: bool
) -> tuple[list[tuple[Task, int]], list[int]]:
    """Return open tasks and what each holds, and what waits for a second person."""
    ranked = task_work.by_priority(connection, limit=PAGE, confidential=confidential)
    return ranked, second_looks.waiting(connection, name, confidential=confidential)


def _group_row(found: Group) -> dict[str, object]:
    return asdict(found) | {"kind": "error", "count": found.open}


def group(request: Request, key: str, after: int = 0) -> Response:
    """Show the entries of one cause, oldest first."""
    here = surroundings(request)
    with here.database.reading() as connection:
        found = _found(connection, key)
        rows = error_queue.entries(connection, group=key, after=after, limit=PAGE)
        said = {
            row.message_id: error_queue.comments(
                connection, here.database.sealer, row.id
            )
            for row in rows
        }
    shown = [
        each
        for number, its in said.items()
        if its
        for each in legible(request, its, reveal=_reveals(request, number))
    ]
    more = f"{request.url.path}?after={rows[-1].id}" if len(rows) == PAGE else ""
    listing = Listing("entries", ENTRY_COLUMNS, [asdict(row) for row in rows], more)
    return answer(
        request,
        listing,
        "work_group.html",
        group=found,
        comments=shown,
        covered=sum(map(len, said.values())) - len(shown),
        many=MANY,
        sample=queries.SAMPLE,
        may_act=caller(request).may(Permission.REPLAY),
    )


def _reveals(request: Request, message_id: int) -> bool:
    with surroundings(request).database.reading() as connection:
        found = search.message(connection, message_id)
    return found is not None and may_see(request, found)


def _found(connection: Connection, key: str) -> Group:
    for each in error_queue.groups(connection):
        if each.key == key:
            return each
    sentence = "this group has no open entries any more: somebody has seen to it"
    raise HTTPException(HTTPStatus.NOT_FOUND, sentence)


class Chosen(BaseModel):
    """Which entries of a group, as its form says: the oldest ``sample``, or all.

    ``until`` is the newest that was shown. What came later nobody has chosen; of what
    was shown, there may be fewer by now than the number that was ``typed``.
    """

    reason: str = ""
    sample: int = Field(0, ge=0, le=queries.ALL)
    until: int = Field(0, ge=0, le=_LARGEST)
    typed: str = ""
    back: str = ""

    def confirms(self, count: int) -> bool:
        """Whether so many may be moved."""
        if count <= MANY or self.typed == str(count):
            return True
        return bool(self.until) and self.typed.isdecimal() and int(self.typed) > count


def act(
    request: Request, key: str, what: str, chosen: Annotated[Chosen, Form()]
) -> Response:
    """Retry or discard a group's entries, or the oldest few of them."""
    here = surroundings(request)
    if what not in ACTS:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    reason = chosen.reason or "from the error queue"
    order = Order(caller(request).name, here.now(), reason)
    with here.database.reading() as connection:
        limit = chosen.sample or queries.ALL
        found = error_queue.entries(connection, group=key, limit=limit)
    found = [each for each in found if each.id <= (chosen.until or _LARGEST)]
    if not chosen.confirms(len(found)):
        sentence = f"type {len(found)} to confirm; nothing was changed"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    try:
        with here.database.engine() as connection:
            ACTS[what](connection, here.database.sealer, found, order)
    except IllegalTransitionError as error:
        sentence = f"nothing was changed: {error}; somebody may have been faster"
        raise HTTPException(HTTPStatus.CONFLICT, sentence) from error
    if chosen.back:
        return RedirectResponse(own_place(chosen.back), HTTPStatus.SEE_OTHER)
    return _back(request, key)


def assign(
    request: Request, key: str, assignee: Annotated[str, Form()] = ""
) -> Response:
    """Give a group to a person or a team."""
    give(request, assignee, group=key)
    return _back(request, key)


def give(request: Request, assignee: str, *, group: str = "", message: int = 0) -> None:
    """Give the open entries of a group or a message to a person, a team or nobody."""
    here = surroundings(request)
    order = Order(caller(request).name, here.now(), "")
    with here.database.engine() as connection:
        found = error_queue.entries(
            connection, group=group, message=message, limit=queries.ALL
        )
        queries.assign(connection, here.database.sealer, found, assignee, order)


def comment(request: Request, key: str, text: Annotated[str, Form()] = "") -> Response:
    """Keep what a person has to say about a group, beside its oldest entry."""
    say(request, text, group=key)
    return _back(request, key)


def say(request: Request, text: str, *, group: str = "", message: int = 0) -> None:
    """Keep what a person has to say beside the oldest entry of a group or a message."""
    here = surroundings(request)
    order = Order(caller(request).name, here.now(), text.strip())
    with here.database.engine() as connection:
        found = error_queue.entries(connection, group=group, message=message, limit=1)
        queries.comment(connection, here.database.sealer, found, order)


def _back(request: Request, key: str) -> Response:
    """Return to the group, or to the list when nothing is left of it."""
    with surroundings(request).database.reading() as connection:
        left = error_queue.entries(connection, group=key, limit=1)
    place = f"/work/errors/{key}" if left else "/work"
    return RedirectResponse(place, HTTPStatus.SEE_OTHER)
