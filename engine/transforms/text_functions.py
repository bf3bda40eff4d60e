"""Functions over text: bounded in size, Unicode aware."""

import unicodedata
import uuid
from decimal import Decimal
from typing import Final

from engine.transforms.calls import Call
from engine.transforms.scope import EditContext, Value
from engine.transforms.terms import MAX_LIST, MAX_TEXT, Evaluate, as_text

_NAMESPACE: Final = uuid.UUID("6f6d8a3e-2c1b-5f0a-9d57-0b8a4e1c7d21")
_WIDEST: Final = 1000
_UNFOLDED: Final = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "OE",
        "đ": "d", "Đ": "D", "ł": "l", "Ł": "L", "þ": "th", "Þ": "TH",
        "ð": "d", "Ð": "D",
    }
)  # fmt: skip


def concat(call: Call) -> Evaluate:
    """Compile ``concat(value, …)``."""
    parts = [as_text(argument).evaluate for argument in call.arguments]

    def run(context: EditContext) -> Value:
        text = "".join([str(part(context)) for part in parts])
        if len(text) > MAX_TEXT:
            context.notes.append("concat() gave more than 1 MB of text")
            return ""
        return text

    return run


def stable_id(call: Call) -> Evaluate:
    """Compile ``stable_id(value, …)``: the same values give the same UUID."""
    parts = [as_text(argument).evaluate for argument in call.arguments]

    def run(context: EditContext) -> Value:
        texts = [str(part(context)) for part in parts]
        joined = "".join(f"{len(text)}:{text}" for text in texts)
        content = joined.encode("utf-8", "backslashreplace")
        return str(uuid.uuid5(_NAMESPACE, content.decode("utf-8")))

    return run


def collapse(text: str) -> str:
    """Return the text with inner runs of spaces made one."""
    return " ".join(text.split())


def substr(text: str, start: Decimal, length: Decimal | None = None) -> str:
    """Return the text from a position that counts from 1."""
    first = max(whole(start), 1) - 1
    if length is None:
        return text[first:]
    return text[first : first + max(whole(length), 0)]


def left(text: str, count: Decimal) -> str:
    """Return the first characters."""
    return text[: max(whole(count), 0)]


def right(text: str, count: Decimal) -> str:
    """Return the last characters."""
    number = max(whole(count), 0)
    return text[-number:] if number else ""


def replace(text: str, old: str, new: str) -> str | None:
    """Return the text with every ``old`` exchanged; None when it grows too large."""
    if not old or len(text) + text.count(old) * (len(new) - len(old)) > MAX_TEXT:
        return None if old else text
    return text.replace(old, new)


def pad(text: str, width: Decimal, fill: str = "0") -> str:
    """Return the text filled on the left; missing stays missing."""
    if not text or not fill:
        return text
    return text.rjust(min(max(whole(width), 0), _WIDEST), fill[0])


def strip_zeros(text: str) -> str:
    """Return the text without leading zeros; a text of zeros is ``0``."""
    return text.lstrip("0") or text[-1:]


def digits(text: str) -> str:
    """Return the digits 0 to 9 of the text."""
    return "".join([letter for letter in text if letter in "0123456789"])


def fold_accents(text: str) -> str:
    """Return the text with accents folded; letters without a fold stay."""
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text.translate(_UNFOLDED))
    return "".join([letter for letter in apart if not unicodedata.combining(letter)])


def split(text: str, separator: str) -> list[str]:
    """Return the parts between separators; a missing text has none."""
    if not text:
        return []
    return text.split(separator, MAX_LIST - 1) if separator else [text]


def join(texts: list[str], separator: str) -> str | None:
    """Return the texts in one; None when it grows too large."""
    size = sum(map(len, texts)) + len(texts) * len(separator)
    return None if size > MAX_TEXT else separator.join(texts)


def length(value: str | list[str]) -> Decimal:
    """Return how many characters a text, or texts a list has."""
    return Decimal(len(value))


def first(texts: list[str]) -> str:
    """Return the first text that is not missing."""
    return next((text for text in texts if text), "")


def last(texts: list[str]) -> str:
    """Return the last text that is not missing."""
    return next((text for text in reversed(texts) if text), "")


def whole(number: Decimal) -> int:
    """Return a number as a position, cut to what a text can have."""
    limit = 2 * MAX_TEXT
    return int(max(min(number, Decimal(limit)), Decimal(-limit)))
