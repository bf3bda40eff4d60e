"""Names used twice, rules that never apply, steps that are overwritten."""

from collections.abc import Iterator, Sequence
from typing import Final

from engine.channels.format.cda_site import cda_faults
from engine.channels.format.channel import Destination
from engine.channels.format.endpoints import SUMMARIES, CdaDestination
from engine.channels.format.faults import Fault
from engine.channels.format.nodes import Entries, Items
from engine.channels.format.written import Node, Written
from engine.transforms.expressions import Expression

_NAMED: Final = ("filter", "destinations", "tests")


def one(written: Written, node: Node) -> Iterator[Fault]:
    """Return what has no effect in one channel, or contradicts itself."""
    for key in _NAMED:
        yield from _twice(written, key)
    yield from _filter(written)
    yield from _overwritten(written, ("edit",))
    yield from of_destinations(written, node)


def of_destinations(written: Written, node: Node) -> Iterator[Fault]:
    """Return what of one channel's destinations has no effect, or cannot be."""
    for number, destination in enumerate(written.channel.destinations):
        yield from _on_error(written, number, destination)
        yield from _output(written, number, destination, node)
        yield from _partial(written, number, destination)


def _twice(written: Written, key: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for number, each in enumerate(getattr(written.channel, key)):
        if each.name in seen:
            sentence = f"the name {each.name!r} is used already"
            yield written.fault((key, number, "name"), sentence, "CH300")
        seen.add(each.name)


def _filter(written: Written) -> Iterator[Fault]:
    for number, rule in enumerate(written.channel.filter):
        for key in ("when", "keep", "drop"):
            condition: Expression | None = getattr(rule, key)
            if condition is not None and condition.constant:
                sentence = "this is the same for every message"
                path = ("filter", number, key)
                yield written.fault(path, sentence, "CH350", "", "warning")


def _on_error(
    written: Written, number: int, destination: Destination
) -> Iterator[Fault]:
    rules = destination.on_error
    for position, rule in enumerate(rules[:-1]):
        if rule.when is None:
            path = ("destinations", number, "on-error", position + 1)
            sentence = "no error reaches this rule: the one above takes all"
            hint = "put the rule without when: last"
            yield written.fault(path, sentence, "CH350", hint, "warning")


def _output(
    written: Written, number: int, destination: Destination, node: Node
) -> Iterator[Fault]:
    """Return steps on output that is not HL7 v2, and documents without a site."""
    path = ("destinations", number)
    target = destination.file or destination.http
    makes_hl7 = destination.mllp is not None or (target and target.format == "hl7")
    if destination.edit and not makes_hl7:
        sentence = "only HL7 v2 output can be edited here"
        yield written.fault(
            (*path, "edit"), sentence, "CH350", "use the channel's map:"
        )
    document = destination.cda
    if document is not None and document.make != "with-message":
        yield from _ordered(written, path, document)
    carries = destination.mllp is not None and destination.mllp.document is not None
    if destination.cda is not None or carries:
        faults = cda_faults(node.settings, node.tables)
        if faults:
            hint = "set it in interop.toml"
            yield written.fault(
                (*path, destination.kind), "; ".join(faults), "CH400", hint
            )


def _partial(
    written: Written, number: int, destination: Destination
) -> Iterator[Fault]:
    """Return destinations that cannot be asked what they have before they are told."""
    if written.channel.map_options.update != "partial":
        return
    server, place = destination.fhir, destination.file or destination.http
    path: tuple[str | int, ...] = ("destinations", number, destination.kind)
    if server is not None and server.mode == "message":
        hint = "write mode: transaction, batch or single; or a channel of its own"
        yield written.fault((*path, "mode"), _NOT_ASKED, "CH351", hint)
    elif place is not None and place.format != "hl7":
        hint = "write format: hl7, or give this destination a channel of its own"
        yield written.fault((*path, "format"), _NOT_ASKED, "CH351", hint)


_NOT_ASKED: Final = (
    "map-options: update: partial changes what a server already has; "
    "this destination cannot be asked for it"
)


def _ordered(
    written: Written, path: tuple[str | int, ...], document: CdaDestination
) -> Iterator[Fault]:
    """Return documents on order that are about a message, or about nobody known."""
    place = (*path, "cda", "make")
    if document.template not in SUMMARIES:
        sentence = f"{document.template} is about one message, and made with it"
        yield written.fault(place, sentence, "CH350", "leave make: out")
    elif not written.channel.identity.match:
        sentence = "a summary on order is about a person, and no persons are matched"
        yield written.fault(place, sentence, "CH350", "leave match: false out")


def _overwritten(written: Written, path: tuple[str | int, ...]) -> Iterator[Fault]:
    """Return ``set`` steps whose place the next step sets again."""
    node = written.node(*path)
    steps: Sequence[object] = node.items if isinstance(node, Items) else ()
    before = ""
    for number, step in enumerate(steps):
        target = _set_without_condition(step)
        if target and target == before:
            sentence = f"the step above sets {target} for nothing"
            yield written.fault((*path, number), sentence, "CH350", "", "warning")
        before = target


def _set_without_condition(step: object) -> str:
    if not isinstance(step, Entries) or "when" in step.items or "set" not in step.items:
        return ""
    value = step.items["to"][1] if "to" in step.items else None
    target = getattr(step.items["set"][1], "text", "")
    return "" if target in getattr(value, "text", "") else target
