"""What each destination is sent: resources to a Bundle, a document or HL7 v2.

One function for each kind of destination; each returns the documents a message gives
it, mostly one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from engine.channels.format.channel import Destination
from engine.channels.format.endpoints import FhirDestination, MllpDestination
from engine.channels.processing.documents import carriers, cda
from engine.channels.processing.outgoing import encoded
from engine.channels.processing.rendering import (
    FHIR_JSON,
    FHIR_NDJSON,
    HL7,
    Rendered,
    Work,
)
from engine.channels.processing.validation import bundle_faults
from engine.errors import TransformError
from engine.hl7 import Finding, Message
from engine.transforms.edits import run_steps
from engine.transforms.fhir.binaries import by_reference
from engine.transforms.fhir.bundle import (
    collection,
    message_bundle,
    transaction,
    write_json,
)
from engine.transforms.fhir.checks import check
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.us_core import hints


def render(destination: Destination, work: Work) -> list[Rendered]:
    """Return what this destination is sent for one message.

    Raises:
        TransformError: it cannot be made, or the output gate refuses it.
    """
    return _RENDERERS[destination.kind](destination, work)


def _fhir(destination: Destination, work: Work) -> list[Rendered]:
    assert destination.fhir is not None
    bundle = _bundle(
        destination.fhir, work.entries(), work.persons.site, work.documents
    )
    content = write_json(bundle)
    always = destination.fhir.validate == "always"
    looked = always or (destination.fhir.validate == "sampled" and work.sampled)
    if always:
        _gate(destination, work, bundle, content)
    elif looked:
        work.sample.look(lambda: _gate(destination, work, bundle, content))
    work.gates.append((destination.name, looked))
    return [Rendered(content, FHIR_JSON, f"Bundle {work.names['message.id']}")]


def _bundle(
    wanted: FhirDestination, entries: Sequence[Entry], site: str, documents: str
) -> Element:
    """Return entries as a server takes them.

    A message holds its documents itself: its receiver need not store anything.
    """
    if wanted.mode == "message":
        return message_bundle(entries)
    if documents == "binary":
        entries = by_reference(entries, site)
    bundle = transaction(entries)
    if wanted.mode == "batch":
        bundle["type"] = "batch"
    return bundle


def bundle_of(
    destination: Destination, entries: Sequence[Entry], site: str, documents: str
) -> Rendered:
    """Return a transaction of our own, held against R4 where the destination says so.

    Raises:
        TransformError: it is not valid.
    """
    assert destination.fhir is not None
    bundle = _bundle(destination.fhir, entries, site, documents)
    if destination.fhir.validate == "always" and (faults := check(bundle)):
        raise TransformError(
            f"the Bundle is not valid R4: {faults[0].path}: {faults[0].text}",
            "fhir-invalid",
        )
    return Rendered(write_json(bundle), FHIR_JSON, "Bundle of corrections")


def _gate(
    destination: Destination, work: Work, bundle: Element, content: bytes
) -> None:
    """Refuse or flag a Bundle that is not valid R4; sentences carry no values."""
    assert destination.fhir is not None
    work.findings += hints(work.profile, work.entries())
    faults = [f"{found.path}: {found.text}" for found in check(bundle)]
    faults += bundle_faults(content)
    if not faults:
        return
    if destination.fhir.on_invalid == "error":
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        sentence = f"the Bundle is not valid R4: {faults[0]}{more}"
        raise TransformError(sentence + _written(faults, work), "fhir-invalid")
    work.findings += [Finding("fhir-invalid", "", fault) for fault in faults]


def _written(faults: Sequence[str], work: Work) -> str:
    """Return which rows of the channel wrote to what is not valid, if any did."""
    wrote = work.prepared.context.wrote
    kinds = dict.fromkeys(fault.partition(":")[0].partition(".")[0] for fault in faults)
    found = [f"{kind} by {', '.join(wrote[kind])}" for kind in kinds if kind in wrote]
    return f"; rows wrote to {', '.join(found)}" if found else ""


def _mllp(destination: Destination, work: Work) -> list[Rendered]:
    assert destination.mllp is not None
    if destination.mllp.pix_updates:
        return []
    if destination.mllp.document is None:
        messages = [work.prepared.message]
    else:
        messages = carriers(destination, work)
    return [
        _sent(_edited(destination, work, message), destination.mllp)
        for message in messages
    ]


def _sent(message: Message, wanted: MllpDestination) -> Rendered:
    if wanted.version:
        message.segments[0].put(12, wanted.version)
    content = encoded(message, wanted.charset, wanted.unrepresentable)
    return Rendered(content, HL7, message.control_id)


def _file(destination: Destination, work: Work) -> list[Rendered]:
    assert destination.file is not None
    name = work.path(destination.file.path)
    return [replace(_formatted(destination, work, destination.file.format), name=name)]


def _http(destination: Destination, work: Work) -> list[Rendered]:
    assert destination.http is not None
    return [_formatted(destination, work, destination.http.format)]


def _formatted(destination: Destination, work: Work, written: str) -> Rendered:
    if written == "hl7":
        message = _edited(destination, work, work.prepared.message)
        return Rendered(message.encode(), HL7)
    if written == "fhir-ndjson":
        lines = [write_json(entry.resource) for entry in work.entries()]
        return Rendered(b"\n".join([*lines, b""]), FHIR_NDJSON)
    return Rendered(write_json(collection(work.entries())), FHIR_JSON)


def _edited(destination: Destination, work: Work, message: Message) -> Message:
    """Return this destination's copy of a message, with its own steps done."""
    if not destination.edit:
        return message
    context = replace(work.prepared.context, message=message.copy(), misses=[])
    if (verdict := run_steps(destination.edit, context)) is not None:
        raise TransformError(verdict.reason, "edit-ended")
    work.prepared.context.misses.extend(context.misses)
    return context.message


_RENDERERS: Final[Mapping[str, Callable[[Destination, Work], list[Rendered]]]] = (
    MappingProxyType(
        {"fhir": _fhir, "cda": cda, "mllp": _mllp, "file": _file, "http": _http}
    )
)
