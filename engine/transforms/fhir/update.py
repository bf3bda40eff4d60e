"""An update onto what is known, part by part: of each part the latest word counts.

An empty field leaves what is known and a null removes it, whenever the message comes:
the same messages in any order, late or repeated, end in the same resource.

Spec:
    architecture.md section 4, "A sparse message never wipes a rich one"; fhir.md T19
    and T31.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Final, TypeAlias, TypeGuard

from engine.transforms.fhir.history import HISTORIES, Fact, past_of, recorded
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.stamps import OLDEST, PRESUMED, UNTIMED, Stamp

Parts: TypeAlias = dict[str, object]
"""What a resource says by the name of each part.

A part is an element (``gender``, its extension included; ``deceased`` for every kind of
it), a member of a gathered list (``telecom#home|phone``), or an element inside another
that several fields fill (``period.start``).
"""
Name: TypeAlias = Callable[[Element], str]

_ELEMENT: Final = re.compile(r"_?[A-Za-z][A-Za-z0-9]*")
_NO_PAST: Final[Mapping[str, tuple[Fact, ...]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Update:
    """What one message says of a resource.

    ``when`` is the time of its event as FHIR dateTime. ``presumed`` are elements that
    stand there only because FHIR wants them: they never replace what was said.
    ``nulls`` are elements that an HL7 null removes, ``removed`` members of gathered
    lists that the message takes away.
    """

    resource: Element
    stamp: Stamp = UNTIMED
    when: str = ""
    presumed: Collection[str] = ()
    nulls: Collection[str] = ()
    removed: Mapping[str, list[Element]] = field(
        default_factory=lambda: MappingProxyType({})
    )


@dataclass(frozen=True, slots=True)
class Version:
    """A resource as far as it is known, and when each part of it was said.

    ``others`` are the parts not said at ``latest``, and those removed since. ``past``
    are the facts that an Encounter's histories are made of.
    """

    resource: Element
    latest: Stamp = UNTIMED
    others: Mapping[str, Stamp] = field(default_factory=lambda: MappingProxyType({}))
    past: Mapping[str, tuple[Fact, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )


def first(update: Update) -> Version:
    """Return what is known after the first message about a resource."""
    stamp = update.stamp
    others = dict.fromkeys(removed_by(update), stamp)
    others |= dict.fromkeys(presumed_by(update), stamp._replace(rank=PRESUMED))
    return Version(update.resource, stamp, others, _facts(update))


def merge(known: Version, update: Update) -> Version:
    """Return what is known after one more message, late or not.

    Neither argument is changed; the result shares its unchanged parts with both.
    """
    return join(known, first(update))


def merge_same(one: Element, other: Element) -> Element:
    """Return one resource of two that one message makes; the second wins."""
    return join(Version(one), Version(other)).resource


def replaced(before: Element, after: Element) -> Iterator[str]:
    """Yield the elements of which something that was said before is not said any more.

    Examples:
        >>> [*replaced({"status": "a", "note": [1]}, {"status": "b", "note": [1, 2]})]
        ['status']
    """
    for name, said in before.items():
        left = after.get(name)
        if isinstance(said, list) and isinstance(left, list):
            if any(one not in left for one in said):
                yield name
        elif said != left:
            yield name


def join(one: Version, other: Version) -> Version:
    """Return what two versions know together; of equal stamps the second one counts."""
    have, new = parts_of(one.resource), parts_of(other.resource)
    stamps = {**dict.fromkeys(have, one.latest), **one.others}
    told = {**dict.fromkeys(new, other.latest), **other.others}
    for name, stamp in told.items():
        if name not in new:
            _remove(name, stamp, have, stamps)
    said: Parts = {}
    for name, value in new.items():
        stamp, above = told[name], stamps.get(list_of(name), OLDEST)
        if stamp >= stamps.get(name, OLDEST) and stamp >= above:
            said[name], stamps[name] = value, stamp
    latest = max(one.latest, other.latest)
    parts = {**said, **{n: value for n, value in have.items() if n not in said}}
    past = {**one.past}
    for element, facts in other.past.items():
        for fact in facts:
            past[element] = recorded(past.get(element, ()), fact)
    return Version(
        whole_of(one.resource, parts, stamps, past),
        latest,
        {n: at for n, at in stamps.items() if at != latest or n not in parts},
        past,
    )


def presumed_by(update: Update) -> set[str]:
    """Return the parts an update holds only because FHIR wants them."""
    found = set(update.presumed)
    if update.resource.get("status") == "unknown":
        found.add("status")
    return found


def removed_by(update: Update) -> Iterator[str]:
    """Yield the names of the parts and lists that an update takes away."""
    kind = str(update.resource["resourceType"])
    for element in update.nulls:
        shape = _shape(kind, element)
        yield f"{shape.name}#" if shape.member else shape.name
    for element, members in update.removed.items():
        member = _shape(kind, element).member
        assert member is not None
        yield from (f"{element}#{member(one)}" for one in members)


def _remove(name: str, stamp: Stamp, have: Parts, stamps: dict[str, Stamp]) -> None:
    """Take away a part or a whole list, unless something later says otherwise."""
    wide = name.endswith("#")
    below = [each for each in stamps if each.startswith(name)] if wide else [name]
    for each in below:
        if stamps.get(each, OLDEST) <= stamp:
            have.pop(each, None)
            stamps.pop(each, None)
    stamps[name] = max(stamp, stamps.get(name, OLDEST))


def list_of(name: str) -> str:
    """Return the name of the whole list a member belongs to, ``""`` for other parts."""
    element, mark, _ = name.partition("#")
    return element + mark if mark else ""


# ---- a resource and its parts


@dataclass(frozen=True, slots=True)
class _Shape:
    """How an element falls into parts; ``member`` names one member of its list."""

    name: str
    member: Name | None = None
    spread: bool = False


@cache
def _shape(kind: str, element: str) -> _Shape:
    name = element.removeprefix("_")
    member = _MEMBERS.get(f"{kind}.{name}") or _MEMBERS.get(name)
    if member is not None:
        return _Shape(name, member)
    if name in _STANDS_FOR:
        return _Shape(_STANDS_FOR[name])
    stem = next((stem for stem in _ALTERNATIVES if name.startswith(stem)), name)
    return _Shape(stem, None, name in _SPREAD)


def parts_of(resource: Element) -> Parts:
    """Return what a resource says, part by part; what it says of its past is none."""
    kind = str(resource["resourceType"])
    found: Parts = {}
    for element, value in resource.items():
        if element in _DERIVED:
            continue
        shape = _shape(kind, element)
        if shape.member is not None and isinstance(value, list):
            for one in value:
                part = found.setdefault(f"{shape.name}#{shape.member(one)}", [])
                assert isinstance(part, list)
                part.append(one)
        elif shape.spread and isinstance(value, dict):
            found |= {f"{shape.name}.{name}": inner for name, inner in value.items()}
        else:
            whole = found.setdefault(shape.name, {})
            assert isinstance(whole, dict)
            whole[element] = value
    return found


def has_parts(resource: Element) -> bool:
    """Whether `parts_of` can read what somebody else holds as a resource.

    Names are those of elements, and the members of a list that gathers are objects.
    """
    kind = str(resource["resourceType"])
    return all(map(_ELEMENT.fullmatch, resource)) and all(
        _are_objects(value)
        for element, value in resource.items()
        if _shape(kind, element).member is not None and isinstance(value, list)
    )


def _are_objects(values: object) -> TypeGuard[list[Element]]:
    return isinstance(values, list) and all(isinstance(one, dict) for one in values)


def whole_of(
    known: Element,
    parts: Parts,
    stamps: Mapping[str, Stamp],
    past: Mapping[str, tuple[Fact, ...]] = _NO_PAST,
) -> Element:
    """Put a resource together; of a gathered list the latest members come first.

    Its histories are those of ``past``, else the ones that ``known`` has.
    """
    resource: Element = {"resourceType": known["resourceType"]}
    lists: dict[str, list[tuple[Stamp, list[Element]]]] = {}
    for name, value in parts.items():
        element, is_member, _ = name.partition("#")
        if is_member:
            assert isinstance(value, list)
            resource.setdefault(element, [])
            lists.setdefault(element, []).append((stamps[name], value))
        elif isinstance(value, dict) and "." not in name:
            resource.update(value)
        else:
            outer, _, inner = name.partition(".")
            holder = resource.setdefault(outer, {})
            assert isinstance(holder, dict)
            holder[inner] = value
    for element, members in lists.items():
        members.sort(key=lambda each: each[0], reverse=True)
        resource[element] = [one for _, some in members for one in some]
    for element, history in HISTORIES.items():
        if found := past_of(past.get(element, ()), element):
            resource[history] = found
        elif history in known:
            resource[history] = known[history]
    return resource


def _facts(update: Update) -> Mapping[str, tuple[Fact, ...]]:
    """Return what an update plainly says of a visit's status and class."""
    if update.resource["resourceType"] != "Encounter":
        return _NO_PAST
    presumed = presumed_by(update)
    return {
        element: (Fact(update.stamp, update.when, update.resource[element]),)
        for element in HISTORIES
        if element in update.resource and element not in presumed
    }


def _identifier(part: Element) -> str:
    return f"{part.get('system')}|{part.get('value')}"


def _extension(part: Element) -> str:
    return str(part.get("url"))


def _reference(part: Element) -> str:
    return str(part.get("reference"))


def _target(name: str) -> Name:
    def read(part: Element) -> str:
        inner = part.get(name)
        return str(inner.get("reference")) if isinstance(inner, dict) else ""

    return read


def _telecom(part: Element) -> str:
    return f"{part.get('use')}|{part.get('system')}"


def _participant(part: Element) -> str:
    """Return the codes of the first type, in words that any JSON writer agrees on."""
    kinds = part.get("type")
    codings = kinds[0].get("coding") if _are_objects(kinds) and kinds else ()
    return " ".join(map(_identity, codings if _are_objects(codings) else ()))


def _identity(coding: Element) -> str:
    return f"{coding.get('system')}|{coding.get('code')}"


_MEMBERS: Final[Mapping[str, Name]] = MappingProxyType(
    {
        "identifier": _identifier,
        "extension": _extension,
        "telecom": _telecom,
        "Patient.link": _target("other"),
        "Encounter.location": _target("location"),
        "Encounter.diagnosis": _target("condition"),
        "Encounter.participant": _participant,
        "Account.guarantor": _target("party"),
        "DiagnosticReport.result": _reference,
        "Observation.hasMember": _reference,
        "Observation.derivedFrom": _reference,
    }
)
"""Lists that gather what several messages say, and what names a member of each.

Members of one name within one list are one part. Every other list is replaced whole.
"""

_SPREAD: Final = frozenset(("period", "servicePeriod", "hospitalization", "context"))
"""Elements that several fields fill, each its own part of it."""

_STANDS_FOR: Final[Mapping[str, str]] = MappingProxyType(
    {"dataAbsentReason": "value", "verificationStatus": "clinicalStatus"}
)
"""Elements that are one part with another: what is in error has no clinical status."""

_ALTERNATIVES: Final = (
    "abatement", "deceased", "effective", "medication", "multipleBirth", "occurrence",
    "onset", "performed", "value",
)  # fmt: skip
"""Choice elements: a new kind of value replaces the old kind."""

_DERIVED: Final = frozenset(("resourceType", *HISTORIES.values()))
