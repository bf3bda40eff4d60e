"""The kinds of value a channel file may hold: how each is read, refused and shown."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from engine.channels.format import readings
from engine.hl7 import Path
from engine.transforms.scope import PythonCall, Type


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
    """An expression: the type it must give, and the place whose names it may use.

    Without a place it is the one around it.
    """

    type: Type = Type.ANY
    place: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """The name of a key where it is not the name of the field."""

    name: str


@dataclass(frozen=True, slots=True)
class NotAKey:
    """Marks a field the loader fills itself."""


PLACE: Final = NotAKey()

_NAME: Final = r"[a-z][a-z0-9-]{1,62}"
_name: Final = readings.matching(
    _NAME,
    "a name",
    "use 2 to 63 small letters, digits and dashes, beginning with a letter",
)
_CHARSETS: Final = frozenset(
    {"ASCII", "UNICODE", "UNICODE UTF-8", "UTF-8", "ISO IR6", "ISO IR14", "ISO IR87",
     "ISO IR159", "GB 18030-2000", "KS X 1001", "CNS 11643-1992", "BIG-5"}
    | {f"8859/{part}" for part in (*range(1, 10), 15)}
)  # fmt: skip
"""HL7 table 0211."""
_CHARSET_HINT: Final = "use ASCII, UNICODE UTF-8, 8859/1 to 8859/9 or 8859/15"
_VERSIONS: Final = (
    "2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8",
    "2.8.1", "2.8.2", "2.9",
)  # fmt: skip

NAME: Final = Kind("name", _name, "adt-main", "ADT main", _NAME)
TEXT: Final = Kind("text", readings.as_written, "General Hospital", "")
SENTENCE: Final = Kind(
    "text",
    readings.matching(r"[\s\S]*\S[\s\S]*", "a text", "write a few words"),
    "only ADT and ORU",
    " ",
)
TEAM: Final = Kind("team", _name, "interfaces", "The Team", _NAME, "teams")
CONTACT: Final = Kind("contact", _name, "oncall", "On Call", _NAME, "contacts")
CREDENTIAL: Final = Kind(
    "credential", _name, "fhir-backend", "Fhir Backend", _NAME, "credentials"
)
TLS_PROFILE: Final = Kind("TLS profile", _name, "his-mtls", "His mTLS", _NAME, "tls")
MODEL: Final = Kind("matching model", _name, "default", "The Model", _NAME, "models")
PORT: Final = Kind("port", readings.port, "2575", "99999", r"\d{1,5}")
COUNT: Final = Kind("number", readings.number_from(0), "3", "three", r"\d{1,12}")
COUNT_OR_UNLIMITED: Final = Kind(
    "number or unlimited", readings.number_from(0, "unlimited"), "unlimited", "ever"
)
NUMBER: Final = Kind("number", readings.number_from(1), "100", "many", r"\d{1,12}")
BOOLEAN: Final = Kind("boolean", readings.boolean, "true", "yes", "true|false")
DURATION: Final = Kind(
    "duration", readings.duration, "30s", "30 seconds", r"\d{1,9}(ms|s|m|h|d|y)"
)
SIZE: Final = Kind(
    "size", readings.size, "64MB", "64 megabytes", r"\d{1,9}(B|KB|MB|GB)"
)
ADDRESS: Final = Kind("address", readings.address, "127.0.0.1", "everywhere")
NETWORK: Final = Kind("network", readings.network, "10.0.0.0/8", "10.0.0")
HOST: Final = Kind("host", readings.host, "his.hospital.example", "his host")
URL: Final = Kind(
    "URL", readings.url, "https://fhir.hospital.example/r4", "fhir server"
)
URL_PATH: Final = Kind(
    "URL path",
    readings.matching(
        r"(/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99})+", "a URL path", "write it like /adt"
    ),
    "/adt/main",
    "adt",
)
CHARSET: Final = Kind(
    "table 0211 name",
    readings.one_of(_CHARSETS, "a character set of table 0211", _CHARSET_HINT),
    "8859/1",
    "Latin One",
)
CHARSET_OR_MESSAGE: Final = Kind(
    "table 0211 name",
    readings.one_of(
        _CHARSETS | {"from-message"}, "a character set of table 0211", _CHARSET_HINT
    ),
    "from-message",
    "Latin One",
)
HL7_VERSION: Final = Kind(
    "HL7 version",
    readings.one_of(_VERSIONS, "an HL7 v2 version", "use 2.1 to 2.9, as in 2.5.1"),
    "2.5.1",
    "3.0",
)
MESSAGE_TYPE: Final = Kind(
    "message type",
    readings.matching(
        r"[A-Z]{3}(\^[A-Z0-9]{3})?", "a message type", "write ADT or ORU^R01"
    ),
    "ORU^R01",
    "oru",
)
SENDER: Final = Kind(
    "sender",
    readings.matching(
        r"[^/]*/[^/]*", "a sender", "write MSH-3/MSH-4, as in LAB/GENERAL"
    ),
    "LAB/GENERAL",
    "LAB",
)
PROCESSING_ID: Final = Kind(
    "processing id",
    readings.one_of(("P", "D", "T"), "a processing id", "use P, D or T"),
    "P",
    "X",
)
SEGMENT: Final = Kind(
    "segment",
    readings.matching(r"[A-Z][A-Z0-9]{2}", "a segment", "write it like PID or ZPD"),
    "PID",
    "Patient",
    "[A-Z][A-Z0-9]{2}",
)
WORD: Final = Kind(
    "word",
    readings.matching(r"[A-Za-z0-9-]{1,40}", "one word", "use letters and digits"),
    "MR",
    "two words",
)
SCORE: Final = Kind("bits", readings.score, "-6", "high", r"-?\d{1,3}(\.\d{1,3})?")
RATE: Final = Kind("rate", readings.rate, "50", "fast")
PERCENT: Final = Kind("share", readings.share, "50%", "half")
PERCENT_OR_NONE: Final = Kind("share", readings.share_or_none, "0%", "half")
HOURS: Final = Kind("hours", readings.hours, "07:00-19:00", "7 to 19")
TIME_OF_DAY: Final = Kind("time of day", readings.time_of_day, "02:00", "two")
ZONE: Final = Kind("IANA zone", readings.zone, "America/Detroit", "Detroit time")
HL7_PATH: Final = Kind("path", readings.hl7_path, "PID-5.1", "PID.5.1")
TARGET: Final = Kind("path", readings.target_path, "PID-5.1", "PID.5.1")
FIELD: Final = Kind("field", readings.field_path, "PID-3", "PID-3.1")
LOOP: Final = Kind("segment or FIELD[*]", readings.loop, "OBX", "obx")
NEW_FIELD: Final = Kind("field number", readings.new_field, "4", "four")
WIDTH: Final = Kind(
    "number", readings.number_from(1, highest=1000), "10", "wide", r"\d{1,4}"
)
LETTER: Final = Kind(
    "character", readings.matching(r"[\s\S]", "one character", "write one"), "0", "00"
)
SEPARATOR: Final = Kind(
    "text", readings.matching(r"[\s\S]+", "a separator", 'write it like ";"'), ";", ""
)
POLICY: Final = Kind("on-missing", readings.policy, 'default("U")', "ignore")
TABLE: Final = Kind("code table", readings.as_written, "sex", "", "", "tables")
FHIR_PATH: Final = Kind(
    "FHIR path", readings.fhir_path, "Patient.birthDate", "Patient.brithDate"
)
FHIR_TYPE: Final = Kind("resource type", readings.fhir_type, "Flag", "Flagg")
PYTHON: Final = Kind("Python step", readings.python_step, "notes:merge", "merge()")
FILE: Final = Kind("file", readings.project_file, "tests/adt_a01.hl7", "../secret")
FOLDER: Final = Kind("folder", readings.folder, "in/lab", "in/../../etc")
GLOB: Final = Kind(
    "glob",
    readings.matching(r"[A-Za-z0-9_.*?-]{1,100}", "a glob", "write it like *.hl7"),
    "*.hl7",
    "a/b",
)
PATH_TEMPLATE: Final = Kind(
    "path template", readings.folder, "out/{message.id}.hl7", "a/../b"
)

CONDITION: Final = ExpressionKind(Type.BOOLEAN)
TEXT_VALUE: Final = ExpressionKind(Type.TEXT)
DESTINATION_CONDITION: Final = ExpressionKind(Type.BOOLEAN, "destination")
DESTINATION_TEXT: Final = ExpressionKind(Type.TEXT, "destination")
ERROR_CONDITION: Final = ExpressionKind(Type.BOOLEAN, "error")

BY_TYPE: Final[dict[object, Kind]] = {
    str: TEXT,
    bool: BOOLEAN,
    int: NUMBER,
    timedelta: DURATION,
    ZoneInfo: ZONE,
    Path: HL7_PATH,
    PythonCall: PYTHON,
}
"""The kind of a field whose annotation says no other."""
