"""How the API shows persons, and doubts about who is who."""

from datetime import datetime

from pydantic import computed_field

from engine.console.api.models import Shown
from engine.identity.enterprise_identifier import handle_of


class Called(Shown):
    """Something of one person, who has a handle beside the identifier."""

    person: str

    @computed_field
    def handle(self) -> str:
        """How people say the enterprise identifier, or ""; several may share it."""
        return handle_of(self.person)


class TaskRow(Called):
    """One doubt about who is who, as the queue lists it: no patient data."""

    id: int
    category: str
    reason: str
    state: str
    record: int
    message: int
    opened_at: datetime
    due_at: datetime | None
    assignee: str
    asked: str
    decision: str
    decided_by: str
    decided_at: datetime | None


class Line(Shown):
    """How much one trait speaks for one person or two, in bits."""

    trait: str
    level: str
    bits: float


class Candidate(Called):
    """One record a doubt is about, and why; patient data."""

    record: int
    bits: float
    headline: str
    lines: list[Line]


class Record(Called):
    """What one source says of a person, by name of the value; patient data."""

    record: int
    authority: str
    values: dict[str, str]


class Comment(Shown):
    """What somebody wrote."""

    at: datetime
    author: str
    text: str


class Encounter(Shown):
    """One visit as a source told it; patient data.

    ``clashes`` says that it was at one time with another one elsewhere; without
    ``end`` none was told.
    """

    record: int
    kind: str
    status: str
    number: str
    place: str
    begin: datetime
    end: datetime | None
    message: int
    clashes: bool


class Task(Shown):
    """One doubt with its evidence, as of when it was opened; patient data."""

    task: TaskRow
    candidates: list[Candidate]
    records: list[Record]
    comments: list[Comment]
    encounters: list[Encounter]


class Golden(Shown):
    """One group of a person's values: the value in use, and the rule that chose it."""

    name: str
    value: str
    rule: str


class Identifier(Shown):
    """One number that leads to a record."""

    authority: str
    type: str
    value: str


class Person(Shown):
    """One person of the index; patient data. ``retired`` identifiers lead here."""

    eid: str
    handle: str
    retired: list[str]
    golden: list[Golden]
    records: list[Record]
    identifiers: list[Identifier]
