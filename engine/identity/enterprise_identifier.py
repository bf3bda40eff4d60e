"""Enterprise identifiers, and the handles people say instead of them.

An identifier is 13 signs of Crockford's base 32, whose letters are not read wrongly
aloud; they are random and mean nothing. Its handle says the first 32 of its 65 bits as
two proquints. So nothing is stored for it, and it leads back to a range of identifiers:
mostly to one person, to each of several where their identifiers begin alike.

Spec:
    console.md S6 and S7, the short speakable handle; proquints, arXiv:0901.4016.
"""

import re
from typing import Final, NamedTuple

BITS: Final = 65
_SIGNS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SIGN_BITS: Final = 5
_LENGTH: Final = BITS // _SIGN_BITS
_IDENTIFIER: Final = re.compile(f"[{_SIGNS}]{{{_LENGTH}}}")
_SAID: Final = 7
"""So many signs reach into a handle; of the last one only its two high bits."""

_UNSAID_BITS: Final = 3
_WORD_BITS: Final = 16
_CONSONANTS: Final = "bdfghjklmnprstvz"
_VOWELS: Final = "aiou"
_WORD: Final = (
    (12, _CONSONANTS), (10, _VOWELS), (6, _CONSONANTS), (4, _VOWELS), (0, _CONSONANTS),
)  # fmt: skip
"""The letters of a proquint, each by the lowest of its bits."""

_HANDLE: Final = re.compile("([a-z]{5})[- ]?([a-z]{5})")
_AVOIDED: Final = (
    "fagot", "fatal", "gonad", "homos", "jihad", "lupus", "moron", "nazis", "pubis",
    "putas", "rabid", "satan", "sodom", "tumor", "viral", "virus", "vomit",
)  # fmt: skip
"""No patient shall be called so; such a word takes the vowel proquints do not have."""

_SAID_AS: Final = {word: re.sub(f"[{_VOWELS}]", "e", word) for word in _AVOIDED}
_MEANS: Final = {said: word for word, said in _SAID_AS.items()}


class Range(NamedTuple):
    """The identifiers from ``first`` to ``last``, as texts are ordered."""

    first: str
    last: str


def identifier_of(number: int) -> str:
    """Return the enterprise identifier that a number of 65 bits stands for."""
    return _signs(number, _LENGTH)


def handle_of(eid: str) -> str:
    """Return how people say an enterprise identifier; ``""`` for anything else.

    Examples:
        >>> handle_of("7KQ2M9XB4T0VW"), handle_of("7KQ2M9Z000000")
        ('gugov-fomol', 'gugov-fomol')
    """
    if not _IDENTIFIER.fullmatch(eid):
        return ""
    number = 0
    for sign in eid[:_SAID]:
        number = number << _SIGN_BITS | _SIGNS.index(sign)
    high, low = divmod(number >> _UNSAID_BITS, 1 << _WORD_BITS)
    return f"{_word(high)}-{_word(low)}"


def called(handle: str) -> Range | None:
    """Return the identifiers a handle may mean; None where it is no handle.

    Capital letters mean nothing, and for the hyphen a blank or nothing will do.

    Examples:
        >>> called("Gugov Fomol")
        Range(first='7KQ2M9R', last='7KQ2M9ZZZZZZZ')
        >>> called("994")
    """
    words = _HANDLE.fullmatch(handle.strip().lower())
    high, low = map(_number, words.groups()) if words else (None, None)
    if high is None or low is None:
        return None
    first = (high << _WORD_BITS | low) << _UNSAID_BITS
    last = _signs(first + (1 << _UNSAID_BITS) - 1, _SAID)
    return Range(_signs(first, _SAID), last.ljust(_LENGTH, _SIGNS[-1]))


def _signs(number: int, length: int) -> str:
    places = range((length - 1) * _SIGN_BITS, -1, -_SIGN_BITS)
    return "".join(_SIGNS[number >> place & len(_SIGNS) - 1] for place in places)


def _word(number: int) -> str:
    """Return 16 bits as a proquint."""
    letters = (letters[number >> place & len(letters) - 1] for place, letters in _WORD)
    word = "".join(letters)
    return _SAID_AS.get(word, word)


def _number(word: str) -> int | None:
    """Return the 16 bits of a proquint."""
    number = 0
    for letter, (place, letters) in zip(_MEANS.get(word, word), _WORD, strict=True):
        if letter not in letters:
            return None
        number |= letters.index(letter) << place
    return number
