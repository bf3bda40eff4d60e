"""One message while it is rendered: what is at hand, and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from os.path import normpath
from pathlib import Path
from typing import Final

from engine.channels.format.path_template import fill
from engine.channels.processing.person_patient import Persons
from engine.channels.processing.prepared import Prepared
from engine.channels.processing.sampling import Sample
from engine.channels.processing.view import View
from engine.errors import TransformError
from engine.hl7 import Finding
from engine.store.resources import NewDocument
from engine.transforms.ccda.site import CdaSite
from engine.transforms.fhir.mapped import Entry

HL7: Final = "x-application/hl7-v2+er7"
FHIR_JSON: Final = "application/fhir+json"
FHIR_NDJSON: Final = "application/fhir+ndjson"
CDA_XML: Final = "application/xml"
ZIP: Final = "application/zip"


@dataclass(frozen=True, slots=True)
class Rendered:
    """One document, its media type and what the destination calls it."""

    content: bytes
    content_type: str
    name: str = ""


@dataclass(slots=True)
class Work:
    """One message while it is rendered for its destinations.

    ``names`` are the context names as text, for path templates. ``folder`` is the
    configuration folder, from which relative paths resolve; ``sampled`` messages go
    through the output gate of a destination that takes samples, as ``sample`` says.
    ``ordered`` tells that no message causes the rendering.
    """

    prepared: Prepared
    names: Mapping[str, str]
    person: str
    view: View
    persons: Persons
    folder: Path
    cda: CdaSite | None = None
    sample: Sample = field(default_factory=Sample)
    sampled: bool = False
    profile: str = "none"
    documents: str = "inline"
    ordered: bool = False
    findings: list[Finding] = field(default_factory=list)
    versions: list[NewDocument] = field(default_factory=list)
    gates: list[tuple[str, bool]] = field(default_factory=list)

    def path(self, template: str, **more: str) -> str:
        """Return an absolute file path made of this message, without steps upward.

        Raises:
            TransformError: a placeholder has no value for this message.
        """
        filled = fill(template, {**self.names, **more}, self.prepared.message)
        return normpath(self.folder / filled)

    def entries(self) -> list[Entry]:
        """Return the mapped resources.

        Raises:
            TransformError: the built-in map does not know this trigger.
        """
        if self.prepared.mapped is None:
            raise self.prepared.refusal or TransformError(
                "the message was not mapped", "trigger-not-mapped"
            )
        return self.prepared.mapped.entries
