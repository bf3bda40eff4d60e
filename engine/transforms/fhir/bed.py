"""NPU: what state a bed is in.

Spec:
    fhir.md section 3 (ADT A20). The guide has no map for NPU.
"""

from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.places import place


def map_bed(conversion: Conversion, npu: Node) -> None:
    """Add the Location of NPU-1 with the status of NPU-2; it updates a known one."""
    source = npu.first(1) if npu.has(1) else None
    entry = place(conversion, npu, source, npu.text(2)) if source else None
    if entry is None:
        npu.leave(1)
        npu.leave(2)
    else:
        entry.method = "PUT"
