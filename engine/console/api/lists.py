"""Lists in pages: how long one is, where the next begins.

Spec:
    console.md 6 (cursor paging).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, BaseModel, Field

from engine.console.api.models import Listed
from engine.console.api.orders import Asked

PAGE: Final = 100
MOST: Final = 1_000
Item = TypeVar("Item", bound=BaseModel)


def _with_zone(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_with_zone)]
"""When; in UTC where no zone is said, wherever the console runs."""


class Paged(Asked):
    """Which page of a list: ``cursor`` is ``next`` of the page before."""

    cursor: int = Field(0, ge=0)
    limit: int = Field(PAGE, ge=1, le=MOST)


def page(items: list[Item], numbers: Sequence[int], limit: int) -> Listed[Item]:
    """Return a page; a full one leads on from the last of the rows' numbers."""
    more = len(numbers) >= limit
    return Listed(items=items, next=str(numbers[-1]) if more else None)
