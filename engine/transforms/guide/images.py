"""How a value of a message may look in a Bundle: code, date, number or URI."""

import re
from base64 import b64decode
from datetime import datetime
from functools import lru_cache
from typing import Final

from engine.hl7.timestamps import read_time, read_timestamp
from engine.transforms.fhir.systems import standard_system, universal_uri

_TIME: Final = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?)?)?")
_MARKS: Final = re.compile(r"[\W_]")
_BREAK: Final = re.compile(r"\\\.(?:br|sp)[+]?\d*\\|\\[HN]\\")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_BOOLEANS: Final = {"Y": "true", "N": "false"}
_LONG: Final = 5
_WHOLE: Final = ("identifier.value", ".code", ".family", ".given", "status", "gender")
"""Where a value stands alone; elsewhere it may be part of a text."""

_MINUTES: Final = len("HH:MM:SS")


@lru_cache(maxsize=8192)
def squashed(text: str) -> str:
    """Return letters and digits only, in lower case: how values are compared."""
    return _MARKS.sub("", text).lower()


@lru_cache(maxsize=65536)
def is_image(
    value: str, found: str, codes: frozenset[str] = frozenset(), path: str = ""
) -> bool:
    """Whether a leaf of a Bundle says what a component of a message says.

    Args:
        value: the component, decoded.
        found: the leaf as text.
        codes: what a vocabulary map makes of the component.
        path: where the leaf is, if it may be there only: a system may be any URI there,
            for each site chooses those of its own words.
    """
    if found in codes or _BOOLEANS.get(value) == found:
        return True
    if path.endswith("system") and is_site_uri(found):
        settled = standard_system(value) or universal_uri(value, "ISO")
        return not settled or found == settled
    wanted, have = squashed(_BREAK.sub("", value)), squashed(decoded(found))
    if not wanted or not have:
        return value.strip() == found.strip() != ""
    within = not path.endswith(_WHOLE) and len(wanted) >= _LONG
    if wanted == have or (within and wanted in have):
        return True
    if found.endswith("/" + value.lower()):  # PDF of application/pdf
        return True
    return _same_date(value, found) or _same_number(value, found) or _uri(value, found)


def _same_date(value: str, found: str) -> bool:
    """Whether a FHIR time says a DTM or TM: no less of it, and no other time of day."""
    if found[2:3] == ":":
        return read_time(value) == found
    stamp = read_timestamp(value)
    if stamp is None or not _TIME.fullmatch(found):
        return False
    date, _, time = found.partition("T")
    if not time:
        return date == stamp.date_text
    if time.startswith(stamp.time_text[:_MINUTES]) and date == stamp.date_text:
        return True
    return bool(stamp.offset_text) and datetime.fromisoformat(found) == stamp.instant()


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
