"""Functions over numbers and identifiers with check digits."""

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from types import MappingProxyType
from typing import Final

from engine.transforms.calls import Call
from engine.transforms.scope import EditContext, Value
from engine.transforms.terms import Evaluate

_NUMBER: Final = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})", re.ASCII)
ARITHMETIC: Final = Context(prec=60, rounding=ROUND_HALF_UP, traps=[])
"""Exact where numbers of messages are, and silent: what has no result is missing."""
_MOST_DIGITS: Final = 30
_NHS_LENGTH: Final = 10
_MODULUS: Final = 11
_LETTER_VALUE: Final = 55


def number(text: str) -> Decimal | None:
    """Return the number a text writes in plain decimal, without exponent."""
    stripped = text.strip()
    return Decimal(stripped) if _NUMBER.fullmatch(stripped) else None


def rounded(value: Decimal, digits: Decimal) -> Decimal | None:
    """Return the number with so many decimals; a half goes away from zero."""
    places = max(min(int(digits), _MOST_DIGITS), 0)
    return finite(value.quantize(Decimal(1).scaleb(-places), context=ARITHMETIC))


def scale(value: Decimal, factor: Decimal, digits: Decimal) -> Decimal | None:
    """Return the number times a factor, rounded."""
    product = finite(ARITHMETIC.multiply(value, factor))
    return None if product is None else rounded(product, digits)


def finite(value: Decimal) -> Decimal | None:
    """Return the number, or None when the arithmetic had no answer."""
    return value if value.is_finite() else None


def valid_id(call: Call) -> Evaluate | None:
    """Compile ``valid_id(text, scheme)``."""
    check = _SCHEMES.get(call.literal(1))
    if check is None:
        call.fault(
            1, f"unknown scheme {call.literal(1)!r}", f"use {', '.join(_SCHEMES)}"
        )
        return None
    evaluate = call.arguments[0].evaluate

    def run(context: EditContext) -> Value:
        text = str(evaluate(context)).strip().upper()
        return 1 < len(text) <= _MOST_DIGITS and text.isascii() and check(text)

    return run


def _luhn(text: str) -> bool:
    if not text.isdigit():
        return False
    doubled = [
        int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(text))
    ]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def _mod11(text: str) -> bool:
    """Weights 2 to 7 from the right; a remainder of 10 has no valid digit."""
    if not text.isdigit():
        return False
    body = reversed(text[:-1])
    total = sum(int(digit) * (2 + index % 6) for index, digit in enumerate(body))
    return (_MODULUS - total % _MODULUS) % _MODULUS == int(text[-1])


def _mod97(text: str) -> bool:
    if not text.isalnum():
        return False
    values = (
        letter if letter.isdigit() else str(ord(letter) - _LETTER_VALUE)
        for letter in text
    )
    return int("".join(values)) % 97 == 1


def _nhs(text: str) -> bool:
    if len(text) != _NHS_LENGTH or not text.isdigit():
        return False
    total = sum(int(digit) * (10 - index) for index, digit in enumerate(text[:-1]))
    return (_MODULUS - total % _MODULUS) % _MODULUS == int(text[-1])


_SCHEMES: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {"luhn": _luhn, "mod11": _mod11, "mod97": _mod97, "nhs": _nhs}
)
