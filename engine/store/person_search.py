"""Persons by what is known of them: the question behind PDQ, PDQm and ``$match``.

Nothing here writes. Every question starts from keyed hashes: identifiers, block keys
of the matcher, names. What those lead to is opened and compared until a page is
full.

Spec:
    identity.md 11 and 14 (M04, M20).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from engine.identity.blocking import asked_pairs, asked_texts, hashed, ranges
from engine.identity.criteria import WILD, Criteria
from engine.identity.grading import Graded, graded, posterior
from engine.identity.index import SourceRecord
from engine.identity.matching import counted, enough, keys_of, match
from engine.identity.traits import Traits
from engine.identity.weights import Model
from engine.store import links
from engine.store.family_names import holders, key_of
from engine.store.name_lists import NameList, Names
from engine.store.patients import COLUMNS, SqlPatientIndex

SORTED: Final = 50
"""So many persons are put in order of likeness; of more, the older ones come first."""

MOST_COMPARED: Final = 5_000
"""Records opened for one question; it must say more when that finds too few."""

MOST_PAIRS: Final = 500
"""Pairs of sounds looked up for the beginnings of two names; more are half a city."""

_PAGE: Final = 60
"""Records opened at once: where all fit, few more than are put in order."""

_NEAR: Final = "SELECT DISTINCT record FROM engine.block WHERE key BETWEEN ? AND ?"


@dataclass(frozen=True, slots=True)
class Found:
    """A person who fits, by the record that does; ``score`` is a probability."""

    record: SourceRecord
    score: float

    @property
    def person(self) -> str:
        """The enterprise identifier."""
        return self.record.person


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the persons who fit.

    ``total`` is None where they were not all counted. ``too_broad`` tells that the
    question leads to nobody in particular, and that none were looked for.
    """

    found: tuple[Found, ...] = ()
    more: bool = False
    total: int | None = None
    too_broad: bool = False


TOO_BROAD: Final = Page(too_broad=True)


