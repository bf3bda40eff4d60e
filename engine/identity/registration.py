"""What a message says about its patients, read into values ready to be decided.

Spec:
    identity.md 1 and 8; HL7 v2.9 chapter 3, MRG and the trigger events named there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from engine.errors import TransformError
from engine.hl7 import Finding, Message, Segment
from engine.hl7.datatypes import Hd
from engine.hl7.timestamps import read_timestamp
from engine.identity.confidentiality import is_alias, is_confidential
from engine.identity.index import Identifier
from engine.identity.traits import TEST_NAMES, Kind, Traits, traits_of


class Category(StrEnum):
    """The kinds of task in the mismatch queue."""

    DUPLICATE = "duplicate"
    OVERLAP = "overlap"
    OVERLAY = "overlay"
    CONFLICTING_MERGE = "conflicting-merge"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the channel wants done with doubts and with merge notices."""

    holds: frozenset[Category] = frozenset(
        {Category.OVERLAY, Category.CONFLICTING_MERGE}
    )
    applies_merges: bool = True


class NoticeKind(StrEnum):
    """What a sender says about two numbers."""

    MERGE = "merge"
    LINK = "link"
    UNLINK = "unlink"
    CHANGE = "change"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class Notice:
    """A merge, link, move or change of identifier that the sender tells us.

    ``prior`` are the numbers of MRG, or of the second PID of a link.
    """

    kind: NoticeKind
    prior: tuple[Identifier, ...]


@dataclass(frozen=True, slots=True)
class Registration:
    """What one PID segment says about one patient.

    ``minted`` is the enterprise identifier a new person will get; ``happened`` is UTC,
    ``YYYYMMDDHHMMSS``. ``fills_only`` marks messages (results, orders) that may
    complete traits but not change them. ``also`` are further patients of the message.
    ``confidential`` is None where the message says nothing of it. ``keys`` are the
    block keys of the traits where they were made beforehand.
    """

    identifiers: tuple[Identifier, ...]
    traits: Traits
    minted: str
    event: str = ""
    happened: str = ""
    control_id: str = ""
    message: int = 0
    fills_only: bool = False
    notice: Notice | None = None
    policy: Policy = Policy()
    also: tuple["Registration", ...] = ()
    confidential: bool | None = None
    keys: tuple[int, ...] = ()


