"""From the text of a scalar to a value, or to the reason why it is refused."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from engine import settings
from engine.errors import ParseError
from engine.hl7 import Path, parse_path
from engine.hl7.path import ALL
from engine.transforms.code_tables import read_policy
from engine.transforms.fhir.paths import FhirPath, PathFault, parse_fhir_path
from engine.transforms.scope import PythonCall

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_PYTHON: Final = re.compile(r"[a-z_][a-z0-9_]*(:[a-z_][a-z0-9_]*)?")
_DECIMAL: Final = re.compile(r"\d{1,9}(\.\d{1,6})?", re.ASCII)
_SCORE: Final = re.compile(r"-?\d{1,3}(\.\d{1,3})?", re.ASCII)
_INTEGER: Final = re.compile(r"\d{1,12}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_DOTTED: Final = re.compile(
    r"(?P<segment>[A-Za-z][A-Za-z0-9]{2}(?:\[\d+\])?)(?P<mark>[.-])"
    r"(?P<rest>\d+(?:\[\d+\])?(?:\.\d+){0,2})"
)
_LONGEST_PATH: Final = len("ABC[9999]-999[9999].999.999")
_LONGEST_FHIR_PATH: Final = 500
_MOST: Final = 9999
_MOST_FIELDS: Final = 999
_DELIMITERS: Final = 2


@dataclass(frozen=True, slots=True)
class Refused:
    """A value that cannot be: the sentence, and what to write instead."""

    sentence: str
    hint: str = ""
    code: str = "CH110"
    offset: int = 0


def matching(pattern: str, what: str, hint: str) -> Callable[[str], object]:
    """Return a reading that takes text of one form as it is."""
    form = re.compile(pattern)

    def read(text: str) -> object:
        if form.fullmatch(text):
            return text
        return Refused(f"{text!r} is not {what}", hint)

    return read


def one_of(words: Collection[str], what: str, hint: str) -> Callable[[str], object]:
    """Return a reading that takes a few words."""

    def read(text: str) -> object:
        return text if text in words else Refused(f"{text!r} is not {what}", hint)

    return read


def number_from(
    lowest: int, special: str = "", highest: int = 10**12
) -> Callable[[str], object]:
    """Return a reading of whole numbers; the special word means None."""

    def read(text: str) -> object:
        if special and text == special:
            return None
        if _INTEGER.fullmatch(text) and lowest <= int(text) <= highest:
            return int(text)
        also = f" or {special}" if special else ""
        return Refused(
            f"{text!r} is not a number", f"use a whole number from {lowest}{also}"
        )

    return read


def as_written(text: str) -> object:
    """Return any text."""
    return text


def port(text: str) -> object:
    """Return a port number."""
    if isinstance(found := number_from(1, highest=65535)(text), int):
        return found
    return Refused(f"{text} is not a port", "use 1 to 65535")


def boolean(text: str) -> object:
    """Return true or false; nothing else is one."""
    if text in ("true", "false"):
        return text == "true"
    return Refused(f"{text!r} is not true or false", "write true or false")


def duration(text: str) -> object:
    """Return a duration longer than nothing."""
    return settings.read_duration(text) or Refused(
        f"{text!r} is not a duration", "write it like 500ms, 30s, 5m, 2h or 7d"
    )


def size(text: str) -> object:
    """Return a number of bytes above 0."""
    return settings.read_size(text) or Refused(
        f"{text!r} is not a size", "write it like 64KB or 64MB"
    )


def address(text: str) -> object:
    """Return an IP address; ``localhost`` is one of them."""
    if text == "localhost":
        return "127.0.0.1"
    try:
        return str(ip_address(text))
    except ValueError:
        return Refused(
            f"{text!r} is not an address", "write 127.0.0.1, 0.0.0.0 or an address"
        )


def network(text: str) -> object:
    """Return an address or a network."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return Refused(
            f"{text!r} is not an address or network", "write 10.0.0.7 or 10.0.0.0/8"
        )


def host(text: str) -> object:
    """Return a host name or an address."""
    if _HOST.fullmatch(text) or not isinstance(address(text), Refused):
        return text
    return Refused(f"{text!r} is not a host name", "write a name or an address")


def url(text: str) -> object:
    """Return a web address; its text is not repeated, it may hold a secret."""
    refused = Refused("this is not a URL", "write it like https://host/path")
    try:
        parts = urlsplit(text)
        listens = parts.port != 0
    except ValueError:
        return refused
    if parts.username or parts.password:
        return Refused(
            "a secret must not be written in a channel file",
            "write credential: NAME and define [credentials.NAME] in interop.toml",
            "CH130",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or not listens:
        return refused
    return refused if _CONTROL.search(text) or " " in text else text


def share(text: str) -> object:
    """Return ``50%`` as 0.5."""
    digits = text.removesuffix("%")
    if text.endswith("%") and _DECIMAL.fullmatch(digits) and float(digits):
        return float(digits) / 100
    return Refused(f"{text!r} is not a share", "write it like 50%")


def share_or_none(text: str) -> object:
    """Return ``5%`` as 0.05, and ``0%`` as 0.0."""
    digits = text.removesuffix("%")
    if text.endswith("%") and _DECIMAL.fullmatch(digits):
        return float(digits) / 100
    return Refused(f"{text!r} is not a share", "write it like 5%, or 0% for none")


def score(text: str) -> object:
    """Return a number of bits."""
    if _SCORE.fullmatch(text):
        return float(text)
    return Refused(f"{text!r} is not a number of bits", "write it like 6 or -6.5")


def rate(text: str) -> object:
    """Return messages per second."""
    if _DECIMAL.fullmatch(text) and float(text):
        return float(text)
    return Refused(f"{text!r} is not a rate", "write messages per second, as 50 or 0.5")


def hours(text: str) -> object:
    """Return first and last minute of the day."""
    found = _HOURS.fullmatch(text)
    if found is None or (found[3] == "24" and found[4] != "00"):
        return Refused(f"{text!r} are not hours", 'write them like "07:00-19:00"')
    first = int(found[1]) * 60 + int(found[2])
    return first, int(found[3]) * 60 + int(found[4])


def time_of_day(text: str) -> object:
    """Return an hour and minute as they are written."""
    if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text) is None:
        return Refused(f"{text!r} is no time of day", 'write it like "02:00"')
    return text


