"""The tests a channel file carries, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from engine.channels.format import kinds
from engine.hl7 import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedDelivery:
    """What one destination must have been given."""

    fields: Annotated[Mapping[str, str], kinds.TEXT, "HL7 path to value"] = field(
        default_factory=dict
    )
    contains: Annotated[tuple[str, ...], kinds.TEXT, "texts in the rendered bytes"] = ()
    golden: Annotated[str, kinds.FILE, "file with exactly these bytes"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a channel test expects; what is not written is not compared."""

    status: Annotated[
        Literal["processed", "filtered", "held", "error"] | None, "state it ends in"
    ] = None
    by: Annotated[str, kinds.TEXT, "filter rule that dropped it"] = ""
    ack: Annotated[
        Literal["AA", "AE", "AR", "CA", "CE", "CR"] | None, "acknowledgment code"
    ] = None
    label: Annotated[str, kinds.TEXT, "error label"] = ""
    stage: Annotated[str, kinds.TEXT, "error stage"] = ""
    destinations: Annotated[
        tuple[str, ...] | None, kinds.NAME, "exact set of destinations reached"
    ] = None
    fields: Annotated[Mapping[str, str], kinds.TEXT, "path to value, edited"] = field(
        default_factory=dict
    )
    null_fields: Annotated[tuple[Path, ...], "paths that must be HL7 null"] = ()
    fhir: Annotated[Mapping[str, str], kinds.TEXT, "FHIR path to value"] = field(
        default_factory=dict
    )
    identity: Annotated[
        Literal["new", "linked", "doubt"] | None, "outcome of matching"
    ] = None
    deliveries: Annotated[Mapping[str, ExpectedDelivery], "by destination"] = field(
        default_factory=dict
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTest:
    """One test of a channel: a message in, what must come out."""

    ONE_OF: ClassVar = ("message", "text")
    name: Annotated[str, kinds.SENTENCE, "sentence of behaviour"]
    message: Annotated[str, kinds.FILE, "file with the message"] = ""
    text: Annotated[str, kinds.TEXT, "the message itself"] = ""
    given: Annotated[tuple[str, ...], kinds.FILE, "files processed first"] = ()
    expect: Annotated[Expectation, "what must come out"] = Expectation()
    line: Annotated[str, kinds.PLACE] = ""