class Assigner(NamedTuple):
    """One row of the code table ``assigning-authority``.

    ``key`` is the URI where one is known; ``type`` the identifier type that numbers of
    this authority have where CX.5 is empty.
    """

    key: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a site's messages are read.

    ``assigners`` are found by namespace, OID and URI. Unknown authorities are
    registered, or refused where ``refuses_unknown`` says so. ``vip_codes`` are values
    of PV1-16 that make a person confidential.
    """

    assigners: Mapping[str, Assigner] = field(default_factory=dict)
    refuses_unknown: bool = False
    test_names: tuple[str, ...] = TEST_NAMES
    policy: Policy = Policy()
    vip_codes: tuple[str, ...] = ()


class Intake(NamedTuple):
    """The patients of a message, None without a PID, and what was odd about them."""

    registration: Registration | None
    findings: tuple[Finding, ...] = ()


_NOTICES: Final = MappingProxyType(
    dict.fromkeys(("A18", "A34", "A36", "A39", "A40"), NoticeKind.MERGE)
    | dict.fromkeys(("A30", "A31", "A46", "A47"), NoticeKind.CHANGE)
    | {"A43": NoticeKind.MOVE, "A24": NoticeKind.LINK, "A37": NoticeKind.UNLINK}
)
_REMOVES: Final = "A29"
_PAIRS: Final = frozenset({NoticeKind.LINK, NoticeKind.UNLINK})
_NOT_OF_ONE_PERSON: Final = frozenset(
    {"SS", "AN", "VN", "BA", "CC", "DL", "MA", "MB", "MC", "PPN", "SN"}
)
"""Types of table 0203 that are accounts, visits or often shared: never a record key."""


def registration_of(
    message: Message, reading: Reading, mint: Callable[[], str], number: int = 0
) -> Intake:
    """Return who a message is about, each patient with the notice that came with it.

    Args:
        message: any message; one without PID has nobody.
        reading: the site's authorities and policy.
        mint: gives an enterprise identifier that was never used.
        number: the message's own number in the journal.

    Raises:
        TransformError: an assigning authority is not listed and the site refuses that.
    """
    findings: list[Finding] = []
    header = message.segments[0]
    kind = _NOTICES.get(message.trigger_event)
    informs = message.message_type == "ADT"
    happened = _happened(message)
    removed = informs and message.trigger_event == _REMOVES
    read = [
        Registration(
            _numbers(message, pid, (3, 2), reading, findings)
            or (Identifier(header.text(4), "message", message.control_id),),
            _traits(about, happened, reading, removed=removed),
            mint(),
            f"{message.message_type}^{message.trigger_event}",
            happened,
            message.control_id,
            number,
            not informs,
            _notice(message, kind, prior, reading, findings),
            reading.policy,
            confidential=is_confidential(about, reading.vip_codes),
        )
        for about, prior in _groups(message)
        for pid in about[:1]
    ]
    if not read:
        return Intake(None)
    if kind in _PAIRS and len(read) > 1 and informs:
        read[0] = replace(read[0], notice=Notice(kind, read[1].identifiers))
    if len(read) > 1:
        read[0] = replace(read[0], also=tuple(read[1:]))
    return Intake(read[0], tuple(findings))


def _groups(message: Message) -> list[tuple[list[Segment], Segment | None]]:
    """Return the segments of each patient, from PID on, with the MRG among them."""
    found: list[tuple[list[Segment], Segment | None]] = []
    for segment in message.segments:
        if segment.id == "PID":
            found.append(([segment], None))
        elif found:
            about, prior = found[-1]
            about.append(segment)
            found[-1] = (about, segment if segment.id == "MRG" else prior)
    return found


def _traits(
    about: Sequence[Segment], happened: str, reading: Reading, *, removed: bool
) -> Traits:
    """Return the traits of a patient; an alias of a confidential one says nothing."""
    traits = traits_of(about[0], happened, reading.test_names)
    if removed:
        return traits._replace(kind=Kind.REMOVED)
    if is_alias(about[0]) and is_confidential(about, reading.vip_codes):
        return traits._replace(kind=Kind.UNIDENTIFIED)
    return traits


def _notice(
    message: Message,
    kind: NoticeKind | None,
    mrg: Segment | None,
    reading: Reading,
    findings: list[Finding],
) -> Notice | None:
    if kind is None or kind in _PAIRS or mrg is None or message.message_type != "ADT":
        return None
    prior = _numbers(message, mrg, (1, 4), reading, findings)
    return Notice(kind, prior) if prior else None


def _numbers(
    message: Message,
    segment: Segment,
    fields: tuple[int, ...],
    reading: Reading,
    findings: list[Finding],
) -> tuple[Identifier, ...]:
    """Return the identifiers of the first field that has any, each once."""
    repetitions = next(filter(None, map(segment.repetitions, fields)), [])
    found: dict[Identifier, None] = {}
    for each in repetitions:
        value, kind = each.text().strip(), each.text(5).strip().upper()
        if not value or kind in _NOT_OF_ONE_PERSON:
            continue
        named = Hd.within(each.sub(4)) if each.text(4) or each.text(4, 2) else Hd()
        assigner = _assigner(message, named, reading, findings)
        found[Identifier(assigner.key, kind or assigner.type or "MR", value)] = None
    return tuple(found)


def _assigner(
    message: Message, named: Hd, reading: Reading, findings: list[Finding]
) -> Assigner:
    """Return the authority of a number; an empty one is the sender's own, MSH-4."""
    names = [named.namespace, named.universal_id]
    if not any(names):
        names = [message["MSH-4"], message["MSH-4.2"]]
    for name in names:
        if name and name in reading.assigners:
            return reading.assigners[name]
    key = next(filter(None, names), "")
    if reading.refuses_unknown:
        sentence = f"the assigning authority {key!r} is not in the code table"
        raise TransformError(sentence, "unknown-authority")
    findings.append(Finding("unknown_authority", "PID-3.4", key))
    return Assigner(key)


def _happened(message: Message) -> str:
    """Return when the event was: EVN-2, else MSH-7; ``""`` where neither is a time."""
    event = message.first("EVN")
    for text in (event.text(2) if event else "", message.segments[0].text(7)):
        if len(text) == len("YYYYMMDDHHMMSS") and text.isdigit():
            return text
        found = read_timestamp(text)
        if found is not None:
            return found.instant().strftime("%Y%m%d%H%M%S")
    return ""
