"""Synthetic hospitals: invented people, their visits, their messages, the truth.

The same seed gives the same bytes everywhere. Nobody real is meant: families are
plants, towns are samples.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

EPOCH: Final = datetime(2026, 1, 5, 6, tzinfo=UTC)
INPATIENT, UPDATED, ALLERGIC, MERGED = 0.7, 0.5, 0.4, 0.25
"""Shares of the visits; the last, of the records that are there twice."""

MISTAKES: Final = ("typo", "hurried", "nickname", "moved", "birthday")
"""Why somebody is registered a second time, taken in turn."""


@dataclass(frozen=True, slots=True)
class Stock:
    """The invented names and tests that feeds are made of."""

    families: list[str]
    given: dict[str, list[list[str]]]
    streets: list[str]
    towns: list[list[str]]
    doctors: list[list[str]]
    wards: list[str]
    diagnoses: list[list[str]]
    allergies: list[list[str]]
    tests: list[tuple[str, str, str, float, float]]
    unmapped: list[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make; ``unmapped`` is a share of the lab reports."""

    kind: str = "mixed"
    patients: int = 200
    duplicates: int = 16
    days: int = 30
    seed: int = 1
    unmapped: float = 0.05


@dataclass(frozen=True, slots=True)
class Record:
    """One registration of a person in one system."""

    person: int
    mrn: str
    family: str
    given: str
    middle: str
    sex: str
    birth: date | None
    street: str
    town: tuple[str, str, str]
    phone: str
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """One message of a feed; ``truth`` is register, update, merge or empty."""

    at: datetime
    control_id: str
    trigger: str
    record: Record
    truth: str
    data: bytes
    unmapped: bool = False


def make_feed(plan: Plan) -> list[Made]:
    """Return the messages of a whole hospital in the order they are sent."""
    chance = Random(plan.seed)  # noqa: S311 - repeatable, not secret
    records = _records(plan, chance)
    drafts = [draft for record in records for draft in _visit(record, plan, chance)]
    drafts += _merges(records, plan, chance)
    wanted = {"adt": {"ADT"}, "oru": {"ORU"}}.get(plan.kind, {"ADT", "ORU"})
    drafts = [draft for draft in drafts if draft.trigger[:3] in wanted]
    drafts.sort(key=lambda draft: draft.at)
    return [draft.numbered(number) for number, draft in enumerate(drafts, 1)]


def truth_rows(feed: list[Made]) -> Iterator[dict[str, str]]:
    """Return which messages register, update or merge which person."""
    for made in feed:
        if made.truth:
            yield {
                "control_id": made.control_id,
                "event": made.truth,
                "person": f"P{made.record.person}",
                "household": "",
                "tags": made.record.tag,
            }


@cache
def stock() -> Stock:
    """Return the invented names, read once."""
    text = Path(__file__).with_name("invented.json").read_text(encoding="utf-8")
    return Stock(**json.loads(text))


def _records(plan: Plan, chance: Random) -> list[Record]:
    """Return everyone once, and some persons a second time as somebody else."""
    originals = [_person(number, chance) for number in range(1, plan.patients + 1)]
    twice = chance.sample(originals, min(plan.duplicates, len(originals)))
    return originals + [
        _again(record, number, chance) for number, record in enumerate(twice, 1)
    ]


def _person(number: int, chance: Random) -> Record:
    sex = chance.choice("FM")
    town = chance.choice(stock().towns)
    return Record(
        person=number,
        mrn=f"{100_000 + number}",
        family=chance.choice(stock().families),
        given=chance.choice(stock().given[sex])[0],
        middle=chance.choice("ABCDEFGHJKLMNPRST"),
        sex=sex,
        birth=date(1930, 1, 1) + timedelta(days=chance.randrange(33_000)),
        street=f"{chance.randrange(1, 999)} {chance.choice(stock().streets)}",
        town=(town[0], town[1], town[2]),
        phone=f"{chance.randrange(200, 999)}-555-01{chance.randrange(100):02d}",
    )


