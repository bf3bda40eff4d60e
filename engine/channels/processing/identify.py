"""Who a message is about: what the channel says of identifiers and traits, decided.

Spec:
    channel-format.md 3.4; identity.md 2.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from engine.channels.format.channel import IdentifierRule, Identity
from engine.channels.processing.prepared import Prepared
from engine.errors import ConfigurationError, TransformError
from engine.hl7 import Finding
from engine.identity.cleaning import clean_birth, clean_phone, clean_ssn, plain
from engine.identity.decision import Decision
from engine.identity.index import Identifier, PatientIndex
from engine.identity.notices import decide
from engine.identity.registration import Reading, Registration, registration_of
from engine.identity.traits import Traits
from engine.identity.weights import Model
from engine.transforms.places import holds, settled
from engine.transforms.scope import EditContext, LoopItem

_CLEAN: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "birth": clean_birth,
        "death": clean_birth,
        "phone": clean_phone,
        "ssn": lambda text: clean_ssn(text)[0],
        "sex": lambda text: text.upper() if text.upper() in ("M", "F") else "",
        "email": str.lower,
        "mother": str.strip,
        "multiple": lambda text: text.upper() if text.upper() in ("Y", "N") else "",
        "order": str.strip,
    }
)
"""How a value from an expression becomes a trait; names and addresses go `plain`."""


def check_traits(identity: Identity) -> None:
    """Refuse names in ``identity.traits`` that are no traits.

    Raises:
        ConfigurationError: naming the traits there are.
    """
    known = set(Traits._fields) - {"kind"}
    for name in identity.traits:
        if name.replace("-", "_") not in known:
            listed = ", ".join(sorted(each.replace("_", "-") for each in known))
            raise ConfigurationError(
                f"identity.traits: {name!r} is no trait; traits are {listed}"
            )


def identify(
    prepared: Prepared,
    identity: Identity,
    reading: Reading,
    model: Model,
    index: PatientIndex,
    mint: Callable[[], str],
) -> Decision | None:
    """Return the decision about the message's person; None where there is nobody.

    Raises:
        TransformError: an authority is unknown and the channel refuses that, or a code
            table has no row for one.
    """
    registration = registered(prepared, identity, reading, mint)
    return None if registration is None else decide(registration, index, model)


def registered(
    prepared: Prepared, identity: Identity, reading: Reading, mint: Callable[[], str]
) -> Registration | None:
    """Return whom a message registers; None where there is nobody."""
    if not identity.match:
        return None
    intake = registration_of(prepared.message, reading, mint, prepared.claimed.row.id)
    prepared.context.findings += intake.findings
    if intake.registration is None:
        return None
    return _as_told(intake.registration, identity, prepared.context)


def _as_told(
    registration: Registration, identity: Identity, context: EditContext
) -> Registration:
    """Return the registration with the channel's own identifiers and traits."""
    told = tuple(
        found
        for rule in identity.identifiers
        for found in _identifiers(rule, identity, context)
    )
    traits = {
        name.replace("-", "_"): _trait(name, settled(expression, context))
        for name, expression in identity.traits.items()
    }
    if not told and not traits:
        return registration
    return replace(
        registration,
        identifiers=told or registration.identifiers,
        traits=registration.traits._replace(**traits),
    )


def _identifiers(
    rule: IdentifierRule, identity: Identity, context: EditContext
) -> Iterator[Identifier]:
    for segment in context.message.find(rule.from_)[:1]:
        for number, each in enumerate(segment.positions(rule.from_.field), 1):
            value = each.text().strip()
            context.loops.append(LoopItem(segment, number))
            try:
                if value and holds(rule.when, context):
                    kind = each.text(5).strip().upper() or "MR"
                    namespace = each.text(4) or context.message["MSH-4"]
                    authority = _authority(rule, identity, context) or namespace
                    yield Identifier(authority, kind, value)
            finally:
                context.loops.pop()


def _authority(rule: IdentifierRule, identity: Identity, context: EditContext) -> str:
    """Return what the expression says; ``""`` where no table knows the authority.

    Raises:
        TransformError: no table knows it, and the channel holds such messages.
    """
    if rule.system is None:
        return ""
    found = str(rule.system.evaluate(context) or "")
    if context.stopping is not None:
        context.stopping = None
        found = ""
    if not found and identity.unknown_authority == "hold":
        raise TransformError(
            "the assigning authority is not in the code table", "unknown-authority"
        )
    if not found:
        context.findings.append(Finding("unknown_authority", str(rule.from_)))
    return found


def _trait(name: str, value: object) -> str:
    text = "" if value is None else str(value)
    return _CLEAN.get(name, plain)(text)
