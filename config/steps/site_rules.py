"""Rules of single sites that no expression can say."""

from engine.hl7 import Message
from engine.transforms.step_context import Resources, StepContext

POINT_OF_CARE = "https://hillside.example/fhir/point-of-care"


def mark_point_of_care(
    resources: Resources, message: Message, context: StepContext
) -> None:
    """Mark the observations of a bedside test (OBX-17 POC)."""
    result = message.segments[context.position]
    if result.text(17) != "POC":
        return
    for each in resources:
        if each["resourceType"] == "Observation" and "valueQuantity" in each:
            mark = {"url": POINT_OF_CARE, "valueBoolean": True}
            known = each.setdefault("extension", [])
            if isinstance(known, list):
                known.append(mark)
