"""How a value of a message may look in a Bundle: code, date, number or URI."""

import re
from base64 import b64decode
from functools import lru_cache
from typing import Final

from engine.transforms.fhir.systems import standard_system, universal_uri

_DATE: Final = re.compile(r"(\d{4,14})(?:\.\d+)?(?:[+-]\d{4})?")
_MARKS: Final = re.compile(r"[\W_]")
_BREAK: Final = re.compile(r"\\\.(?:br|sp)[+]?\d*\\|\\[HN]\\")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_BOOLEANS: Final = {"Y": "true", "N": "false"}
_LONG: Final = 5
_DAY: Final = 8
_YEAR: Final = 4


@lru_cache(maxsize=8192)
def squashed(text: str) -> str:
    """Return letters and digits only, in lower case: how values are compared."""
    return _MARKS.sub("", text).lower()


@lru_cache(maxsize=65536)
def is_image(value: str, found: str, codes: frozenset[str] = frozenset()) -> bool:
    """Whether a leaf of a Bundle says what a component of a message says.

    Args:
        value: the component, decoded.
        found: the leaf as text.
        codes: what a vocabulary map makes of the component.
    """
    if found in codes or _BOOLEANS.get(value) == found:
        return True
    wanted, have = squashed(_BREAK.sub("", value)), squashed(found)
    if not wanted or not have:
        return False
    if wanted == have or (len(wanted) >= _LONG and wanted in have):
        return True
    return _same_date(value, found) or _same_number(value, found) or _uri(value, found)


def _same_date(value: str, found: str) -> bool:
    date = _DATE.fullmatch(value)
    digits = re.sub(r"\D", "", found)
    if date is None or not found[:_YEAR].isdigit() or len(digits) < _YEAR:
        return False
    return digits.startswith(date[1][:_DAY]) or date[1].startswith(digits)


def _same_number(value: str, found: str) -> bool:
    try:
        return float(value) == float(found)
    except ValueError:
        return False


def _uri(value: str, found: str) -> bool:
    """Whether a URI is the settled one of a mnemonic or an OID."""
    return found in (standard_system(value), universal_uri(value, "ISO"))


def is_site_uri(found: str) -> bool:
    """Whether a leaf is an absolute URI: each site chooses those of its own words."""
    return found.startswith(("urn:", "http://", "https://"))


def decoded(found: str) -> str:
    """Return the text that base64 of an attachment holds; other text as it is."""
    if len(found) % 4 or not _BASE64.fullmatch(found):
        return found
    try:
        return b64decode(found, validate=True).decode("utf-8")
    except ValueError:
        return found
