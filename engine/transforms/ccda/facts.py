"""The FHIR resources a document is made from, and how to read them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

Resource = Mapping[str, object]
"""One resource, or one JSON object inside it."""

NOTHING: Resource = {}


def child(source: Resource, *path: str) -> Resource:
    """Return the JSON object at a path, or an empty one."""
    for name in path:
        found = source.get(name)
        if not isinstance(
            found, dict
        ):  # resources are plain dicts; a Mapping test is slow
            return NOTHING
        source = found
    return source


def children(source: Resource, name: str) -> list[Resource]:
    """Return the JSON objects in a list element; anything else in it is left out."""
    found = source.get(name)
    if not isinstance(found, list):
        return []
    return [item for item in found if isinstance(item, dict)]


def text(source: Resource, *path: str) -> str:
    """Return the string at a path without outer blanks, or ``""``."""
    holder = child(source, *path[:-1]) if len(path) > 1 else source
    found = holder.get(path[-1])
    return found.strip() if isinstance(found, str) else ""


def texts(source: Resource, name: str) -> list[str]:
    """Return the strings in a list element, without blanks and empty ones."""
    found = source.get(name)
    if not isinstance(found, list):
        return []
    return [item.strip() for item in found if isinstance(item, str) and item.strip()]


def extension(source: Resource, ending: str) -> Resource:
    """Return the first extension whose URL ends so, or an empty object."""
    for item in children(source, "extension"):
        if text(item, "url").endswith(ending):
            return item
    return NOTHING


def codes(concept: Resource) -> set[str]:
    """Return every code of a CodeableConcept."""
    return {text(coding, "code") for coding in children(concept, "coding")}


def is_erroneous(resource: Resource) -> bool:
    """Whether a resource was withdrawn as a mistake and must not be shown."""
    marks = codes(child(resource, "verificationStatus")) | {text(resource, "status")}
    return "entered-in-error" in marks


SUBJECTS = ("subject", "patient")


@dataclass(frozen=True, slots=True)
class Focus:
    """The attachment a note document is about: a resource and which of its contents."""

    url: str
    index: int = 0


@dataclass(slots=True)
class Facts:
    """The resources in scope by full URL, in a fixed order; one person's.

    ``enterprise_system`` tells which Patient is meant when there are several. What
    belongs to another Patient of the same facts is left out and counted in
    ``strangers``.
    """

    resources: Mapping[str, Resource]
    enterprise_system: str = ""
    focus: Focus | None = None
    strangers: int = 0
    patient_url: str = ""
    _by_type: dict[str, list[tuple[str, Resource]]] = field(default_factory=dict)
    _shown: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.patient_url = self._chosen_patient()
        others = self._other_patients()
        for url, resource in self.resources.items():
            if is_erroneous(resource):
                continue
            if others and self._subject(resource) in others:
                self.strangers += 1
                continue
            kind = text(resource, "resourceType")
            self._shown.add(url)
            self._by_type.setdefault(kind, []).append((url, resource))

    @property
    def patient(self) -> Resource:
        """The person's Patient, or an empty object."""
        return self.resources.get(self.patient_url, NOTHING)

    def of(self, *types: str) -> list[tuple[str, Resource]]:
        """Return (full URL, resource) of the types named, in the order of the facts."""
        return [pair for kind in types for pair in self._by_type.get(kind, ())]

    def shows(self, url: str) -> bool:
        """Whether a resource may be shown: it is no mistake and no other person's."""
        return url in self._shown

    def resolve(
        self, holder: Resource, name: str, inside: Resource = NOTHING
    ) -> Resource:
        """Return the resource a reference element points to, or an empty object.

        A reference that begins with ``#`` is looked up in what ``inside`` contains.
        """
        reference = text(holder, name, "reference")
        if reference.startswith("#"):
            for contained in children(inside, "contained"):
                if text(contained, "id") == reference[1:]:
                    return contained
            return NOTHING
        return self.resources.get(self.url_of(reference), NOTHING)

    def url_of(self, reference: str) -> str:
        """Return the full URL a reference means; conditional ones are looked up."""
        if not reference or reference in self.resources or "?" not in reference:
            return reference
        kind, _, query = reference.partition("?")
        wanted = query.removeprefix("identifier=")
        for url, resource in self.resources.items():
            if resource.get("resourceType") == kind and wanted in _tokens(resource):
                return url
        return reference

    def _subject(self, resource: Resource) -> str:
        for name in SUBJECTS:
            if reference := text(resource, name, "reference"):
                return self.url_of(reference)
        return ""

    def _patients(self) -> Iterator[tuple[str, Resource]]:
        for url, resource in self.resources.items():
            if resource.get("resourceType") == "Patient":
                yield url, resource

    def _chosen_patient(self) -> str:
        patients = sorted(  # one that was merged away comes last, whatever it carries
            self._patients(), key=lambda found: found[1].get("active") is False
        )
        for url, patient in patients:
            if self.enterprise_system and any(
                text(identifier, "system") == self.enterprise_system
                for identifier in children(patient, "identifier")
            ):
                return url
        active = [
            url for url, patient in patients if patient.get("active") is not False
        ]
        return next(iter([*active, *(url for url, _ in patients)]), "")

    def _other_patients(self) -> set[str]:
        """Patients that are neither the chosen one nor merged into it."""
        return {
            url
            for url, patient in self._patients()
            if url != self.patient_url and not self._is_merged(patient)
        }

    def _is_merged(self, patient: Resource) -> bool:
        return any(
            text(link, "type") == "replaced-by"
            and self.url_of(text(link, "other", "reference")) == self.patient_url
            for link in children(patient, "link")
        )


def _tokens(resource: Resource) -> list[str]:
    return [
        f"{text(identifier, 'system')}|{text(identifier, 'value')}"
        for identifier in children(resource, "identifier")
    ]


CODED: Final = ("code", "vaccineCode", "medicationCodeableConcept")


def newest_first(
    items: Iterable[tuple[str, Resource]], *dates: str
) -> list[tuple[str, Resource]]:
    """Return the items by the first date each carries, newest first.

    Items of one date stand in the order of their codes, then of their URLs.

    Args:
        items: (full URL, resource) pairs.
        dates: element paths with dots, such as ``effectivePeriod.start``, in order of
            preference.
    """
    paths = [path.split(".") for path in dates]

    def date(item: tuple[str, Resource]) -> str:
        return next(filter(None, (text(item[1], *path) for path in paths)), "")

    def code(item: tuple[str, Resource]) -> tuple[list[str], str]:
        found = (codes(child(item[1], name)) for name in CODED)
        return sorted(next(filter(None, found), ())), item[0]

    return sorted(sorted(items, key=code), key=date, reverse=True)
