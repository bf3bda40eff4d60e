"""The kinds of value a channel file may hold: how each is read, refused and shown."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from engine.errors import ParseError
from engine.hl7 import Path, parse_path
from engine.settings import read_duration, read_size
from engine.transforms.scope import PythonCall, Type


@dataclass(frozen=True, slots=True)
class Refused:
    """A value that cannot be: the sentence, and what to write instead."""

    sentence: str
    hint: str = ""
    code: str = "CH110"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value. ``read`` gives the value, or says why it is refused.

    ``example`` and ``wrong`` are a value that is taken and one that is not; ``names``
    tells which names of the project it refers to (``tls``, ``credentials``, ...).
    """

    name: str
    read: Callable[[str], object]
    example: str
    wrong: str
    pattern: str = ""
    names: str = ""


@dataclass(frozen=True, slots=True)
class ExpressionKind:
    """An expression: the type it must give, and the place whose names it may use."""

    type: Type
    place: str = "processing"
    loop: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """The name of a key where it is not the name of the field."""

    name: str


@dataclass(frozen=True, slots=True)
class NotAKey:
    """Marks a field the loader fills itself."""


PLACE: Final = NotAKey()

_NAME: Final = r"[a-z][a-z0-9-]{1,62}"
_NAMED: Final = re.compile(_NAME)
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_TYPE: Final = re.compile(r"[A-Z]{3}(\^[A-Z0-9]{3}(\^[A-Z0-9_]{3,})?)?")
_PYTHON: Final = re.compile(r"[a-z_][a-z0-9_]*(:[a-z_][a-z0-9_]*)?")
_DECIMAL: Final = re.compile(r"\d{1,9}(\.\d{1,6})?", re.ASCII)
_INTEGER: Final = re.compile(r"\d{1,12}", re.ASCII)
_VERSIONS: Final = (
    "2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8",
    "2.8.1", "2.8.2", "2.9",
)  # fmt: skip
_CHARSETS: Final = frozenset(
    {"ASCII", "UNICODE", "UNICODE UTF-8", "UTF-8", "ISO IR6", "ISO IR14", "ISO IR87",
     "ISO IR159", "GB 18030-2000", "KS X 1001", "CNS 11643-1992", "BIG-5"}
    | {f"8859/{part}" for part in (*range(1, 10), 15)}
)  # fmt: skip
"""HL7 table 0211."""
_PORTS: Final = range(1, 65536)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def _text(text: str) -> object:
    return text


def _sentence(text: str) -> object:
    if not text.strip():
        return Refused("this text is empty", "write a few words")
    return text


def _name(text: str) -> object:
    if _NAMED.fullmatch(text):
        return text
    return Refused(
        f"{text!r} is not a name",
        "use 2 to 63 small letters, digits and dashes, beginning with a letter",
    )


def _port(text: str) -> object:
    if _INTEGER.fullmatch(text) and int(text) in _PORTS:
        return int(text)
    return Refused(f"{text} is not a port", "use 1 to 65535")


def read_number(text: str) -> object:
    """Return a whole number from 1."""
    if _INTEGER.fullmatch(text) and int(text):
        return int(text)
    return Refused(f"{text!r} is not a number", "use a whole number from 1")


def _count(text: str) -> object:
    if _INTEGER.fullmatch(text):
        return int(text)
    return Refused(f"{text!r} is not a number", "use a whole number from 0")


def _count_or_unlimited(text: str) -> object:
    if text == "unlimited":
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    return Refused(f"{text!r} is not a number", "use a whole number or unlimited")


def read_boolean(text: str) -> object:
    """Return true or false; nothing else is one."""
    if text in ("true", "false"):
        return text == "true"
    return Refused(f"{text!r} is not true or false", "write true or false")


def read_span(text: str) -> object:
    """Return a duration."""
    found = read_duration(text)
    if found is None or not found:
        return Refused(
            f"{text!r} is not a duration", "write it like 500ms, 30s, 5m, 2h or 7d"
        )
    return found


def _size(text: str) -> object:
    found = read_size(text)
    return found or Refused(f"{text!r} is not a size", "write it like 64KB or 64MB")


def _address(text: str) -> object:
    if text == "localhost":
        return "127.0.0.1"
    try:
        return str(ip_address(text))
    except ValueError:
        return Refused(
            f"{text!r} is not an address", "write 127.0.0.1, 0.0.0.0 or an address"
        )


def _network(text: str) -> object:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return Refused(
            f"{text!r} is not an address or network", "write 10.0.0.7 or 10.0.0.0/8"
        )


def _host(text: str) -> object:
    if _HOST.fullmatch(text) or _is_address(text):
        return text
    return Refused(f"{text!r} is not a host name", "write a name or an address")


