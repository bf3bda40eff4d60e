"""Where decisions of ours differ from the guide's tables, and its misspelt targets.

``interop check-transform`` takes a value as placed where a decision puts it, unless
``--guide-only`` asks for the tables alone.

Spec:
    fhir.md sections 5 and 11; T36 for the errata.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class Choice(NamedTuple):
    """Where the guide wants a value, where we put it, and the rule that says so.

    ``guide`` is a regular expression over ``FIELD Type.path`` or over ``FIELD.COMPONENT
    Type.path``, ``ours`` one over ``Type.path``; ``@`` in it is the first group of
    ``guide``; it is empty where the value is nowhere as such.
    """

    guide: str
    ours: str
    rule: str


_AUTHORITY: Final = r"\S+-\d+\.(?:4|6|9|11)"
"""The component that names who gave a number: of CX, XON, XCN and PL."""

CHOICES: Final = (
    Choice(rf"{_AUTHORITY} Organization\.identifier\.value",
           r"\w+\..*(assigner\.display|\.system)", "T18"),
    Choice(r"TXA-12\.2 Organization\.identifier\.value",
           r"DocumentReference\.\w+\.assigner\.display", "T18"),
    Choice(rf"{_AUTHORITY}\.[23] Organization\.identifier\.(value|type)", "", "T18"),
    Choice(r"MSH-[46]\S* Organization\.identifier\.value",
           r"(Organization\.(identifier\.value|name)|\w+\..*\.system)", "T18"),
    Choice(r"MSH-[46]\.2 Organization\.identifier\.value", "", "T18"),
    Choice(r"MSH-[46]\.3 Organization\.identifier\.type.*",
           r"Organization\.identifier\.type\..*", "T18"),
    Choice(r"\S+ Location\.description", r"Location\.description", "T34"),
    Choice(r"PID-34 Organization\.identifier\.value", "", "section 4, PID"),
    Choice(r"\S+ (.+)\.coding\.system", r"@\.coding\.system", "T21"),
    Choice(r"\S+ Location", r"Location\.name", "T34"),
    Choice(r"\S+ Location\.identifier\.value", r"Location\.(identifier\.value|name)",
           "T34"),
    Choice(r"\S+ Location\.identifier\.(?!value).*", r"Location\..*", "T34"),
    Choice(r"OBX-(?:16|25) PractitionerRole\..*", r"Practitioner\..*", "D09"),
    Choice(r"ORC-12 PractitionerRole\..*", r"Practitioner\..*", "D11"),
    Choice(
        r"PRT-\d+ (?:RelatedPerson|PractitionerRole)\.(.*)", r"Practitioner\.@", "D11"
    ),
    Choice(r"TXA-6 .*", r"DocumentReference\.(date|context\.period\.start)", "D19"),
    Choice(r"PID-23 .*", r"Patient\.extension\.valueAddress\..*", "T27"),
    Choice(r"PV1-(?:3|6|11|42) Basic.*", r"(Location|Encounter)\..*", "section 4, PV1"),
    Choice(r"NK1-\d+ Patient\.contact\..*", r"RelatedPerson\..*", "section 4, NK1"),
    Choice(r"MSH-10 Bundle\..*", r"Provenance\.entity\..*", "T30, T32"),
    Choice(r"MSH-7 Bundle\..*", r"(Provenance|MessageHeader)\..*", "T30, T32"),
    Choice(r"MSH-[56] MessageHeader\..*", r"(Device|Organization)\..*", "section 4"),
    Choice(
        r"AI[GLPS]-3 \w+\..*",
        r"(Practitioner|Location|Appointment)\..*",
        "section 4",
    ),
    Choice(r"ORC-\d+ ServiceRequest\..*", r"Immunization\..*", "section 4, RXA"),
    Choice(r"ORC-4 DiagnosticReport\..*", r"ServiceRequest\.requisition\..*", "D07"),
    Choice(r"OBR-17 ServiceRequest\..*", r"ServiceRequest\.extension\..*", "D07"),
    Choice(r"OBR-\d+ Specimen\..*", r"(DiagnosticReport|ServiceRequest)\..*", "T15"),
    Choice(r"ORC-2[1-4] Location\.(\w+).*", r"Organization\.(identifier|@).*", "D09"),
    Choice(r"NTE-\d+ Observation\.note\.(.*)", r"\w+\.note\.@", "D10"),
    Choice(r"PRT-4 \w+\..*", r"Provenance\.agent\.role\..*", "section 4, PRT"),
    Choice(r"SCH-25 ServiceRequest\.status", r"Appointment\.status", "D18"),
    Choice(r"MSH-7 Provenance\.occurred", r"Provenance\.(recorded|occurred.*)", "T30"),
    Choice(r"EVN-2 Provenance\.recorded", r"Provenance\.occurred.*", "T30"),
    Choice(r"DG1-\d+ EpisodeOfCare\..*", "", "section 4, DG1"),
    Choice(r"\S+ Practitioner\.name\.suffix", r"Practitioner\.qualification\..*",
           "D11"),
    Choice(r"\S+\.10 Organization\.identifier\.value",
           r"Organization\.identifier\.value", "T18"),
    Choice(r"\S+ [\w.]+\.address\.extension\.(url|valueCodeableConcept.*)", "", "T36"),
    Choice(r"PV1-2 Encounter\.class\.(system|display)", r"", "T16"),
    Choice(r"ORC-4 ServiceRequest\.identifier.*", r"ServiceRequest\.requisition.*",
           "D07"),
    Choice(r"SPM-32 Specimen\.identifier\.type.*", r"Specimen\.identifier\.value",
           "T36"),
    Choice(r"IN1-2 Coverage\.identifier\.name", r"Coverage\.identifier\.type\.text",
           "T36"),
    Choice(r"\S+-\d+\.5 Organization\.identifier\.extension\..*", "", "T18"),
    Choice(r"PRT-4 (?:RelatedPerson\.relationship|PractitionerRole\.code)\..*", "",
           "section 4, PRT"),
    Choice(r"\S+ \w+\.name\.family\.extension\.valueCode",
           r"\w+\.name\.extension\.valueCode", "T26"),
    Choice(r"ORC-14 ServiceRequest\..*", r"(PractitionerRole|Organization)\.telecom.*",
           "section 4, RXA"),
    Choice(r"MSH-[35] (?:Device\.identifier|MessageHeader\.source\.endpoint)\..*",
           r"Device\.identifier\.value", "section 4, MSH"),
    Choice(r"OBR-6 ServiceRequest\.occurrenceDateTime",
           r"ServiceRequest\.occurrenceTiming\..*", "section 4, TQ1"),
)  # fmt: skip

SETTINGS: Final = re.compile(
    r"Provenance\.recorded|Provenance\.activity\.coding\.display|Appointment\.participant\.period\.end"
    r"|ServiceRequest\.occurrenceTiming\.repeat\.boundsPeriod\.end|Device\.(deviceName|version|identifier)\..*"
)
"""Places of values that the node's own settings and clock explain."""

