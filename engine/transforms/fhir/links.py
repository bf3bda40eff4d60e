"""A24 and A37: two patients that have to do with one another, or no longer.

Spec:
    fhir.md section 3 and T28.
"""

from engine.transforms.fhir.conversion import Conversion
from engine.transforms.fhir.datatypes import append
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.plan import Link


def map_links(conversion: Conversion) -> None:
    """Link the two patients of a message both ways, or take their links away."""
    patients = conversion.mapped.patients[:2]
    kind = conversion.plan.link
    if kind is Link.NONE or len(patients) < 2:  # noqa: PLR2004 - a link has two ends
        return
    for one, other in (patients, patients[::-1]):
        if kind is Link.REMOVED:
            one.removed["link"] = [{"other": other.reference}]
            continue
        link: Element = {"other": other.reference, "type": "seealso"}
        append(one.resource, "link", link)
