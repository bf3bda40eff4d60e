"""The ways into and out of a channel, as frozen values and as a table of keys."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from engine.channels.format import kinds

DOCUMENT_TEMPLATE = Literal["ccd", "discharge-summary", "progress-note", "unstructured"]
SUMMARIES = frozenset({"ccd", "discharge-summary"})
"""Templates about a person; the others are about one message's note."""

ON_EXISTS = Literal["replace", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepalive:
    """How a silent peer is found to be dead."""

    idle: Annotated[timedelta, "quiet time before the first probe"] = timedelta(
        seconds=60
    )
    every: Annotated[timedelta, "time between probes"] = timedelta(seconds=10)
    tries: Annotated[int, "probes without an answer"] = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpSource:
    """``source.mllp``: a listener. Sizes are bytes."""

    host: Annotated[
        str, kinds.ADDRESS, "listen address; anything wider needs tls written out"
    ] = "127.0.0.1"
    port: Annotated[int, kinds.PORT, "listen port"]
    tls: Annotated[str, kinds.TLS_PROFILE, "profile of interop.toml, or none"] = "none"
    allow: Annotated[
        tuple[str, ...], kinds.NETWORK, "peers that may connect; empty means any"
    ] = ()
    max_size: Annotated[int, kinds.SIZE, "largest message"] = 64 * 1024 * 1024
    max_connections: Annotated[int, "connections at a time"] = 100
    frame_timeout: Annotated[timedelta, "longest time for one frame"] = timedelta(
        seconds=60
    )
    idle_timeout: Annotated[
        timedelta | Literal["never"], "when a quiet connection is closed"
    ] = "never"
    ack: Annotated[
        Literal["accepted", "processed", "delivered"],
        "when the positive acknowledgment is sent",
    ] = "accepted"
    ack_mode: Annotated[
        Literal["from-message", "original", "enhanced"], "MSH-15/16 decide, or fixed"
    ] = "from-message"
    ack_wait: Annotated[
        timedelta, "longest wait for processed or delivered; then AE"
    ] = timedelta(seconds=20)
    mode: Annotated[Literal["r1", "r2"], "r2: commit acknowledgments by block"] = "r1"
    frame_end: Annotated[
        Literal["lenient", "strict"], "lenient takes an end block without CR"
    ] = "lenient"
    eb_wait: Annotated[timedelta, "how long to wait for that CR"] = timedelta(seconds=2)
    max_junk: Annotated[
        int, kinds.SIZE, "bytes outside frames before the peer is closed"
    ] = 64 * 1024
    accept_missing_sb: Annotated[bool, "take frames without a start block"] = False
    preauth_idle: Annotated[timedelta, "close a peer that never sent a frame"] = (
        timedelta(seconds=60)
    )
    keepalive: Annotated[Keepalive, "how dead peers are found"] = Keepalive()
    user_timeout: Annotated[timedelta, "data in flight without an answer"] = timedelta(
        seconds=30
    )
    ack_write_timeout: Annotated[timedelta, "a peer that does not read its answers"] = (
        timedelta(seconds=60)
    )
    enhanced_empty: Annotated[
        Literal["AL", "NE", "ER", "SU"], "empty MSH-15 or MSH-16 in enhanced mode"
    ] = "NE"
    on_storage_failure: Annotated[
        Literal["silent", "nak"] | None,
        "journal cannot commit; when not set: silent (original), nak (enhanced)",
    ] = None
    storage_failure_close: Annotated[
        timedelta, "silence before the connection is closed then"
    ] = timedelta(seconds=5)
    acknowledge_application_acks: Annotated[
        bool, "answer acknowledgments that ask for it in MSH-15"
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """``source.file``: a folder that is looked at again and again."""

    path: Annotated[str, kinds.FOLDER, "folder; allowed folders are in interop.toml"]
    pattern: Annotated[str, kinds.GLOB, "files taken"] = "*.hl7"
    every: Annotated[timedelta, "time between looks"] = timedelta(seconds=5)
    after: Annotated[
        Literal["move", "delete"], "what happens to a file once it is journaled"
    ] = "move"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSource:
    """``source.http``: what is posted to the node's HTTP listener."""

    path: Annotated[str, kinds.URL_PATH, "path on the listener"]
    credential: Annotated[str, kinds.CREDENTIAL, "who may post"]
    takes: Annotated[
        Literal["messages", "patients"],
        "HL7 v2 and C-CDA, or FHIR Patients (ITI-104) below the path",
    ] = "messages"


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirDestination:
    """``fhir``: a FHIR R4 server."""

    url: Annotated[str, kinds.URL, "base of the server"]
    mode: Annotated[
        Literal["transaction", "batch", "single", "message"],
        "one Bundle for all, or the resources one by one",
    ] = "transaction"
    credential: Annotated[str, kinds.CREDENTIAL, "credentials of interop.toml"] = ""
    tls: Annotated[str, kinds.TLS_PROFILE, "profile of interop.toml"] = "system"
    timeout: Annotated[timedelta, "longest wait for an answer"] = timedelta(seconds=30)
    validate: Annotated[
        Literal["always", "sampled", "off"], "output gate before sending"
    ] = "sampled"
    on_invalid: Annotated[Literal["error", "warn"], "what an invalid resource does"] = (
        "error"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CdaDestination:
    """``cda``: a C-CDA document, written to ``path`` or posted to ``url``."""

    ONE_OF: ClassVar = ("path", "url")
    template: Annotated[DOCUMENT_TEMPLATE, "document type"]
    path: Annotated[str, kinds.PATH_TEMPLATE, "file it is written to"] = ""
    url: Annotated[str, kinds.URL, "address it is posted to"] = ""
    credential: Annotated[str, kinds.CREDENTIAL, "credentials of interop.toml"] = ""
    tls: Annotated[str, kinds.TLS_PROFILE, "profile of interop.toml"] = "system"
    timeout: Annotated[timedelta, "longest wait for an answer"] = timedelta(seconds=30)
    validate: Annotated[
        Literal["error", "warn", "off"], "checks of the document, and [cda] rules"
    ] = "error"
    on_exists: Annotated[ON_EXISTS, "a file that is there already"] = "replace"
    package: Annotated[
        Literal["none", "xdm"], "the document alone, or in a zip file of XDM"
    ] = "none"
    make: Annotated[
        Literal["with-message", "on-order", "daily"], "what causes a summary"
    ] = "with-message"
    at: Annotated[str, kinds.TIME_OF_DAY, "time of the daily round"] = "02:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpDestination:
    """``mllp``: another HL7 v2 system."""

    host: Annotated[str, kinds.HOST, "host name or address"]
    port: Annotated[int, kinds.PORT, "port"]
    tls: Annotated[str, kinds.TLS_PROFILE, "profile of interop.toml, or none"] = "none"
    connections: Annotated[int, "connections at a time"] = 1
    ack_timeout: Annotated[timedelta, "longest wait for the acknowledgment"] = (
        timedelta(seconds=30)
    )
    app_ack_timeout: Annotated[
        timedelta, "enhanced mode: wait for the application acknowledgment"
    ] = timedelta(minutes=10)
    charset: Annotated[str, kinds.CHARSET, "written charset; as received"] = ""
    version: Annotated[str, kinds.HL7_VERSION, "written version; as received"] = ""
    unrepresentable: Annotated[
        Literal["error", "escape", "transliterate"],
        "a character the charset cannot hold",
    ] = "error"
    document: Annotated[
        DOCUMENT_TEMPLATE | None,
        "a C-CDA document inside MDM^T02, not the message",
    ] = None
    pix_updates: Annotated[
        tuple[str, ...],
        kinds.TEXT,
        "A31 on each change of a person's numbers in these domains, not the message",
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDestination:
    """``file``: a file for each message."""

    path: Annotated[str, kinds.PATH_TEMPLATE, "where it is written"]
    format: Annotated[Literal["hl7", "fhir-json", "fhir-ndjson"], "what is written"] = (
        "hl7"
    )
    on_exists: Annotated[ON_EXISTS, "a file that is there already"] = "replace"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpDestination:
    """``http``: the edited message, or what was made of it, posted to an address."""

    url: Annotated[str, kinds.URL, "address it is posted to"]
    format: Annotated[Literal["hl7", "fhir-json"], "what is posted"] = "hl7"
    credential: Annotated[str, kinds.CREDENTIAL, "credentials of interop.toml"] = ""
    tls: Annotated[str, kinds.TLS_PROFILE, "profile of interop.toml"] = "system"
    timeout: Annotated[timedelta, "longest wait for an answer"] = timedelta(seconds=30)
