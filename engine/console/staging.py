"""Decisions as they stand staged in an address: numbers and words, no patient data.

``12.same`` and ``15.different`` decide doubts; ``16.split.4-7`` takes two records off
to a new person, ``17.link.4.EID`` brings one to a person. ``12.same.EID`` says who
goes on.

Spec:
    console.md S6 ("Decisions can be staged, reviewed and applied together").
"""

from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException

from engine.identity.decision import Ruling
from engine.identity.person import LinkKind
from engine.store.task_moves import Staged, request_of

MOST: Final = 50
_WRITTEN: Final = "what is staged is written 12.same,15.different,16.split.4-7"


def read_staged(text: str) -> list[Staged]:
    """Return what stands staged in an address.

    A task that stands there twice is decided as it was said last.

    Raises:
        HTTPException: 422, it is none of ours or there are too many.
    """
    said: dict[int, Staged] = {}
    for each in filter(None, text.split(",")):
        try:
            found = _read(each)
        except ValueError:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, _WRITTEN) from None
        said[found.task] = found
    if len(said) > MOST:
        sentence = f"at most {MOST} decisions are carried out at once"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)
    return list(said.values())


def _read(text: str) -> Staged:
    match text.split("."):
        case [task, LinkKind.SPLIT, records]:
            return Staged(_number(task), request=request_of(_records(records)))
        case [task, LinkKind.LINK, records, target] if target:
            moved = request_of(_records(records), target)
            return Staged(_number(task), request=moved)
        case [task, Ruling.SAME, survivor] if survivor:
            return Staged(_number(task), Ruling.SAME, survivor=survivor)
        case [task, word]:
            return Staged(_number(task), Ruling(word))
        case _:
            raise ValueError(text)


def _records(text: str) -> list[int]:
    return [_number(each) for each in text.split("-")]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    return int(text)


def write_staged(each: Staged) -> str:
    """Return a staged decision as it stands in an address.

    Examples:
        >>> write_staged(Staged(12, Ruling.SAME))
        '12.same'
        >>> write_staged(Staged(17, request=request_of([7, 4], "0Q4")))
        '17.link.4-7.0Q4'
    """
    if each.request is None:
        return ".".join(filter(None, (str(each.task), each.ruling, each.survivor)))
    records = "-".join(map(str, each.request.records))
    parts = (str(each.task), each.request.kind, records, each.request.target)
    return ".".join(filter(None, parts))


def in_words(each: Staged) -> str:
    """Return a staged decision as people read it.

    Examples:
        >>> in_words(Staged(16, request=request_of([4, 7])))
        'records 4, 7 to a new person'
    """
    if each.request is None:
        stays = f", {each.survivor} stays" if each.survivor else ""
        return f"same person{stays}" if each.ruling == "same" else "different people"
    numbers = ", ".join(map(str, each.request.records))
    noun = "record" if len(each.request.records) == 1 else "records"
    return f"{noun} {numbers} to {each.request.target or 'a new person'}"
