"""What a document must hold by its type: one type we write, its header, its sections.

Written apart from the layouts that `document.render` follows, so that a section lost
there is missed here.

Spec:
    cda.md 5, 6 and 13 (V10).
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from engine.transforms.ccda import templates
from engine.transforms.ccda.codes import LOINC
from engine.transforms.ccda.linkage import Node, nodes, strings
from engine.transforms.ccda.templates import Template

_HEADER: Final = (
    *("realmCode", "typeId", "id", "code", "title", "effectiveTime"),
    *("confidentialityCode", "languageCode", "author", "custodian", "component"),
    *(
        f"recordTarget/patientRole/{name}"
        for name in (
            *("id", "addr", "telecom", "patient/name", "patient/birthTime"),
            *("patient/administrativeGenderCode", "patient/raceCode"),
            "patient/ethnicGroupCode",
        )
    ),
)
_CARE: Final = "documentationOf/serviceEvent/effectiveTime"
_VISIT: Final = "componentOf/encompassingEncounter"
_STAY: Final = (f"{_VISIT}/effectiveTime/low", f"{_VISIT}/effectiveTime/high")
_FACILITY: Final = f"{_VISIT}/location/healthCareFacility/id"

_SECTIONS: Final[Mapping[Template, tuple[tuple[Template, ...], ...]]] = {
    templates.CCD: (
        (templates.ALLERGIES,),
        (templates.MEDICATIONS,),
        (templates.PROBLEMS,),
        (templates.RESULTS,),
        (templates.VITAL_SIGNS,),
        (templates.SOCIAL_HISTORY,),
    ),
    templates.DISCHARGE_SUMMARY: (
        (templates.ALLERGIES_OPTIONAL,),
        (templates.HOSPITAL_COURSE,),
        (templates.DISCHARGE_DIAGNOSES,),
        (templates.PLAN,),
    ),
    templates.PROGRESS_NOTE: ((templates.ASSESSMENT_AND_PLAN, templates.ASSESSMENT),),
    templates.UNSTRUCTURED: (),
}
_MORE: Final[Mapping[Template, tuple[str, ...]]] = {
    templates.CCD: (f"{_CARE}/low", f"{_CARE}/high"),
    templates.DISCHARGE_SUMMARY: (*_STAY, f"{_VISIT}/dischargeDispositionCode"),
    templates.PROGRESS_NOTE: (f"{_VISIT}/id", _STAY[0], _FACILITY),
    templates.UNSTRUCTURED: ("component/nonXMLBody/text",),
}


_TEMPLATES: Final = strings("h:templateId/@root")
_SECTION_TEMPLATES: Final = strings(
    "h:component/h:structuredBody/h:component/h:section/h:templateId/@root"
)
_FOREIGN_CODE: Final = nodes(f"h:code[not(@codeSystem='{LOINC}')]")
_HALF_A_SET: Final = nodes("self::*[not(h:setId) != not(h:versionNumber)]")


def missing(root: Node) -> Iterator[str]:
    """Yield a sentence for each thing a document lacks to be of its type."""
    asserted = set(_TEMPLATES(root))
    kinds = [kind for kind in _SECTIONS if kind.root in asserted]
    if templates.US_REALM_HEADER.root not in asserted or len(kinds) != 1:
        yield "the document is of no type we write"
        return
    kind = kinds[0]
    if _FOREIGN_CODE(root):
        yield "the code of the document is not LOINC"
    for path in _absent(root, (*_HEADER, *_MORE[kind])):
        yield f"{path} is missing"
    if _HALF_A_SET(root):
        yield "setId and versionNumber stand together or not at all"
    sections = set(_SECTION_TEMPLATES(root))
    for choice in _SECTIONS[kind]:
        if not sections & {template.root for template in choice}:
            yield f"a section of template {choice[0].root} is missing"


def _absent(root: Node, paths: tuple[str, ...]) -> list[str]:
    """Return the paths at which nothing stands; one question asks for all of them."""
    if nodes(_all_of(paths))(root):
        return []
    return [path for path in paths if not nodes(_prefixed(path))(root)]


@cache
def _all_of(paths: tuple[str, ...]) -> str:
    return f"self::*[{' and '.join(map(_prefixed, paths))}]"


def _prefixed(path: str) -> str:
    return "/".join(f"h:{name}" for name in path.split("/"))
