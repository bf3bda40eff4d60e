"""A channel as frozen values, and at the same time the table of its keys.

Every field is a key of the channel file (``max_size`` is ``max-size``); its annotation
holds the kind of its value where the Python type does not say it, and the sentence that
explains it. Loader, JSON Schema and reference are made from these classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, ClassVar, Literal
from zoneinfo import ZoneInfo

from engine.channels.format import kinds
from engine.channels.format.alerts import Alert
from engine.channels.format.endpoints import (
    CdaDestination,
    FhirDestination,
    FileDestination,
    FileSource,
    HttpDestination,
    HttpSource,
    MllpDestination,
    MllpSource,
)
from engine.channels.format.expectations import ChannelTest
from engine.hl7 import Path
from engine.transforms.code_tables import CodeTable
from engine.transforms.edits import Step
from engine.transforms.expressions import Expression
from engine.transforms.fhir_rows import MapRow
from engine.transforms.scope import PythonCall

OnFailure = Literal["park", "continue", "stop"]
"""What waits behind a failure: this person, nothing, or everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hl7Options:
    """``source.hl7``: how the bytes of this feed are read."""

    version: Annotated[str, kinds.HL7_VERSION, "used when MSH-12 is empty"] = "2.5.1"
    charset: Annotated[
        str, kinds.CHARSET_OR_MESSAGE, "table 0211 name, or what MSH-18 says"
    ] = "from-message"
    charset_fallback: Annotated[
        str, kinds.CHARSET, "when MSH-18 is empty and the bytes are not valid UTF-8"
    ] = "8859/1"
    profile: Annotated[
        Literal["lenient", "strict"],
        "strict rejects what the version dictionary does not know; lenient notes it",
    ] = "lenient"
    types: Annotated[
        tuple[str, ...], kinds.MESSAGE_TYPE, "message types taken; empty means any"
    ] = ()
    trusted: Annotated[
        tuple[str, ...],
        kinds.SENDER,
        "senders taken, as MSH-3/MSH-4; empty means any",
    ] = ()
    on_charset_mismatch: Annotated[
        Literal["flag", "quarantine"], "bytes that are not what MSH-18 says"
    ] = "flag"
    control_characters: Annotated[
        Literal["flag", "reject"], "characters below 0x20 inside a message"
    ] = "flag"
    nul_bytes: Annotated[Literal["accept", "reject"], "NUL inside a message"] = "accept"
    accept_without_control_id: Annotated[bool, "take messages without MSH-10"] = False
    processing_ids: Annotated[
        tuple[str, ...], kinds.PROCESSING_ID, "MSH-11 values taken"
    ] = ("P",)
    sequence_protocol: Annotated[bool, "use the sequence numbers of MSH-13"] = False
    fragment_timeout: Annotated[
        timedelta, "longest wait for the next fragment of a message (DSC)"
    ] = timedelta(minutes=10)
    batch_count_mismatch: Annotated[
        Literal["hold", "deliver"], "a batch whose count is not what its trailer says"
    ] = "hold"
    batch_ack: Annotated[
        Literal["all", "errors", "none"], "which messages of a batch are acknowledged"
    ] = "all"
    split_multi_msh: Annotated[
        bool, "several MSH in one frame become several messages"
    ] = False
    max_segments: Annotated[int, "segments in one message"] = 100_000
    max_repetitions: Annotated[int, "repetitions in one message"] = 1_000_000
    max_field: Annotated[
        int | None, kinds.SIZE, "bytes in one field; as max-size when not set"
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """``source.duplicate``: when a message is the same message again."""

    key: Annotated[
        tuple[Path, ...], "fields that make a message the same; peer and listener too"
    ] = (Path("MSH", field=3), Path("MSH", field=4), Path("MSH", field=10))
    within: Annotated[timedelta, "how long a message is remembered"] = timedelta(days=7)
    same_content: Annotated[
        Literal["acknowledge-again", "accept"], "the same message again"
    ] = "acknowledge-again"
    new_content: Annotated[
        Literal["accept-and-flag", "reject"], "the same key with other content"
    ] = "accept-and-flag"
    ignore: Annotated[tuple[Path, ...], "fields left out of the content hash"] = (
        Path("MSH", field=7),
        Path("MSH", field=13),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """``source``: exactly one way in, and how its bytes are read."""

    ONE_OF: ClassVar = ("mllp", "file", "http")
    mllp: Annotated[MllpSource | None, "HL7 v2 over MLLP"] = None
    file: Annotated[FileSource | None, "files in a folder"] = None
    http: Annotated[HttpSource | None, "messages posted over HTTP"] = None
    hl7: Annotated[Hl7Options, "how the bytes are read"] = Hl7Options()
    duplicate: Annotated[Duplicates, "messages that come twice"] = Duplicates()

    @property
    def kind(self) -> str:
        """``mllp``, ``file`` or ``http``."""
        return "mllp" if self.mllp else "file" if self.file else "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One filter rule: exactly one of ``keep``, ``drop`` and ``python``."""

    ONE_OF: ClassVar = ("keep", "drop", "python")
    name: Annotated[str, kinds.SENTENCE, "stored with each message it drops"]
    when: Annotated[
        Expression | None, kinds.CONDITION, "the rule applies only then"
    ] = None
    keep: Annotated[
        Expression | None, kinds.CONDITION, "false: the message is filtered"
    ] = None
    drop: Annotated[
        Expression | None, kinds.CONDITION, "true: the message is filtered"
    ] = None
    python: Annotated[
        PythonCall | None, "module:function that returns True to keep"
    ] = None
    line: Annotated[str, kinds.PLACE] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierRule:
    """Where identifiers of the person stand, and who assigned them."""

    from_: Annotated[Path, "field whose repetitions are identifiers, as PID-3[*]"]
    system: Annotated[
        Expression | None, kinds.TEXT_VALUE, "assigning authority as a URI"
    ] = None
    when: Annotated[
        Expression | None, kinds.CONDITION, "take the repetition only then"
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDoubt:
    """What happens to the message while a person decides."""

    duplicate: Annotated[
        Literal["provisional", "hold"], "one person, two records in the same system"
    ] = "provisional"
    overlap: Annotated[
        Literal["provisional", "hold"], "one person, records in two systems"
    ] = "provisional"
    overlay: Annotated[
        Literal["provisional", "hold"], "a record overwritten with another person"
    ] = "hold"
    conflicting_merge: Annotated[
        Literal["provisional", "hold"], "a merge notice against what is known"
    ] = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """``identity``: how the person of a message is found."""

    match: Annotated[bool, "false: no person is looked up"] = True
    model: Annotated[str, kinds.MODEL, "matching model in identity.yaml"] = "default"
    identifiers: Annotated[
        tuple[IdentifierRule, ...], "identifiers and their assigning authority"
    ] = ()
    unknown_authority: Annotated[
        Literal["register", "hold"], "an authority without a row in its code table"
    ] = "register"
    traits: Annotated[
        Mapping[str, Expression], kinds.TEXT_VALUE, "trait to expression, site quirks"
    ] = field(default_factory=dict)
    merge_events: Annotated[
        Literal["apply", "review"], "A18, A34, A40, A24, A37 and relatives"
    ] = "apply"
    on_doubt: Annotated[OnDoubt, "doubts about who the person is"] = OnDoubt()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """``retry.attempts``: tries by failure class; None means unlimited."""

    transient: Annotated[
        int | None, kinds.COUNT_OR_UNLIMITED, "refused, reset, timeout, HTTP 5xx"
    ] = None
    ambiguous: Annotated[int, kinds.COUNT, "an answer that belongs to nothing"] = 3
    not_now: Annotated[int, kinds.COUNT, "an answer that means: try later"] = 10
    permanent: Annotated[int, kinds.COUNT, "refused for what the message says"] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """``retry``: when a failed delivery is tried again."""

    backoff: Annotated[Literal["exponential", "fixed"], "how the wait grows"] = (
        "exponential"
    )
    first: Annotated[timedelta, "first wait"] = timedelta(seconds=1)
    max: Annotated[timedelta, "longest wait"] = timedelta(minutes=5)
    jitter: Annotated[bool, "spread the waits at random"] = True
    attempts: Annotated[Attempts, "tries by failure class"] = Attempts()
    not_now: Annotated[
        Literal["wait", "skip"], "whether the lane waits for a not-now delivery"
    ] = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRule:
    """One ``on-error`` rule: how an entry of the error queue is labelled."""

    when: Annotated[
        Expression | None, kinds.ERROR_CONDITION, "first rule that is true applies"
    ] = None
    label: Annotated[str, kinds.TEXT, "name for filters and counts"] = ""
    assign: Annotated[str, kinds.TEAM, "team of interop.toml"] = ""
    on_failure: Annotated[OnFailure | None, "overrides the destination's"] = None
    retry_every: Annotated[timedelta | None, "try failed entries again by itself"] = (
        None
    )
    due: Annotated[timedelta | None, "when the entry counts as overdue"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One destination: exactly one way out, and what happens when it fails."""

    ONE_OF: ClassVar = ("fhir", "cda", "mllp", "file", "http")
    name: Annotated[str, kinds.NAME, "unique in the channel"]
    when: Annotated[
        Expression | None, kinds.DESTINATION_CONDITION, "messages it receives"
    ] = None
    fhir: Annotated[FhirDestination | None, "a FHIR server"] = None
    cda: Annotated[CdaDestination | None, "C-CDA documents"] = None
    mllp: Annotated[MllpDestination | None, "HL7 v2 over MLLP"] = None
    file: Annotated[FileDestination | None, "files"] = None
    http: Annotated[HttpDestination | None, "messages posted over HTTP"] = None
    edit: Annotated[tuple[Step, ...], "steps on this destination's own copy"] = ()
    order_key: Annotated[
        Expression | None, kinds.DESTINATION_TEXT, "lane within the destination"
    ] = None
    retry: Annotated[Retry, "when a failed delivery is tried again"] = Retry()
    on_failure: Annotated[OnFailure, "what waits behind a failed delivery"] = "park"
    on_error: Annotated[tuple[ErrorRule, ...], "labels in the error queue"] = ()
    on_identity_change: Annotated[
        Literal["send", "ignore"], "whether identity decisions send corrections"
    ] = "send"
    rate: Annotated[
        float | None, kinds.RATE, "messages per second; unlimited when not set"
    ] = None
    simulate: Annotated[bool, "render and count, but send nothing"] = False
    line: Annotated[str, kinds.PLACE] = ""

    @property
    def kind(self) -> str:
        """``fhir``, ``cda``, ``mllp``, ``file`` or ``http``; ``""`` while unread."""
        ways = ("fhir", "cda", "mllp", "file", "http")
        return next((way for way in ways if getattr(self, way) is not None), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """``query``: the channel answers queries from the index."""

    answer: Annotated[tuple[Literal["pix", "pdq"], ...], "profiles answered"]
    domains: Annotated[tuple[str, ...], kinds.TEXT, "domains answered for"] = ()
    max_results: Annotated[int, "persons in one answer"] = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ZElement:
    """``map-options.z``: the extension one Z field becomes."""

    url: Annotated[str, kinds.URL, "URL of the extension"]
    type: Annotated[str, kinds.WORD, "FHIR type of its value"] = "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSwitches:
    """``map-options``: switches of the built-in map for this feed."""

    update: Annotated[
        Literal["snapshot", "partial"],
        "a server gets the whole resource as known, or what the message says of it",
    ] = "snapshot"
    snapshot: Annotated[
        tuple[Literal["AL1", "DG1", "IN1", "NK1", "PR1"], ...],
        "segments whose lists an event replaces",
    ] = ()
    text_lines: Annotated[Literal["join", "separate"], "lines of text results"] = "join"
    a04_status: Annotated[
        Literal["auto", "planned", "in-progress"], "encounter status of A04"
    ] = "auto"
    merge: Annotated[Literal["link", "linkage"], "what a merge becomes"] = "link"
    source_message: Annotated[
        Literal["none", "reference", "inline"], "how the source message is kept"
    ] = "reference"
    documents: Annotated[
        Literal["inline", "binary"], "where a document over 24 kB goes"
    ] = "inline"
    identifier: Annotated[str, kinds.WORD, "identifier type that keys Patient"] = "MR"
    profile: Annotated[Literal["none", "us-core"], "profile of the resources"] = "none"
    unknown_trigger: Annotated[
        Literal["refuse", "nearest"], "trigger events outside the map"
    ] = "refuse"
    z: Annotated[Mapping[str, ZElement], "Z field to the extension it becomes"] = field(
        default_factory=dict
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """``retention``: how long content and search data are kept; None is the node's."""

    content: Annotated[timedelta | None, "message bodies"] = None
    metadata: Annotated[timedelta | None, "search data"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel, checked and compiled. Everything it needs is in it."""

    ONE_OF: ClassVar = ("destinations", "query")
    name: Annotated[str, kinds.NAME, kinds.Key("channel"), "identity of the channel"]
    title: Annotated[str, kinds.TEXT, "shown in lists; the name when empty"] = ""
    owner: Annotated[str, kinds.TEXT, "team or address answering for it"] = ""
    tags: Annotated[tuple[str, ...], kinds.TEXT, "filters and access rules"] = ()
    defaults: Annotated[str, kinds.FILE, "file with shared values"] = ""
    start: Annotated[
        Literal["automatic", "manual"], "whether a new channel starts by itself"
    ] = "automatic"
    time_zone: Annotated[
        ZoneInfo | None, "for times without offset; the node's when not set"
    ] = None
    on_failure: Annotated[OnFailure, "what waits behind a failure in processing"] = (
        "park"
    )
    retention: Annotated[Retention, "how long messages are kept"] = Retention()
    source: Annotated[Source, "where messages come from"]
    filter: Annotated[tuple[Rule, ...], "which messages are kept"] = ()
    edit: Annotated[tuple[Step, ...], "changes before mapping"] = ()
    map: Annotated[tuple[MapRow, ...], "changes after the built-in map"] = ()
    map_options: Annotated[MapSwitches, "switches of the built-in map"] = MapSwitches()
    identity: Annotated[Identity, "how the person is found"] = Identity()
    destinations: Annotated[tuple[Destination, ...], "where results go"] = ()
    query: Annotated[Query | None, "answer queries instead of delivering"] = None
    alerts: Annotated[tuple[Alert, ...], "when somebody is told"] = ()
    tests: Annotated[tuple[ChannelTest, ...], "messages and what must come out"] = ()
    file: Annotated[str, kinds.PLACE] = ""
    revision: Annotated[str, kinds.PLACE] = ""
    tables: Annotated[Mapping[str, CodeTable], kinds.PLACE] = field(
        default_factory=dict
    )
    environment: Annotated[Mapping[str, str], kinds.PLACE] = field(default_factory=dict)
