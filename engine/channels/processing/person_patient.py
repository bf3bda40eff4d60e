"""A person's Patient: the golden record of what their source records said.

Spec:
    identity.md 9; architecture.md 4, "A sparse message never wipes a rich one".
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from engine.channels.processing.known import Kept, Subject, subject_of
from engine.identity.index import Identifier
from engine.identity.survivorship import Chosen, SourceValues, golden
from engine.transforms.fhir.bundle import enterprise_identifier
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.update import join

_ELEMENTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "name": ("name",),
        "birth": ("birthDate",),
        "sex": ("gender",),
        "address": ("address",),
        "birth facts": ("multipleBirthBoolean", "multipleBirthInteger"),
        "death": ("deceasedBoolean", "deceasedDateTime"),
    }
)
"""What of a Patient the groups of the golden record decide about."""


@dataclass(frozen=True, slots=True)
class Persons:
    """How a site writes its persons as Patients.

    ``system`` is the URI of the enterprise identifier, ``ranks`` the assigning
    authorities, the most trusted first.
    """

    site: str
    system: str
    ranks: tuple[str, ...] = ()

    def subject(self, person: str) -> Subject:
        """Return the Patient of an enterprise identifier."""
        return subject_of(self.site, self.system, person)

    def stamped(self, patient: Element, person: str) -> Element:
        """Return a Patient with an enterprise identifier as its first and only one."""
        stated = without_enterprise(patient, self.system)
        stamp = enterprise_identifier(self.system, person)
        return {**patient, "identifier": [stamp, *stated]}

    def links(self, absorbed: Iterable[str], here: Mapping[str, str]) -> list[Element]:
        """Return a link for each person merged into one; ``here`` is in the Bundle."""
        found: list[Element] = []
        for person in absorbed:
            subject = self.subject(person)
            outside = f"Patient?{subject.criteria}"
            reference = subject.url if subject.url in here else outside
            found.append({"other": {"reference": reference}, "type": "replaces"})
        return found


def without_enterprise(patient: Element, system: str) -> list[Element]:
    """Return a Patient's identifiers but that of the index."""
    stated = patient.get("identifier")
    return [
        one
        for one in (stated if isinstance(stated, list) else ())
        if one.get("system") != system
    ]


def combined(
    said: Mapping[int, Kept],
    members: Sequence[SourceValues],
    old: Iterable[Identifier] = (),
    ranks: Sequence[str] = (),
    removed: Collection[int] = (),
) -> Element:
    """Return what several source records say of one person, as a Patient.

    Groups of the golden record come whole from the record it chose, names and addresses
    that lost stay as old ones. Of everything else the latest word counts. A person of
    whose records none is left is not active.

    Args:
        said: what is kept of the Patient, by record; at least one.
        members: the person's records.
        old: numbers that are no longer in use.
        ranks: assigning authorities, the most trusted first.
        removed: records of which their system says that there is no such patient.
    """
    ordered = sorted(said.items(), key=_last)
    version = ordered[0][1].version
    for _, each in ordered[1:]:
        version = join(version, each.version)
    patient = version.resource
    if len(said) > 1:
        chosen = golden(members, ranks).chosen
        patient = dict(patient)
        for group, found in chosen.items():
            if found.record in said:
                _take(patient, group, found, said)
    if all(number in removed for number in said):
        patient = {**patient, "active": False}
    return _aged(patient, frozenset(old))


def _last(pair: tuple[int, Kept]) -> tuple[float, int]:
    number, kept = pair
    return kept.source_time.timestamp() if kept.source_time else 0.0, number


def _take(
    patient: Element, group: str, found: Chosen, said: Mapping[int, Kept]
) -> None:
    """Let one record decide about its elements; the others' values are history."""
    best = said[found.record].resource
    for name in _ELEMENTS.get(group, ()):
        patient.pop(name, None)
        if name in best:
            patient[name] = best[name]
    if group in {"name", "address"}:
        losers = [said[n].resource.get(group) for n in said if n != found.record]
        _remember(patient, group, losers, found.time)


def _remember(
    patient: Element, element: str, losers: Sequence[object], time: str
) -> None:
    """Add the names or addresses that lost, each once, as old ones."""
    current = patient.get(element)
    kept: list[Element] = list(current) if isinstance(current, list) else []
    known = [_bare(one) for one in kept]
    for values in losers:
        for one in values if isinstance(values, list) else ():
            if _bare(one) not in known:
                known.append(_bare(one))
                kept.append(_former(one, element, time))
    if kept:
        patient[element] = kept


def _bare(value: Element) -> Element:
    return {k: v for k, v in value.items() if k not in {"use", "period"}}


def _former(value: Element, element: str, time: str) -> Element:
    """Return a value as of earlier; addresses say until when, as far as is known."""
    former: Element = {**value, "use": "old"}
    period = value.get("period") if isinstance(value.get("period"), dict) else {}
    assert isinstance(period, dict)
    if element == "address" and len(time) >= len("YYYYMMDD"):
        until = f"{time[:4]}-{time[4:6]}-{time[6:8]}"
        former["period"] = {"end": until, **period}
    return former


def _aged(patient: Element, old: frozenset[Identifier]) -> Element:
    """Return a Patient whose numbers out of use say so."""
    stated = patient.get("identifier")
    if not old or not isinstance(stated, list):
        return patient
    aged = [{**one, "use": "old"} if _is_old(one, old) else one for one in stated]
    return {**patient, "identifier": aged}


def _is_old(identifier: Element, old: frozenset[Identifier]) -> bool:
    assigner = identifier.get("assigner")
    word = assigner.get("display") if isinstance(assigner, dict) else None
    names = {identifier.get("system"), word}
    return any(
        one.value == identifier.get("value") and one.authority in names for one in old
    )
