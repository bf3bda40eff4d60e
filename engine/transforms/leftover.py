"""What is left of a field when some of its leaves are carried over."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import TypeAlias

from engine.hl7 import Segment

Numbers: TypeAlias = tuple[int, ...]
"""Repetition, component and subcomponent of a field, each from 1."""


def left_over(
    segment: Segment, field: int, carried: AbstractSet[Numbers]
) -> Iterator[tuple[int, int]]:
    """Yield repetition and component of what a field says besides the leaves carried.

    A component of which a subcomponent is left is left, and so is HL7 null.
    """
    for number, repetition in enumerate(segment.positions(field), 1):
        for component in range(1, repetition.component_count + 1):
            leaves = enumerate(repetition.sub(component), 1)
            spots = {(number, component, below) for below, text in leaves if text}
            if repetition.is_null(component) or not spots <= carried:
                yield number, component
