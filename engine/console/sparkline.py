"""A row of numbers as a small drawing that also says itself in words."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

WIDTH: Final = 2
HEIGHT: Final = 24
_DRAWING: Final = Markup(
    '<svg class="spark" viewBox="-1 0 %s %s" role="img" aria-label="%s">'
    '<path d="%s"/></svg>'
)


def sparkline(values: Sequence[int]) -> Markup:
    """Return a bar for each minute; who cannot see it reads the sum and the most.

    Examples:
        >>> "at most 3 a minute, 4 in all" in sparkline([1, 3])
        True
    """
    most = max(values, default=0)
    words = f"{len(values)} minutes: at most {most} a minute, {sum(values)} in all"
    bars = "".join(
        [
            f"M{at * WIDTH} {HEIGHT}v-{max(round(HEIGHT * value / most), 1)}"
            for at, value in enumerate(values)
            if value
        ]
    )
    return _DRAWING % (max(len(values), 1) * WIDTH, HEIGHT, words, bars)
