"""What one channel's source takes and how it answers, as plain values."""

from dataclasses import dataclass

from engine.channels.format.channel import Source


@dataclass(frozen=True, slots=True)
class Rules:
    """What one channel's source takes and how it answers, ready for comparison.

    ``types`` and ``trusted`` take anything when they are empty; ``numbered`` is for
    links that agreed on the sequence protocol, ``split`` for blocks of several MSH.
    ``charset`` is the forced set, ``""`` means MSH-18. ``max_field`` is bytes; None: no
    limit of its own.
    """

    frame_end_strict: bool = False
    profile_strict: bool = False
    reject_control_characters: bool = False
    reject_nul_bytes: bool = False
    accept_without_control_id: bool = False
    acknowledge_application_acks: bool = False
    numbered: bool = False
    split: bool = False
    types: frozenset[str] = frozenset()
    trusted: frozenset[tuple[str, str]] = frozenset()
    processing_ids: frozenset[str] = frozenset({"P"})
    ack_mode: str = "from-message"
    enhanced_empty: str = "NE"
    charset: str = ""
    charset_fallback: str = "8859/1"
    quarantine_mismatch: bool = False
    max_segments: int = 100_000
    max_repetitions: int = 1_000_000
    max_field: int | None = None


def rules_of(source: Source) -> Rules:
    """Return what the source of a channel takes, compiled once."""
    options, mllp = source.hl7, source.mllp
    return Rules(
        frame_end_strict=mllp is not None and mllp.frame_end == "strict",
        profile_strict=options.profile == "strict",
        reject_control_characters=options.control_characters == "reject",
        reject_nul_bytes=options.nul_bytes == "reject",
        accept_without_control_id=options.accept_without_control_id,
        acknowledge_application_acks=bool(mllp and mllp.acknowledge_application_acks),
        numbered=options.sequence_protocol,
        split=options.split_multi_msh,
        types=frozenset(options.types),
        trusted=frozenset(_sender(text) for text in options.trusted),
        processing_ids=frozenset(options.processing_ids),
        ack_mode=mllp.ack_mode if mllp else "from-message",
        enhanced_empty=mllp.enhanced_empty if mllp else "NE",
        charset="" if options.charset == "from-message" else options.charset,
        charset_fallback=options.charset_fallback,
        quarantine_mismatch=options.on_charset_mismatch == "quarantine",
        max_segments=options.max_segments,
        max_repetitions=options.max_repetitions,
        max_field=options.max_field,
    )


def _sender(text: str) -> tuple[str, str]:
    application, _, facility = text.partition("/")
    return application.strip(), facility.strip()
