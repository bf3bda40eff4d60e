"""Rows of ``map``: what a site changes in the resources of the built-in map."""

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.transforms.expressions import Expression


@dataclass(frozen=True, slots=True)
class MapRow:
    """One compiled row; ``run`` changes the mapped resources in place."""

    name: str
    line: str
    run: Callable[..., None] = field(repr=False, compare=False)
    when: Expression | None = None
