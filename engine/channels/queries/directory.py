"""The patient index as those see it who ask by PIX, PDQ or FHIR.

Spec:
    identity.md 11.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from engine.channels.format.load import Site
from engine.channels.processing.assemble import AUTHORITIES, assigners_of
from engine.channels.processing.known import opened, patient_key, subject_of
from engine.channels.processing.person_patient import combined
from engine.channels.queries.demographics import patient_of, stated
from engine.identity.index import Identifier
from engine.identity.registration import Assigner
from engine.identity.survivorship import SourceValues, golden
from engine.identity.weights import Model
from engine.store import person_numbers, resources
from engine.store.database import Connection, Database
from engine.store.name_lists import Names
from engine.store.patients import PatientCache, SqlPatientIndex
from engine.store.person_numbers import Number
from engine.store.person_search import Search
from engine.store.resources import KnownResource
from engine.transforms.code_tables import CodeTable
from engine.transforms.fhir.mapped import Element


@dataclass(frozen=True, slots=True)
class Directory:
    """What questions to the index need, as long as the process lives.

    ``assigners`` are the site's assigning authorities by namespace, OID and URI,
    ``spoken`` the (namespace, OID) that HL7 v2 answers name each with.
    """

    site: str
    system: str
    model: Model
    assigners: Mapping[str, Assigner] = field(default_factory=dict)
    spoken: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    ranks: tuple[str, ...] = ()
    names: Names = field(default_factory=Names)
    cache: PatientCache = field(default_factory=PatientCache)

    @contextmanager
    def open(
        self, database: Database, *, confidential: bool = False
    ) -> "Iterator[Lookup]":
        """Give one moment of the index; nothing in it writes or waits for a writer."""
        with database.reading() as connection:
            patients = SqlPatientIndex(
                connection, database.sealer, self.cache, reads_only=True
            )
            search = Search(patients, self.model, self.names, confidential)
            yield Lookup(self, search)


def directory_of(site: Site, model: str = "default") -> Directory:
    """Return what questions to a site's index need."""
    table = site.tables.get(AUTHORITIES)
    assigners = assigners_of(table)
    settings = site.settings
    ranks = tuple(
        assigners[name].key if name in assigners else name
        for name in site.matching.source_rank
    )
    return Directory(
        settings.site,
        settings.identity_system,
        site.models[model],
        assigners,
        spoken_of(table),
        ranks,
    )


def spoken_of(table: CodeTable | None) -> dict[str, tuple[str, str]]:
    """Return namespace and OID of each authority: its names in HL7 v2."""
    rows = {} if table is None else table.rows
    return {
        found[0].values["to"]: (namespace, found[0].values.get("oid", ""))
        for namespace, found in rows.items()
    }


@dataclass(frozen=True, slots=True)
class Lookup:
    """The index at one moment, for one caller."""

    directory: Directory
    search: Search
    _numbers: dict[str, list[Number]] = field(default_factory=dict)

    @property
    def _patients(self) -> SqlPatientIndex:
        return self.search.patients

    @property
    def connection(self) -> Connection:
        """The connection of this moment."""
        return self._patients.connection

    # -- authorities and numbers -------------------------------------------------------

    def authority(self, *names: str) -> str | None:
        """Return the key of an authority given by namespace, OID or URI, if known."""
        directory = self.directory
        wanted = [name for name in names if name]
        wanted += [name.removeprefix("urn:oid:") for name in wanted]
        for name in wanted:
            if name in directory.assigners:
                return directory.assigners[name].key
        known = person_numbers.authorities(self.connection) | {directory.system}
        return next((name for name in wanted if name in known), None)

    def persons(self, authority: str, value: str) -> list[str]:
        """Return whom a number in use leads to, hidden persons left out."""
        if authority == self.directory.system:
            eid = person_numbers.person_today(self.connection, value)
            found = [eid] if eid else []
        else:
            found = person_numbers.persons_of(
                self._patients, authority, value, removed=False
            )
        hidden = self.search.hidden(found)
        return [eid for eid in found if eid not in hidden]

    def cross_reference(self, eid: str) -> list[Identifier]:
        """Return the numbers in use of a person, the enterprise identifier first."""
        own = Identifier(self.directory.system, "EI", eid)
        listed = self.numbers([eid])[eid]
        return [own, *(each.identifier for each in listed if each.active)]

    def numbers(self, persons: Sequence[str]) -> dict[str, list[Number]]:
        """Return every number of each of some persons; read once for a moment."""
        known = self._numbers
        if news := [eid for eid in persons if eid not in known]:
            found = person_numbers.numbers_of(self._patients, news)
            known |= {eid: found.get(eid, []) for eid in news}
        return {eid: known[eid] for eid in persons}

    def resources(self, person: str, kind: str) -> list[Element]:
        """Return what is kept of a person, of one resource type."""
        known = resources.of_person(self.connection, self._patients.sealer, person)
        return [opened(one).resource for one in known if one.resource_type == kind]

    # -- persons -----------------------------------------------------------------------

    def today(self, eid: str) -> str:
        """Return who an enterprise identifier stands for now; ``""`` for nobody."""
        found = person_numbers.person_today(self.connection, eid)
        return "" if found in self.search.hidden([found]) else found

    def patients(self, persons: Sequence[str]) -> list[Element]:
        """Return some persons as Patient resources, in their order."""
        patients = self._patients
        members = {
            eid: [
                SourceValues(each.number, each.authority, each.traits, each.updated)
                for each in records
            ]
            for eid, records in patients.members_of(persons).items()
        }
        keys = [patient_key(one.record) for some in members.values() for one in some]
        kept = resources.load(self.connection, patients.sealer, keys)
        numbers, system = self.numbers(persons), self.directory.system
        return [
            patient_of(
                eid,
                system,
                self._known(eid, members.get(eid, []), kept),
                numbers[eid],
            )
            for eid in persons
        ]

    def everything(self, eid: str) -> Element:
        """Return all that is kept of a person, as a Bundle that stands by itself.

        What several persons share (places, staff) is referred to and not included.
        """
        subject = subject_of(self.directory.site, self.directory.system, eid)
        [patient] = self.patients([eid])
        entries: list[Element] = [{"fullUrl": subject.url, "resource": patient}]
        known = resources.of_person(self.connection, self._patients.sealer, eid)
        for one in known:
            if one.resource_type != "Patient":
                kept = opened(one, subject)
                entries.append({"fullUrl": kept.full_url, "resource": kept.resource})
        return {"resourceType": "Bundle", "type": "collection", "entry": entries}

    def _known(
        self,
        eid: str,
        members: Sequence[SourceValues],
        kept: Mapping[tuple[str, str], KnownResource],
    ) -> Element:
        """Return what the sources say of a person, golden record first."""
        directory = self.directory
        subject = subject_of(directory.site, directory.system, eid)
        keys = [patient_key(each.record) for each in members]
        said = {
            kept[key].record: opened(kept[key], subject) for key in keys if key in kept
        }
        if said:
            return combined(said, members, (), directory.ranks)
        if len(members) == 1:  # nobody says anything else
            return stated(members[0].traits)
        return stated(golden(members, directory.ranks).traits)
