"""What can be wrong with an expression."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExpressionFault:
    """Something wrong with an expression: where (offset in its text) and what."""

    offset: int
    sentence: str
    hint: str = ""
    code: str = "CH200"


def too_much(offset: int, sentence: str) -> ExpressionFault:
    """Return the fault of an expression that passes a limit."""
    hint = "expressions are small on purpose; use a Python step for more"
    return ExpressionFault(offset, sentence, hint, "CH201")
