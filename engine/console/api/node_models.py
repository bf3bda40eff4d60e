"""How the API shows the node, its channels, and what became of a tried message."""

from datetime import datetime

from engine.console.api.models import Shown


class Channel(Shown):
    """One channel: what it is set to, what it took, what became of it, what waits."""

    channel: str
    title: str
    owner: str
    tags: list[str]
    destinations: list[str]
    revision: str
    state: str
    received: int
    processed: int
    filtered: int
    held: int
    error: int
    delivered: int
    waiting: int
    failed: int
    oldest: datetime | None
    last: datetime | None


class Configuration(Shown):
    """A channel's file as it stood in one configuration of a node."""

    number: int
    node: str
    at: datetime
    actor: str
    state: str
    reason: str
    revision: str


class Differing(Shown):
    """One file that differs; lines begin with +, -, @ or a blank.

    Without lines it is only known to differ.
    """

    path: str
    lines: list[str]


class Compared(Shown):
    """What differs for a channel; ``seen`` names its file as it is now."""

    files: list[Differing]
    seen: str


class Process(Shown):
    """One process of one node, and when it last reported."""

    node: str
    role: str
    name: str
    pid: int
    alive: bool
    seen_at: datetime


class Need(Shown):
    """What needs a person: how many entries of a kind, and the oldest."""

    kind: str
    count: int
    oldest: datetime | None


class Status(Shown):
    """How the engine stands; ``metrics`` is where Prometheus reads."""

    at: datetime
    site: str
    last_hour: int
    parked: int
    waiting: int
    needs: list[Need]
    processes: list[Process]
    warnings: list[str]
    metrics: str = "/metrics"


class Reached(Shown):
    """What came of connecting to a destination, in one sentence."""

    ok: bool
    says: str


class Part(Shown):
    """One part of a trial: ``changes`` are path, before, after and note."""

    stage: str
    name: str
    line: str
    result: str
    milliseconds: float | None
    said: str
    changes: list[tuple[str, str, str, str]]


class Output(Shown):
    """One document that would be sent; ``form`` is FHIR, CDA or HL7."""

    form: str
    destination: str
    text: str
    faults: list[str]


class Fault(Shown):
    """What is wrong with a tried message, where, and what may help."""

    sentence: str
    place: str
    hint: str
    row: int


class Trial(Shown):
    """What would become of a message; nothing was sent or stored.

    ``refused`` says why there was no trial: the configuration is wrong, with its
    ``faults``, or it took too long.
    """

    refused: str = ""
    faults: tuple[str, ...] = ()
    state: str = ""
    reason: str = ""
    code: str = ""
    acknowledgment: str = ""
    identity: str = ""
    parts: tuple[Part, ...] = ()
    outputs: tuple[Output, ...] = ()
    problems: tuple[Fault, ...] = ()
    lost: tuple[tuple[str, str], ...] = ()
