"""A patient index in memory: the protocol, and nothing that lasts."""

from collections import Counter, defaultdict
from importlib.resources import files
from itertools import count

from nicknames import NickNamer

from engine.hl7 import parse
from engine.identity import Category, Reading, decide, registration_of
from engine.identity.blocking import CANDIDATES, ROWS_PER_KEY
from engine.identity.index import SourceRecord
from engine.identity.weights import Frequencies, Mode, shipped_model
from tests.builders import adt_patient


def model(mode=Mode.SAFE):
    folder = files("engine.identity") / "shipped"
    names, weights = (
        (folder / name).read_text(encoding="utf-8")
        for name in ("names.csv", "weights.csv")
    )
    return shipped_model(names, weights, NickNamer().nickname_lookup, mode)


class MemoryIndex:
    """Applies decisions at once; numbers records from 1."""

    secret = b"test"

    def __init__(self):
        self.records = {}
        self.numbers = {}
        self.retired = set()
        self.blocks: defaultdict[int, dict[int, None]] = defaultdict(dict)
        self.names: Counter[tuple[str, str]] = Counter()
        self.survivors = {}
        self.apart: defaultdict[int, dict[int, set[str]]] = defaultdict(dict)
        self.rulings = {}
        self.tasks = []
        self.learned = set()

    def known(self, identifiers):
        return {each: self._found(each) for each in identifiers if each in self.numbers}

    def _found(self, identifier):
        record = self.records[self.numbers[identifier]]
        return SourceRecord(
            record.number,
            record.person,
            record.authority,
            record.traits,
            record.updated,
            identifier in self.retired,
        )

    def candidates(self, keys):
        shared: Counter[int] = Counter()
        for key in keys:
            shared.update(list(self.blocks.get(key, ()))[:ROWS_PER_KEY])
        return [self.records[number] for number, _ in shared.most_common(CANDIDATES)]

    def members(self, person):
        return [each for each in self.records.values() if each.person == person]

    def frequencies(self, given, family):
        return Frequencies(
            self.names["given", given],
            self.names["family", family],
            self.names["records", ""],
        )

    def placeholders(self, keys):
        return self.learned.intersection(keys)

    def persons(self, key):
        return len({self.records[number].person for number in self.blocks[key]})

    def told_apart(self, record, traits):
        return frozenset(
            other
            for other, then in self.apart[record].items()
            if then == {traits.identifying, self.records[other].traits.identifying}
        )

    def doubted(self, record):
        asked = (
            {number, *(each.record.number for each in doubt.matches)}
            for number, doubt in self.tasks
            if doubt.category in {Category.DUPLICATE, Category.OVERLAP}
        )
        return frozenset().union(*(of for of in asked if record in of)) - {record}

    def ruling(self, message):
        return self.rulings.get(message, "")

    def apply(self, decision):
        """Write a decision; return its record's number, 0 for none."""
        number = 0 if decision.record is None else decision.record.number
        if decision.change is not None:
            number = self._write(decision.registration, decision.change)
        self.tasks.extend((number, doubt) for doubt in decision.doubts)
        self.learned.update(each.key for each in decision.learned)
        for move in decision.moves:
            self._move(move)
        for other in decision.also:
            self.apply(other)
        return number

    def _write(self, registration, change):
        number = change.number or len(self.records) + 1
        before = self.records.get(number)
        authority = before or registration.identifiers[0]
        self.records[number] = SourceRecord(
            number,
            change.person if before is None else before.person,
            authority.authority,
            change.traits,
            registration.happened,
        )
        for identifier in (*change.identifiers, *change.retired):
            self.numbers[identifier] = number
        self.retired.update(change.retired)
        for key in change.keys_removed:
            self.blocks[key].pop(number)
        for key in change.keys_added:
            self.blocks[key][number] = None
        self._count(change.before, -1)
        self._count(change.traits, +1)
        return number

    def _count(self, traits, by):
        if traits is None or traits.isolated:
            return
        self.names["records", ""] += by
        for trait in ("given", "family"):
            if getattr(traits, trait):
                self.names[trait, getattr(traits, trait)] += by

    def _move(self, move):
        if move.kind == "different":
            one, other = move.records
            then = {self.records[number].traits.identifying for number in move.records}
            self.apart[one][other] = self.apart[other][one] = then
            return
        for record in self.members(move.source):
            if not move.records or record.number in move.records:
                self.records[record.number] = SourceRecord(
                    record.number,
                    move.target,
                    record.authority,
                    record.traits,
                    record.updated,
                )
        if move.kind == "merge" and move.source != move.target:
            self.survivors[move.source] = move.target


SAFE, BALANCED = model(Mode.SAFE), model(Mode.BALANCED)


class Feed:
    """Messages in, decisions out, written at once."""

    def __init__(self, chosen=SAFE, **reading):
        self.index, self.model, self.reading = MemoryIndex(), chosen, Reading(**reading)
        self.minted = (f"P{number}" for number in count(1))
        self.messages = count(1)

    def read(self, number="1", *, message=0, **given):
        data = adt_patient(number, **given)
        number = message or next(self.messages)
        mint = lambda: next(self.minted)  # noqa: E731 - a mint of the test's own
        return registration_of(parse(data), self.reading, mint, number)

    def send(self, number="1", **given):
        decision = decide(
            self.read(number, **given).registration, self.index, self.model
        )
        self.index.apply(decision)
        return decision

    def person(self, number, authority="HOSP"):
        key = (authority, "MR", number)
        return self.index.records[self.index.numbers[key]].person