def _again(record: Record, number: int, chance: Random) -> Record:
    """Return the same person registered anew, with one human mistake after another."""
    mistake = MISTAKES[number % len(MISTAKES)]
    again = replace(record, mrn=f"9{number:06d}", tag=mistake)
    names = stock().given[record.sex]
    nickname = next(short for full, short in names if full == record.given)
    if mistake == "hurried":
        again = replace(again, given=nickname, middle="", birth=None)
        return replace(again, street="", phone="")
    if mistake == "nickname":
        return replace(again, given=nickname)
    if mistake == "typo":
        at = chance.randrange(1, len(record.family) - 1)
        return replace(again, family=record.family[:at] + record.family[at + 1 :])
    if mistake == "moved":
        return replace(again, street="7 Elsewhere Row", phone="")
    slip = record.birth.replace(day=record.birth.day % 28 + 1) if record.birth else None
    return replace(again, birth=slip)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A message before it has its number."""

    at: datetime
    trigger: str
    record: Record
    truth: str
    segments: tuple[str, ...]
    unmapped: bool = False

    def numbered(self, number: int) -> Made:
        control_id = f"SYN{number:06d}"
        sender = "LAB|GENERAL" if self.trigger.startswith("ORU") else "HIS|GENERAL"
        header = (
            f"MSH|^~\\&|{sender}|INTEROP|GENERAL|{_dtm(self.at)}||{self.trigger}"
            f"|{control_id}|P|2.5.1||||||UNICODE UTF-8"
        )
        data = "".join(f"{line}\r" for line in (header, *self.segments)).encode()
        made = (self.at, control_id, self.trigger, self.record, self.truth, data)
        return Made(*made, self.unmapped)


def _visit(record: Record, plan: Plan, chance: Random) -> Iterator[_Draft]:
    """Yield one stay: admitted, perhaps updated and tested, perhaps discharged."""
    begin = EPOCH + timedelta(minutes=chance.randrange(plan.days * 24 * 60))
    inpatient = chance.random() < INPATIENT
    visit = _Visit(
        record, f"V{record.mrn}", begin, inpatient, chance.choice(stock().wards)
    )
    trigger = "ADT^A01^ADT_A01" if inpatient else "ADT^A04^ADT_A01"
    yield _adt(visit, trigger, begin, "register", _admission(chance))
    if chance.random() < UPDATED:
        moved = replace(record, street=f"{chance.randrange(1, 999)} Newly Road")
        later = begin + timedelta(minutes=chance.randrange(20, 300))
        yield _adt(replace(visit, record=moved), "ADT^A08^ADT_A01", later, "update")
    for hours in range(chance.randrange(3)):
        when = begin + timedelta(hours=hours + 1, minutes=chance.randrange(50))
        yield _report(visit, when, plan, chance)
    if inpatient:
        end = begin + timedelta(hours=chance.randrange(8, 120))
        yield _adt(replace(visit, end=end), "ADT^A03^ADT_A03", end, "")


@dataclass(frozen=True, slots=True)
class _Visit:
    record: Record
    number: str
    begin: datetime
    inpatient: bool
    ward: str
    end: datetime | None = None

    def pv1(self) -> str:
        doctor = stock().doctors[int(self.record.mrn) % 4]
        attending = f"{doctor[0]}^{doctor[1]}^{doctor[2]}^^^DR^^^GENHOSP"
        kind = "I" if self.inpatient else "O"
        end = _dtm(self.end) if self.end else ""
        fields = {2: kind, 3: f"{self.ward}^12^A^GENERAL", 4: "R", 7: attending}
        fields |= {10: "MED", 19: f"{self.number}^^^GENHOSP^VN"}
        fields |= {44: _dtm(self.begin), 45: end}
        return _segment("PV1", {1: "1", **fields})


def _admission(chance: Random) -> list[str]:
    """Return diagnosis, allergy and next of kin of an admission."""
    code, text = chance.choice(stock().diagnoses)
    lines = ["NK1|1|Contact^Casey|SPO|||212-555-0199"]
    if chance.random() < ALLERGIC:
        key, name, reaction = chance.choice(stock().allergies)
        lines.append(f"AL1|1|DA|{key}^{name}^L|MO|{reaction}")
    return [*lines, f"DG1|1||{code}^{text}^I10|||A"]


def _adt(
    visit: _Visit,
    trigger: str,
    at: datetime,
    truth: str,
    extra: Sequence[str] = (),
) -> _Draft:
    lines = [f"EVN|{trigger[4:7]}|{_dtm(at)}", _pid(visit.record)]
    kin = [line for line in extra if line.startswith("NK1")]
    rest = [line for line in extra if not line.startswith("NK1")]
    segments = (*lines, *kin, visit.pv1(), *rest)
    return _Draft(at, trigger, visit.record, truth, segments)


def _report(visit: _Visit, at: datetime, plan: Plan, chance: Random) -> _Draft:
    """Return a lab report of 5 to 30 results; some carry a code nobody mapped."""
    order = f"{visit.number}-{at:%d%H%M}"
    unmapped = chance.random() < plan.unmapped
    done = at + timedelta(minutes=40)
    count = chance.randrange(5, 31)
    lines = (
        _pid(visit.record),
        visit.pv1(),
        f"ORC|RE|{order}^HIS|{order}L^LAB",
        f"OBR|1|{order}^HIS|{order}L^LAB|CHEM^Chemistry panel^L|||{_dtm(at)}"
        + "|" * 15
        + f"{_dtm(done)}||LAB|F",
        *(
            _result(number, chance, unmapped=unmapped and number == count)
            for number in range(1, count + 1)
        ),
    )
    return _Draft(done, "ORU^R01^ORU_R01", visit.record, "", lines, unmapped)


def _result(number: int, chance: Random, *, unmapped: bool) -> str:
    tests = stock().tests
    code, name, unit, low, high = tests[(number - 1) % len(tests)]
    if unmapped:
        code, name = chance.choice(stock().unmapped), "Local test"
    value = chance.gauss((low + high) / 2, (high - low) / 3)
    flag = "L" if value < low else "H" if value > high else "N"
    return (
        f"OBX|{number}|NM|{code}^{name}^L|{(number - 1) // len(tests) + 1}"
        f"|{max(value, 0):.1f}|{unit}|{low}-{high}|{flag}|||F"
    )


def _merges(records: list[Record], plan: Plan, chance: Random) -> Iterator[_Draft]:
    """Yield an A40 for some of the duplicates, after everything else."""
    first = {record.person: record for record in records if not record.tag}
    end = EPOCH + timedelta(days=plan.days + 6)
    for record in records:
        if record.tag and chance.random() < MERGED:
            end += timedelta(minutes=7)
            survivor = first[record.person]
            merged = f"MRG|{record.mrn}^^^GENHOSP^MR"
            lines = (f"EVN|A40|{_dtm(end)}", _pid(survivor), merged)
            yield _Draft(end, "ADT^A40^ADT_A39", survivor, "merge", lines)


def _pid(record: Record) -> str:
    town, state, code = record.town
    return _segment(
        "PID",
        {
            1: "1",
            3: f"{record.mrn}^^^GENHOSP^MR",
            5: f"{record.family}^{record.given}^{record.middle}^^^^L",
            7: f"{record.birth:%Y%m%d}" if record.birth else "",
            8: record.sex,
            11: f"{record.street}^^{town}^{state}^{code}^USA^H",
            13: f"{record.phone}^PRN^PH" if record.phone else "",
        },
    )


def _segment(name: str, fields: dict[int, str]) -> str:
    return "|".join([name, *(fields.get(n, "") for n in range(1, max(fields) + 1))])


def _dtm(moment: datetime) -> str:
    return f"{moment:%Y%m%d%H%M%S}+0000"