def zone(text: str) -> object:
    """Return a zone of the IANA database."""
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        return Refused(f"{text!r} is not a time zone", "write it like America/Detroit")


def hl7_path(text: str) -> object:
    """Return an HL7 path that names a field."""
    try:
        path = parse_path(text) if len(text) <= _LONGEST_PATH else None
    except ParseError:
        path = None
    if path is None or not path.field:
        return Refused(f"{text!r} is not an HL7 path", path_hint(text), "CH210")
    numbers = (path.occurrence, path.field, path.repetition, path.component)
    if max(*numbers, path.subcomponent) > _MOST:
        return Refused(f"{text!r} is not an HL7 path", f"use 1 to {_MOST}", "CH210")
    return path


def target_path(text: str) -> object:
    """Return an HL7 path that may be written to: all but the delimiters."""
    path = hl7_path(text)
    if isinstance(path, Path) and path.segment == "MSH" and path.field <= _DELIMITERS:
        return Refused("the delimiters cannot be changed", "MSH-1 and MSH-2", "CH210")
    return path


def field_path(text: str) -> object:
    """Return a path that stops at a field."""
    path = target_path(text)
    if isinstance(path, Path) and (path.component or path.repetition):
        return Refused(f"{text!r} is not a whole field", "write it like PID-3", "CH210")
    return path


def loop(text: str) -> object:
    """Return what a ``for-each`` walks over: a segment, or all of a field."""
    try:
        path = parse_path(text) if len(text) <= _LONGEST_PATH else None
    except ParseError:
        path = None
    walks = path is not None and (
        (not path.field and not path.occurrence)
        or (path.repetition == ALL and not path.component)
    )
    if walks:
        return path
    return Refused(f"{text!r} cannot be walked over", "write OBX or PID-3[*]", "CH210")


def new_field(text: str) -> object:
    """Return the place in a new segment that ``4`` or ``4.1`` means."""
    path = hl7_path(f"ZZZ-{text}")
    if isinstance(path, Path) and path.field <= _MOST_FIELDS:
        return path
    return Refused(f"{text!r} is not a field number", "write 4 or 4.1", "CH210")


def policy(text: str) -> object:
    """Return what ``on-missing`` says."""
    return read_policy(text) or Refused(
        f"{text!r} is not allowed here",
        'use error, error("label"), keep, empty, flag or default("U")',
        "CH111",
    )


def fhir_path(text: str) -> object:
    """Return the place in a resource, checked against R4."""
    if len(text) > _LONGEST_FHIR_PATH:
        return Refused("this FHIR path is too long", "", "CH370")
    found = parse_fhir_path(text)
    if isinstance(found, PathFault):
        return Refused(found.sentence, found.hint, "CH370", found.offset)
    return found


def fhir_type(text: str) -> object:
    """Return the name of a resource type."""
    found = fhir_path(text)
    if isinstance(found, FhirPath) and not found.steps:
        return text
    return Refused(f"{text!r} is not an R4 resource known to the map", "", "CH370")


def path_hint(text: str) -> str:
    """Return what to write instead of something that looks like a path."""
    found = _DOTTED.fullmatch(text)
    if found is None:
        return "write it like PID-5.1"
    fixed = "; interop check --fix does it for you" if found["mark"] == "." else ""
    return f"write {found['segment'].upper()}-{found['rest']}{fixed}"


def python_step(text: str) -> object:
    """Return the call that ``module:function``, or an installed name, means."""
    if not _PYTHON.fullmatch(text):
        return Refused(
            f"{text!r} is not a Python step", "write module:function", "CH150"
        )
    module, _, function = text.partition(":")
    return PythonCall(module if function else "", function or module)


def project_file(text: str) -> object:
    """Return the path of a file below the config folder."""
    if not text or text.startswith("/") or "\\" in text or _CONTROL.search(text):
        return Refused(
            f"{text!r} is not a file of this project", "write it from the config folder"
        )
    if ".." in text.split("/"):
        return Refused("a file must lie inside the config folder", "leave out '..'")
    return text


def folder(text: str) -> object:
    """Return a folder or a path template; ``..`` may stand at its beginning only."""
    if not text or _CONTROL.search(text):
        return Refused(f"{text!r} is not a path", "write it like out/adt")
    parts = text.split("/")
    while parts and parts[0] == "..":
        del parts[0]
    if ".." in parts:
        return Refused("'..' may stand at the beginning only", "write the whole path")
    return text
