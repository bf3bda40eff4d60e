"""The loss report: every populated field is taken by a mapper or listed here.

Spec:
    fhir.md section 8.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from engine.transforms.fhir.conversion import Conversion

NO_HOME: Final = "no-fhir-home"
CONTEXT: Final = "context"
CHOICE: Final = "not-mapped-by-choice"

REASONS: Final[Mapping[tuple[str, int], str]] = MappingProxyType(
    {
        **{("MSH", field): CONTEXT for field in (12, 13, 14, 15, 16, 18, 20, 21)},
        ("OBR", 28): CHOICE,
        **{("RGS", field): CONTEXT for field in (1, 2, 3)},
    }
)
"""Why single fields are left out, where it is not for want of a FHIR element."""

SEGMENT_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("MFI", "MFE"), CONTEXT),
        **dict.fromkeys(("DSC", "ADD", "QRD", "QRF"), CONTEXT),
        **dict.fromkeys(("ACC", "UB1", "UB2", "GOL", "CON"), CHOICE),
    }
)
"""Why whole segments are left out."""


def account(conversion: Conversion) -> None:
    """List what no mapper took; what several of them list is told once."""
    listed = {loss.path for loss in conversion.mapped.losses}
    for node in conversion.tree.nodes:
        for field in node.untaken():
            if node.path(field) not in listed:
                conversion.lose(node, field, reason(node.id, field))
    conversion.mapped.losses = list(dict.fromkeys(conversion.mapped.losses))


def reason(segment_id: str, field: int) -> str:
    """Return why a field that no mapper takes is not in the resources."""
    if segment_id.startswith("Z"):
        return "z-segment"
    found = REASONS.get((segment_id, field))
    return found or SEGMENT_REASONS.get(segment_id, NO_HOME)