def _is_address(text: str) -> bool:
    return not isinstance(_address(text), Refused)


def _url(text: str) -> object:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return Refused("this is not a URL", "write https://host/path")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return Refused("this is not a URL", "write https://host/path")
    if parts.username or parts.password:
        return Refused(
            "a secret must not be written in a channel file",
            "write credential: NAME and define [credentials.NAME] in interop.toml",
            "CH130",
        )
    if _CONTROL.search(text) or " " in text:
        return Refused("this is not a URL", "write a space as %20")
    return text


def _url_path(text: str) -> object:
    if re.fullmatch(r"/[A-Za-z0-9/_.-]{1,200}", text) and ".." not in text:
        return text
    return Refused(f"{text!r} is not a URL path", "write it like /adt/main")


def _charset(text: str) -> object:
    if text in _CHARSETS:
        return text
    return Refused(
        f"{text!r} is not a character set of table 0211",
        "use ASCII, 8859/1 to 8859/15 or UNICODE UTF-8",
    )


def _charset_or_message(text: str) -> object:
    return text if text == "from-message" else _charset(text)


def _version(text: str) -> object:
    if text in _VERSIONS:
        return text
    return Refused(f"{text!r} is not an HL7 v2 version", "use 2.1 to 2.9, as in 2.5.1")


def _message_type(text: str) -> object:
    if _TYPE.fullmatch(text):
        return text
    return Refused(f"{text!r} is not a message type", "write ADT or ORU^R01")


def _sender(text: str) -> object:
    if text.count("/") == 1 and len(text) > 1:
        return text
    return Refused(f"{text!r} is not a sender", "write MSH-3/MSH-4, as LAB/GENERAL")


def _processing_id(text: str) -> object:
    if text in ("P", "D", "T"):
        return text
    return Refused(f"{text!r} is not a processing id", "use P, D or T")


def _word(text: str) -> object:
    if re.fullmatch(r"[A-Za-z0-9-]{1,40}", text):
        return text
    return Refused(f"{text!r} is not one word")


def _rate(text: str) -> object:
    if _DECIMAL.fullmatch(text) and float(text):
        return float(text)
    return Refused(f"{text!r} is not a rate", "write messages per second, as 50 or 0.5")


def _percent(text: str) -> object:
    digits = text.removesuffix("%")
    if text.endswith("%") and _DECIMAL.fullmatch(digits) and float(digits):
        return float(digits) / 100
    return Refused(f"{text!r} is not a share", "write it like 50%")


def _hours(text: str) -> object:
    found = _HOURS.fullmatch(text)
    if found is None or (found[3] == "24" and found[4] != "00"):
        return Refused(f"{text!r} are not hours", 'write them like "07:00-19:00"')
    first = int(found[1]) * 60 + int(found[2])
    return first, int(found[3]) * 60 + int(found[4])


def read_zone(text: str) -> object:
    """Return a zone of the IANA database."""
    try:
        return ZoneInfo(text)
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        pass
    except KeyError:
        pass
    return Refused(f"{text!r} is not a time zone", "write it like America/Detroit")


def read_path(text: str) -> object:
    """Return an HL7 path that names a field."""
    try:
        path = (
            parse_path(text)
            if len(text) <= len("ABC[9999]-999[9999].999.999")
            else None
        )
    except ParseError:
        path = None
    if path is None or not path.field:
        return Refused(f"{text!r} is not an HL7 path", path_hint(text), "CH210")
    return path


def path_hint(text: str) -> str:
    """Return what to write instead of something that looks like a path."""
    dotted = re.fullmatch(r"([A-Za-z][A-Za-z0-9]{2}(?:\[\d+\])?)[.-](\d+.*)", text)
    if dotted and dotted[2].count(".") < 3:  # noqa: PLR2004 - leaf depth
        better = f"{dotted[1].upper()}-{dotted[2]}"
        fixed = "; interop check --fix does it for you" if "." in text[3:4] else ""
        return f"write {better}{fixed}"
    return "write it like PID-5.1"


def read_python(text: str) -> object:
    """Return the call a ``python:`` key names."""
    if not _PYTHON.fullmatch(text):
        return Refused(
            f"{text!r} is not a Python step", "write module:function", "CH150"
        )
    module, _, function = text.partition(":")
    return PythonCall(module if function else "", function or module)


def _file(text: str) -> object:
    if not text or text.startswith("/") or "\\" in text or _CONTROL.search(text):
        return Refused(
            f"{text!r} is not a file of this project", "write it from the config folder"
        )
    if ".." in text.split("/"):
        return Refused("a file must lie inside the config folder", "leave out '..'")
    return text


