"""The templates we assert, each with the ids that its readers look for.

A template that existed in R1.1 is asserted by its root alone and by root and version;
five carry a third id for the Companion Guide.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from engine.transforms.ccda.elements import Element

_P: Final = "2.16.840.1.113883.10.20.22."
_2014: Final = "2014-06-09"
_2015: Final = "2015-08-01"


@dataclass(frozen=True, slots=True)
class Template:
    """One template: root, version or ``""``, version of the Companion Guide or ``""``.

    ``alone`` tells whether the root stands by itself too, for readers of R1.1.
    """

    root: str
    version: str = _2015
    guide: str = ""
    alone: bool = True

    def pairs(self, *, companion_guide: bool) -> list[tuple[str, str]]:
        """Return (root, extension) for each id to assert."""
        found = [(self.root, "")] if self.alone else []
        if self.version:
            found.append((self.root, self.version))
        if self.guide and companion_guide:
            found.append((self.root, self.guide))
        return found

    @cache  # noqa: B019 - the templates are the constants below and live as long as it
    def ids(self, *, companion_guide: bool) -> tuple[Element, ...]:
        """Return the ``templateId`` elements; they are shared and never changed."""
        return tuple(
            Element("templateId", {"root": root, "extension": extension}, [])
            if extension
            else Element("templateId", {"root": root}, [])
            for root, extension in self.pairs(companion_guide=companion_guide)
        )


US_REALM_HEADER: Final = Template(f"{_P}1.1", guide="2023-05-01")
CCD: Final = Template(f"{_P}1.2")
DISCHARGE_SUMMARY: Final = Template(f"{_P}1.8")
PROGRESS_NOTE: Final = Template(f"{_P}1.9")
UNSTRUCTURED: Final = Template(f"{_P}1.10")

ALLERGIES_OPTIONAL: Final = Template(f"{_P}2.6")
ALLERGIES: Final = Template(f"{_P}2.6.1")
MEDICATIONS: Final = Template(f"{_P}2.1.1", _2014)
PROBLEMS: Final = Template(f"{_P}2.5.1")
RESULTS: Final = Template(f"{_P}2.3.1")
VITAL_SIGNS: Final = Template(f"{_P}2.4.1")
SOCIAL_HISTORY: Final = Template(f"{_P}2.17")
PROCEDURES: Final = Template(f"{_P}2.7.1", _2014)
IMMUNIZATIONS: Final = Template(f"{_P}2.2.1")
ENCOUNTERS: Final = Template(f"{_P}2.22.1")
PLAN: Final = Template(f"{_P}2.10", _2014)
HOSPITAL_COURSE: Final = Template("1.3.6.1.4.1.19376.1.5.3.1.3.5", "")
DISCHARGE_DIAGNOSES: Final = Template(f"{_P}2.24")
ADMISSION_DIAGNOSES: Final = Template(f"{_P}2.43")
DISCHARGE_MEDICATIONS: Final = Template(f"{_P}2.11.1")
ASSESSMENT: Final = Template(f"{_P}2.8", "")
ASSESSMENT_AND_PLAN: Final = Template(f"{_P}2.9", _2014)
NOTES: Final = Template(f"{_P}2.65", "2016-11-01", alone=False)

RESULT_ORGANIZER: Final = Template(f"{_P}4.1", guide="2023-05-01")
RESULT: Final = Template(f"{_P}4.2", guide="2023-05-01")
PROBLEM_CONCERN: Final = Template(f"{_P}4.3")
PROBLEM: Final = Template(f"{_P}4.4", guide="2022-06-01")
ALLERGY: Final = Template(f"{_P}4.7", _2014)
SEVERITY: Final = Template(f"{_P}4.8", _2014)
REACTION: Final = Template(f"{_P}4.9", _2014)
PROCEDURE: Final = Template(f"{_P}4.14", _2014, guide="2022-06-01")
MEDICATION: Final = Template(f"{_P}4.16", _2014)
MEDICATION_INFORMATION: Final = Template(f"{_P}4.23", _2014)
VITAL_SIGNS_ORGANIZER: Final = Template(f"{_P}4.26")
VITAL_SIGN: Final = Template(f"{_P}4.27", _2014)
ALLERGY_CONCERN: Final = Template(f"{_P}4.30")
DISCHARGE_DIAGNOSIS: Final = Template(f"{_P}4.33")
ADMISSION_DIAGNOSIS: Final = Template(f"{_P}4.34")
DISCHARGE_MEDICATION: Final = Template(f"{_P}4.35", "2016-03-01")
PLANNED_ENCOUNTER: Final = Template(f"{_P}4.40", _2014)
PLANNED_PROCEDURE: Final = Template(f"{_P}4.41", _2014)
PLANNED_OBSERVATION: Final = Template(f"{_P}4.44", _2014)
ENCOUNTER: Final = Template(f"{_P}4.49")
IMMUNIZATION: Final = Template(f"{_P}4.52")
REFUSAL_REASON: Final = Template(f"{_P}4.53", "")
IMMUNIZATION_INFORMATION: Final = Template(f"{_P}4.54", _2014)
SMOKING_STATUS: Final = Template(f"{_P}4.78", _2014)
ENCOUNTER_DIAGNOSIS: Final = Template(f"{_P}4.80")
AUTHOR_PARTICIPATION: Final = Template(f"{_P}4.119", "")
CRITICALITY: Final = Template(f"{_P}4.145", "")
NOTE: Final = Template(f"{_P}4.202", "2016-11-01", alone=False)

KNOWN: Final = {
    value.root: value for value in tuple(globals().values()) if type(value) is Template
}
"""Every template above by its root."""