@dataclass(frozen=True, slots=True)
class Search:
    """The index of one transaction as those see it who ask.

    ``confidential`` tells whether they may see confidential persons. Whoever may not
    gets the same answer as if there were none.
    """

    patients: SqlPatientIndex
    model: Model
    names: Names
    confidential: bool = False

    def hidden(self, persons: Collection[str]) -> frozenset[str]:
        """Return which of some persons are not to be shown."""
        if self.confidential or not persons:
            return frozenset()
        return links.confidential(self.patients.connection, persons)

    def alike(self, traits: Traits) -> list[Graded]:
        """Return who may be meant by some traits, the likeliest first."""
        if traits.isolated or not enough(traits):
            return []
        patients, model = self.patients, self.model
        near = patients.candidates(keys_of(traits, patients, model))
        hidden = self.hidden({each.person for each in near})
        counts = counted(traits, patients, model)
        matches = [
            match(traits, each, counts, model)
            for each in near
            if each.person not in hidden and not each.traits.isolated
        ]
        return graded(matches, model)

    def page(
        self,
        criteria: Criteria,
        start: int,
        count: int,
        among: Sequence[str] | None = None,
    ) -> Page:
        """Return the persons who fit, from number ``start`` on, at most ``count``.

        Args:
            criteria: what must fit.
            start: how many were given before.
            count: how many are wanted.
            among: the only persons to look at, as an identifier found them.
        """
        numbers = self._numbers(criteria) if among is None else None
        if among is None and numbers is None:
            return TOO_BROAD
        pages = self._members(among or ()) if numbers is None else self._opened(numbers)
        enough_persons = max(SORTED, start + count) + 1
        persons: dict[str, SourceRecord] = {}
        others: list[str] = []
        compared = 0
        for record, fits in self._compared(criteria, pages):
            compared += 1
            if fits:
                persons.setdefault(record.person, record)
            else:
                others.append(record.person)
            if compared == MOST_COMPARED:
                compared -= self._hidden_among(others)
                others.clear()
            if len(persons) == enough_persons or compared == MOST_COMPARED:
                break
        if compared == MOST_COMPARED and len(persons) <= start + count:
            return TOO_BROAD
        return self._cut(criteria, list(persons.values()), start, count, known=among)

    def _cut(
        self,
        criteria: Criteria,
        found: list[SourceRecord],
        start: int,
        count: int,
        known: Sequence[str] | None,
    ) -> Page:
        whole = len(found) <= SORTED
        if not whole:
            found = found[start : start + count + 1]
        scored = self._scored(criteria, found, sure=known is not None)
        if whole:
            scored.sort(key=lambda each: (-each.score, each.record.number))
            rest = scored[start:]
            return Page(tuple(rest[:count]), len(rest) > count, len(scored))
        return Page(tuple(scored[:count]), len(scored) > count)

    def _scored(
        self, criteria: Criteria, found: Sequence[SourceRecord], *, sure: bool
    ) -> list[Found]:
        """Return persons with how likely they are meant; a known number is sure."""
        if sure:
            return [Found(each, 1.0) for each in found]
        traits = criteria.as_traits()
        counts = counted(traits, self.patients, self.model)
        return [
            Found(each, posterior(match(traits, each, counts, self.model).bits))
            for each in found
        ]

    # -- where to look -----------------------------------------------------------------

    def _numbers(self, criteria: Criteria) -> Iterator[list[int]] | None:
        """Return the records worth opening; None where nothing narrows them down."""
        if texts := asked_texts(criteria):
            return self._sharing(hashed(texts, self.patients.secret))
        family, given = (criteria.wanted.get(each, "") for each in ("family", "given"))
        if not family.strip(WILD):
            return None
        families = self._like(self.names.family, family)
        if given.strip(WILD):
            givens = self._like(self.names.given, given)
            pairs = asked_pairs(givens, families)
            if len(pairs) <= MOST_PAIRS:
                return self._paired(sorted(pairs))
        return self._named(families)

    def _like(self, names: NameList, wanted: str) -> Sequence[str]:
        if WILD not in wanted:
            return (wanted,)
        return names.like(self.patients.connection, self.patients.sealer, wanted)

    def _sharing(self, keys: Sequence[int]) -> Iterator[list[int]]:
        marks, after = ", ".join("?" * len(keys)), 0
        while found := [
            row[0]
            for row in self.patients.fetch(
                "SELECT DISTINCT record FROM engine.block "  # noqa: S608 - only marks are written in
                f"WHERE key IN ({marks}) AND record > ? ORDER BY record LIMIT ?",
                (*keys, after, _PAGE),
            )
        ]:
            yield found
            if len(found) < _PAGE:
                return
            after = found[-1]

    def _named(self, families: Iterable[str]) -> Iterator[list[int]]:
        connection, sealer = self.patients.connection, self.patients.sealer
        keys = (key_of(sealer, name) for name in families)
        return _paged(
            number
            for key in keys
            for numbers in holders(connection, key, _PAGE)
            for number in numbers
        )

    def _paired(self, pairs: Iterable[str]) -> Iterator[list[int]]:
        """Yield whose names sound like one of some pairs: their keys lie together."""
        fetch, seen = self.patients.fetch, set[int]()
        for some in ranges(pairs, self.patients.secret):
            seen.update(row[0] for row in fetch(_NEAR, some))
        return _paged(iter(sorted(seen)))

    def _opened(self, numbers: Iterator[list[int]]) -> Iterator[list[SourceRecord]]:
        """Open records page by page."""
        for some in numbers:
            yield [each for each in self._read(some) if not each.traits.isolated]

    def _members(self, persons: Sequence[str]) -> Iterator[list[SourceRecord]]:
        known = self.patients.members_of(persons)
        yield [record for eid in persons for record in known.get(eid, ())]

    def _compared(
        self, criteria: Criteria, pages: Iterator[list[SourceRecord]]
    ) -> Iterator[tuple[SourceRecord, bool]]:
        """Yield records and whether they fit, without those that fit and are hidden.

        Whether a person is hidden is asked of those who fit alone: most do not, and
        each costs a look at another place of the store.
        """
        for records in pages:
            fits = [criteria.fits(each.traits) for each in records]
            found = zip(records, fits, strict=True)
            hidden = self.hidden({record.person for record, good in found if good})
            for record, good in zip(records, fits, strict=True):
                if not (good and record.person in hidden):
                    yield record, good

    def _hidden_among(self, persons: Sequence[str]) -> int:
        """Return how many of some records are of hidden persons.

        They were compared and do not count: the answer is as if they were not there.
        """
        hidden = self.hidden(set(persons))
        return sum(each in hidden for each in persons)

    def _read(self, numbers: Sequence[int]) -> Iterator[SourceRecord]:
        marks = ", ".join("?" * len(numbers))
        rows = self.patients.fetch(
            f"SELECT {COLUMNS} FROM engine.record AS r "  # noqa: S608 - as above
            f"WHERE r.id IN ({marks}) ORDER BY r.id",
            numbers,
        )
        return map(self.patients.read, rows)


def _paged(numbers: Iterator[int]) -> Iterator[list[int]]:
    while some := list(islice(numbers, _PAGE)):
        yield some
