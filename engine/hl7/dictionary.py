"""Names, data types, tables and structures of every HL7 v2 version, 2.1 to 2.8.2.

The content is hl7apy's; a version is loaded when it is first asked for. Asking about
something the standard does not define is not an error: the answer is empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from types import MappingProxyType
from typing import Final, cast

VERSIONS: Final = (
    "2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.8.1",
    "2.8.2",
)  # fmt: skip
DEFAULT_VERSION: Final = "2.5.1"
MANY: Final = -1
"""The maximum of what may repeat without end."""

_WITHOUT_DICTIONARY: Final[Mapping[str, str]] = MappingProxyType(
    {"2.9": "2.8.2", "2.9.1": "2.8.2", "2.7.1": "2.7"}
)
_SHARED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ADT_A01": "A04 A08 A13",
        "ADT_A05": "A14 A28 A31",
        "ADT_A06": "A07",
        "ADT_A09": "A10 A11",
        "ADT_A21": "A22 A23 A25 A26 A27 A29 A32 A33",
        "ADT_A30": "A34 A35 A36 A46 A47 A48 A49",
        "ADT_A39": "A40 A41 A42",
        "ADT_A43": "A44",
        "ADT_A50": "A51",
        "ADT_A52": "A53",
        "ADT_A54": "A55",
        "ADT_A61": "A62",
        "MDM_T01": "T03 T05 T07 T09 T11",
        "MDM_T02": "T04 T06 T08 T10",
        "PEX_P07": "P08",
        "PGL_PC6": "PC7 PC8",
        "PPG_PCG": "PCH PCJ",
        "PPR_PC1": "PC2 PC3",
        "RDE_O11": "O25",
        "REF_I12": "I13 I14 I15",
        "RPA_I08": "I09 I10 I11",
        "RQA_I08": "I09 I10 I11",
        "RQI_I01": "I02 I03",
        "SIU_S12": "S13 S14 S15 S16 S17 S18 S19 S20 S21 S22 S23 S24 S26",
        "SRM_S01": "S02 S03 S04 S05 S06 S07 S08 S09 S10 S11",
    }
)
"""HL7 table 0354: the events that share the structure of another."""
_STRUCTURES: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        (structure[:3], event): structure
        for structure, events in _SHARED.items()
        for event in events.split()
    }
)


@dataclass(frozen=True, slots=True)
class Definition:
    """What the standard says about one field or component.

    ``table`` is four digits or empty; ``maximum`` is `MANY` for "as often as you like".
    """

    number: int
    name: str
    data_type: str
    table: str
    required: bool
    maximum: int


@dataclass(frozen=True, slots=True)
class Part:
    """A segment, or a group with its ``parts``, in a message structure."""

    name: str
    minimum: int
    maximum: int
    parts: tuple["Part", ...] = ()


def is_known_version(version: str) -> bool:
    """Whether HL7 published such a version, 2.9 included."""
    return version in VERSIONS or version in _WITHOUT_DICTIONARY


def edition(version: str) -> str:
    """Return the version whose dictionary answers for ``version``.

    Examples:
        >>> edition("2.4"), edition("2.9"), edition("2.99")
        ('2.4', '2.8.2', '2.5.1')
    """
    if version in VERSIONS:
        return version
    return _WITHOUT_DICTIONARY.get(version, DEFAULT_VERSION)


@lru_cache(maxsize=4096)
def fields(segment: str, version: str) -> Mapping[int, Definition]:
    """Return the fields of a segment by number; empty for a Z or unknown segment.

    Examples:
        >>> fields("PID", "2.5.1")[3].name
        'Patient Identifier List'
    """
    return _definitions(_rows("Segment", version).get(segment))


@lru_cache(maxsize=4096)
def components(data_type: str, version: str) -> Mapping[int, Definition]:
    """Return the components of a data type by number; empty for a simple one.

    Examples:
        >>> components("CX", "2.5.1")[4].name
        'Assigning Authority'
    """
    parts = _rows("Datatypes_Structs", version).get(data_type)
    return _definitions(("sequence", parts) if parts else None)


@lru_cache(maxsize=512)
def table(number: str, version: str) -> tuple[str, frozenset[str]]:
    """Return name and codes of an HL7 table; no codes where a site defines them.

    Examples:
        >>> table("0001", "2.5.1")[0]
        'Administrative Sex'
    """
    found = _rows("Table", version).get(f"HL7{number}", ("", ()))
    name, codes = cast("tuple[str, tuple[str, ...]]", found)
    return name, frozenset(codes)


def is_known_segment(segment: str, version: str) -> bool:
    """Whether the version defines the segment."""
    return bool(fields(segment, version))


def segments(version: str) -> frozenset[str]:
    """Return the names of the segments that the version defines."""
    return frozenset(_rows("Segment", version))


def structure_of(message_type: str, trigger_event: str, version: str) -> str:
    """Return the message structure for MSH-9.1 and MSH-9.2; ``""`` if there is none.

    Examples:
        >>> structure_of("ADT", "A08", "2.5.1"), structure_of("ACK", "A08", "2.5.1")
        ('ADT_A01', 'ACK')
    """
    known = _rows("Message", version)
    own = f"{message_type}_{trigger_event}"
    shared = _STRUCTURES.get((message_type, trigger_event), own)
    return next((name for name in (shared, own, message_type) if name in known), "")


@lru_cache(maxsize=512)
def structure(name: str, version: str) -> tuple[Part, ...]:
    """Return the segments and groups of a message structure; ``()`` if unknown."""
    return _parts(_rows("Message", version).get(name), version)


def name_of(place: tuple[str, int, int], version: str) -> str:
    """Return what a field, or a component of it, is called; ``""`` if unknown.

    Args:
        place: segment, field and component, which may be 0.
        version: MSH-12.1 of the message.

    Examples:
        >>> name_of(("PID", 5, 2), "2.5.1")
        'Patient Name: Given Name'
    """
    segment, number, component = place
    field = fields(segment, version).get(number)
    if field is None or not component:
        return field.name if field else ""
    part = components(field.data_type, version).get(component)
    return f"{field.name}: {part.name}" if part else field.name


@cache
def _rows(kind: str, version: str) -> Mapping[str, object]:
    module = import_module("hl7apy.v" + edition(version).replace(".", "_"))
    rows: Mapping[str, object] = module.ELEMENTS[kind]
    return rows


def _definitions(row: object) -> Mapping[int, Definition]:
    """Return rows ``(id, (.., .., type, name, table, length), (min, max), kind)``."""
    found: dict[int, Definition] = {}
    for identifier, what, (minimum, maximum), _ in _children(row)[1]:
        if what is not None:
            number = int(identifier.rpartition("_")[2])
            found[number] = Definition(
                number,
                what[3].replace("_", " ").title(),
                what[2],
                (what[4] or "").removeprefix("HL7"),
                minimum > 0,
                maximum,
            )
    return MappingProxyType(found)


def _parts(row: object, version: str) -> tuple[Part, ...]:
    """Return what a message or group consists of; of a choice nothing is required."""
    groups = _rows("Group", version)
    kind, children = _children(row)
    return tuple(
        Part(
            name,
            0 if kind == "choice" else minimum,
            maximum,
            _parts(groups.get(name), version) if what == "GRP" else (),
        )
        for name, _, (minimum, maximum), what in children
    )


_Child = tuple[str, tuple[object, object, str, str, str | None, int] | None,
               tuple[int, int], str]  # fmt: skip


def _children(row: object) -> tuple[str, tuple[_Child, ...]]:
    """Return the kind and the content of an hl7apy row; nothing where it is a leaf."""
    found = cast("tuple[str, tuple[_Child, ...] | None]", row or ("",))
    kind, children, *_ = *found, None
    return kind, (children or () if kind in ("sequence", "choice") else ())
