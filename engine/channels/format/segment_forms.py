"""The edit steps that work on segments, walk, choose and end, as they are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

from typing_extensions import override

from engine.channels.format import kinds
from engine.channels.format.step_form import Form, Problem
from engine.hl7 import Path
from engine.hl7.path import ALL
from engine.transforms import edits, segment_edits
from engine.transforms.edits import Branch, Run, Step
from engine.transforms.expressions import Expression
from engine.transforms.places import Target
from engine.transforms.scope import PythonCall, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSegment(Form):
    """Add a segment beside another, or at the end."""

    add_segment: Annotated[str, kinds.SEGMENT, "segment that is added"]
    after: Annotated[str, kinds.SEGMENT, "it stands after this one"] = ""
    before: Annotated[str, kinds.SEGMENT, "it stands before this one"] = ""
    fields: Annotated[
        Mapping[Annotated[Path, kinds.NEW_FIELD], Expression],
        kinds.TEXT_VALUE,
        "field number to value",
    ] = field(default_factory=dict)

    @override
    def problems(self, _scope: Scope) -> list[Problem]:
        if self.after and self.before:
            return [("before", "write after or before, not both", "")]
        if self.add_segment == "MSH":
            return [("add-segment", "a message has one MSH", "")]
        return []

    @override
    def build(self, scope: Scope) -> Run:
        beside = self.after or self.before
        anchor = (
            segment_edits.Anchor(beside, bool(self.after), scope) if beside else None
        )
        fields = {
            replace(path, segment=self.add_segment): value
            for path, value in self.fields.items()
        }
        return segment_edits.add_segment(self.add_segment, anchor, fields, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveSegment(Form):
    """Remove all segments of a kind, or those for which the condition is true."""

    remove_segment: Annotated[str, kinds.SEGMENT, "segment that is removed"]
    when: Annotated[Expression | None, kinds.CONDITION, "true for those that go"] = None

    @override
    def problems(self, _scope: Scope) -> list[Problem]:
        if self.remove_segment == "MSH":
            return [("remove-segment", "a message needs its MSH", "")]
        return []

    @override
    def build(self, scope: Scope) -> Run:
        return segment_edits.remove_segment(self.remove_segment, self.when, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveSegment(Form):
    """Move all segments of a kind beside another."""

    ONE_OF: ClassVar = ("after", "before")
    move_segment: Annotated[str, kinds.SEGMENT, "segment that is moved"]
    after: Annotated[str, kinds.SEGMENT, "it stands after this one"] = ""
    before: Annotated[str, kinds.SEGMENT, "it stands before this one"] = ""

    @override
    def problems(self, _scope: Scope) -> list[Problem]:
        beside = self.after or self.before
        if "MSH" in (self.move_segment, self.before) or beside == self.move_segment:
            return [("move-segment", "it cannot stand there", "MSH stays first")]
        return []

    @override
    def build(self, scope: Scope) -> Run:
        beside = self.after or self.before
        anchor = segment_edits.Anchor(beside, bool(self.after), scope)
        return segment_edits.move_segment(self.move_segment, anchor, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Renumber(Form):
    """Write 1, 2, 3 … in field 1, anew in each group."""

    renumber: Annotated[str, kinds.SEGMENT, "segment that is numbered"]

    @override
    def build(self, scope: Scope) -> Run:
        return segment_edits.renumber(self.renumber, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEach(Form):
    """Run steps once per segment, or per repetition of a field."""

    for_each: Annotated[Path, kinds.LOOP, "what is walked over"]
    when: Annotated[Expression | None, kinds.CONDITION, "items the steps run for"] = (
        None
    )
    do: Annotated[tuple[Step, ...], "the steps"]

    @override
    def build(self, scope: Scope) -> Run:
        path = self.for_each
        repetitions = Target(path, scope) if path.repetition == ALL else None
        walk = segment_edits.Walk(path.segment, repetitions, scope)
        return segment_edits.for_each(walk, self.when, self.do, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One branch of ``choose``; the last may omit ``when``."""

    when: Annotated[Expression | None, kinds.CONDITION, "taken when true"] = None
    do: Annotated[tuple[Step, ...], "the steps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose(Form):
    """Run the first branch whose condition is true."""

    choose: Annotated[tuple[Choice, ...], "branches, in order"]

    @override
    def build(self, scope: Scope) -> Run:
        del scope
        return edits.choose([Branch(each.when, each.do) for each in self.choose])


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag(Form):
    """Leave a finding on the message, shown and counted."""

    flag: Annotated[str, kinds.SENTENCE, "the finding; no patient values"]

    @override
    def build(self, scope: Scope) -> Run:
        return edits.flag(self.flag, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index(Form):
    """Keep a search key for the console."""

    index: Annotated[str, kinds.NAME, "name of the key"]
    to: Annotated[Expression, kinds.TEXT_VALUE, "its value"]

    @override
    def build(self, scope: Scope) -> Run:
        del scope
        return edits.index(self.index, self.to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Form):
    """The message becomes filtered."""

    drop: Annotated[str, kinds.SENTENCE, "reason"]

    @override
    def build(self, scope: Scope) -> Run:
        return edits.drop(self.drop, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Form):
    """The message waits until a person releases it."""

    hold: Annotated[str, kinds.SENTENCE, "reason"]

    @override
    def build(self, scope: Scope) -> Run:
        return edits.hold(self.hold, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(Form):
    """The message becomes an error."""

    fail: Annotated[str, kinds.SENTENCE, "sentence shown in the error queue"]
    label: Annotated[str, kinds.TEXT, "label in the error queue"] = ""

    @override
    def build(self, scope: Scope) -> Run:
        del scope
        return edits.fail(self.fail, self.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Python(Form):
    """Run a function of the site, or an installed step."""

    python: Annotated[PythonCall, "module:function in steps/, or an installed name"]
    with_: Annotated[Mapping[str, str], kinds.TEXT, "arguments by name"] = field(
        default_factory=dict
    )

    @override
    def build(self, scope: Scope) -> Run:
        call = replace(self.python, arguments=dict(self.with_), line=scope.line)
        return edits.python(call)