CONSTANTS: Final = frozenset(
    ("Advance directive", "Interop Engine", "SNO", "additional", "filler contact",
     "AMB", "AN", "EMER", "IMP", "PRENC", "assembler", "author", "bd", "bu", "enterer",
     "group", "imaging", "laboratory", "lvl", "physical", "placer contact", "ro", "si",
     "text/plain", "transmitter", "VN", "v2-fhir-transformation", "wa")
)  # fmt: skip
"""Words that the built-in map writes and the tables do not."""

ERRATA: Final[Mapping[str, str]] = MappingProxyType(
    {
        "coding.value": "coding.code",
        "content.data": "content.attachment.data",
        "content.contentType": "content.attachment.contentType",
        "valueSampedData": "valueSampledData",
        "occurneceTiming": "occurrenceTiming",
        "payer": "payor",
        "extension.uri": "extension.url",
    }
)
"""Misspelt parts of targets, each with what is meant."""


def corrected(path: str) -> str:
    """Return a path of the tables as it is meant."""
    for wrong, right in ERRATA.items():
        path = re.sub(rf"(?<![\w]){re.escape(wrong)}(?![\w])", right, path)
    return path


def chosen(choices: tuple[Choice, ...], path: str, place: str) -> Iterator[str]:
    """Yield what our decisions allow for a value, as regular expressions.

    ``path`` is its component; most decisions are about its field.

    An empty one means that the value need not be anywhere.
    """
    field = path.partition(".")[0]
    for choice in choices:
        found = re.fullmatch(choice.guide, f"{field} {place}")
        found = found or re.fullmatch(choice.guide, f"{path} {place}")
        if found is not None:
            group = re.escape(found[1] or "") if found.re.groups else ""
            yield choice.ours.replace("@", group)