def _folder(text: str) -> object:
    if not text or _CONTROL.search(text):
        return Refused(f"{text!r} is not a folder")
    if ".." in text.split("/"):
        return Refused("a folder must not contain '..'", "write the whole path")
    return text


NAME: Final = Kind("name", _name, "adt-main", "ADT main", _NAME)
TEXT: Final = Kind("text", _text, "General Hospital", "")
SENTENCE: Final = Kind("text", _sentence, "only ADT and ORU", " ")
WORD: Final = Kind("word", _word, "auto", "two words")
TEAM: Final = Kind("team", _name, "interfaces", "The Team", _NAME, "teams")
CONTACT: Final = Kind("contact", _name, "oncall", "On Call", _NAME, "contacts")
CREDENTIAL: Final = Kind(
    "credential", _name, "fhir-backend", "Fhir Backend", _NAME, "credentials"
)
TLS_PROFILE: Final = Kind("TLS profile", _name, "his-mtls", "His mTLS", _NAME, "tls")
PORT: Final = Kind("port", _port, "2575", "99999", r"\d{1,5}")
COUNT: Final = Kind("number", _count, "3", "three", r"\d{1,12}")
COUNT_OR_UNLIMITED: Final = Kind(
    "number or unlimited", _count_or_unlimited, "unlimited", "ever"
)
NUMBER: Final = Kind("number", read_number, "100", "many", r"\d{1,12}")
BOOLEAN: Final = Kind("boolean", read_boolean, "true", "yes", "true|false")
DURATION: Final = Kind(
    "duration", read_span, "30s", "30 seconds", r"\d{1,9}(ms|s|m|h|d)"
)
SIZE: Final = Kind("size", _size, "64MB", "64 megabytes", r"\d{1,9}(B|KB|MB|GB)")
ADDRESS: Final = Kind("address", _address, "127.0.0.1", "everywhere")
NETWORK: Final = Kind("network", _network, "10.0.0.0/8", "10.0.0")
HOST: Final = Kind("host", _host, "his.hospital.example", "his host")
URL: Final = Kind("URL", _url, "https://fhir.hospital.example/r4", "fhir server")
URL_PATH: Final = Kind("URL path", _url_path, "/adt/main", "adt")
CHARSET: Final = Kind("table 0211 name", _charset, "8859/1", "Latin One")
CHARSET_OR_MESSAGE: Final = Kind(
    "table 0211 name", _charset_or_message, "from-message", "Latin One"
)
HL7_VERSION: Final = Kind("HL7 version", _version, "2.5.1", "3.0")
MESSAGE_TYPE: Final = Kind("message type", _message_type, "ORU^R01", "oru")
SENDER: Final = Kind("sender", _sender, "LAB/GENERAL", "LAB")
PROCESSING_ID: Final = Kind("processing id", _processing_id, "P", "X")
RATE: Final = Kind("rate", _rate, "50", "fast")
PERCENT: Final = Kind("share", _percent, "50%", "half")
HOURS: Final = Kind("hours", _hours, "07:00-19:00", "7 to 19")
ZONE: Final = Kind("IANA zone", read_zone, "America/Detroit", "Detroit time")
HL7_PATH: Final = Kind("path", read_path, "PID-5.1", "PID.5.1")
PATH_KEY: Final = Kind("path to text", _text, "DOE", "")
PYTHON: Final = Kind("Python step", read_python, "notes:merge", "merge()")
FILE: Final = Kind("file", _file, "tests/adt_a01.hl7", "../secret")
FOLDER: Final = Kind("folder", _folder, "in/lab", "in/../../etc")
GLOB: Final = Kind("glob", _sentence, "*.hl7", " ")
PATH_TEMPLATE: Final = Kind("path template", _folder, "out/{message.id}.hl7", "a/../b")

CONDITION: Final = ExpressionKind(Type.BOOLEAN)
TEXT_VALUE: Final = ExpressionKind(Type.TEXT)
IDENTIFIER_TEXT: Final = ExpressionKind(Type.TEXT, loop="identifier")
IDENTIFIER_CONDITION: Final = ExpressionKind(Type.BOOLEAN, loop="identifier")
DESTINATION_CONDITION: Final = ExpressionKind(Type.BOOLEAN, "destination")
DESTINATION_TEXT: Final = ExpressionKind(Type.TEXT, "destination")
ERROR_CONDITION: Final = ExpressionKind(Type.BOOLEAN, "error")

BY_TYPE: Final[dict[object, Kind]] = {
    bool: BOOLEAN,
    int: NUMBER,
    timedelta: DURATION,
    ZoneInfo: ZONE,
    Path: HL7_PATH,
    PythonCall: PYTHON,
}
"""The kind of a field whose annotation says no other."""
