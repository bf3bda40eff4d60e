"""Bits of evidence as bars: which way they speak is where they stand, not a colour.

The number and a sentence always stand beside them, so nothing is in the drawing alone.

Spec:
    console.md S6 (evidence weight, total between the two thresholds).
"""

from typing import Final

from markupsafe import Markup

from engine.identity.weights import Thresholds

HALF: Final = 70
MOST_BITS: Final = 15.0
"""What weighs more fills its half of the bar."""

MARGIN: Final = 10.0
_LINE: Final = Markup(
    '<svg class="weight {}" viewBox="0 0 140 14" aria-hidden="true">'
    '<path d="M70 0v14"/><rect x="{}" y="3" width="{}" height="8"/></svg>'
)
_TOTAL: Final = Markup(
    '<svg class="total" viewBox="0 0 300 22" role="img" aria-label="{}">'
    '<rect x="0" y="8" width="300" height="6"/>'
    '<path d="M{} 2v18M{} 2v18"/><circle cx="{}" cy="11" r="6"/></svg>'
)


def evidence_bar(bits: float) -> Markup:
    """Return one trait's bits: to the right they speak for one person, else against.

    Examples:
        >>> 'class="weight against"' in evidence_bar(-3.0)
        True
    """
    width = round(min(abs(bits) / MOST_BITS, 1) * HALF, 1)
    side = "against" if bits < 0 else "for"
    return _LINE.format(side, HALF - width if bits < 0 else HALF, width)


def total_bar(bits: float, thresholds: Thresholds) -> Markup:
    """Return where a score stands between what is new and what is linked.

    Examples:
        >>> "link at 12.0" in total_bar(8.0, Thresholds(12.0, 3.0, None))
        True
    """
    low, high = thresholds.low, thresholds.high
    begin, end = low - MARGIN, high + MARGIN

    def place(value: float) -> float:
        return round(min(max((value - begin) / (end - begin), 0.02), 0.98) * 300, 1)

    words = f"{bits:+.1f} bits: doubt from {low:.1f}, link at {high:.1f}"
    return _TOTAL.format(words, place(low), place(high), place(bits))
