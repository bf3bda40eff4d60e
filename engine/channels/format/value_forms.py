"""The edit steps that write values, as they are written in a channel file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal
from zoneinfo import ZoneInfo

from typing_extensions import override

from engine.channels.format import kinds
from engine.channels.format.step_form import Form, Problem, literal
from engine.hl7 import Path
from engine.hl7.timestamps import read_timestamp
from engine.transforms import value_edits
from engine.transforms.calendar_functions import (
    PATTERN_HINT,
    pattern_fault,
    reader_of,
    reading_fault,
)
from engine.transforms.code_tables import TO, MissPolicy
from engine.transforms.edits import Run
from engine.transforms.expressions import Expression
from engine.transforms.pattern_functions import (
    Pattern,
    compile_pattern,
    substitution_fault,
)
from engine.transforms.places import Target
from engine.transforms.scope import Scope
from engine.transforms.text_functions import collapse


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(Form):
    """Write one value, replacing what is at and below the path."""

    ONE_OF: ClassVar = ("to", "value")
    set: Annotated[Path, kinds.TARGET, "where it is written"]
    to: Annotated[Expression | None, kinds.TEXT_VALUE, "the value"] = None
    value: Annotated[str | None, kinds.TEXT, "the value as fixed text"] = None
    on_missing: Annotated[MissPolicy | None, kinds.POLICY, "a code without a row"] = (
        None
    )

    @override
    def build(self, scope: Scope) -> Run:
        value = literal(self.value or "") if self.to is None else self.to
        return value_edits.set_value(Target(self.set, scope), value, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Form):
    """Copy with structure, repetitions and null."""

    copy: Annotated[Path, "what is copied"]
    to: Annotated[Path, kinds.TARGET, "where it is written"]

    @override
    def build(self, scope: Scope) -> Run:
        source, target = Target(self.copy, scope), Target(self.to, scope)
        return value_edits.copy(source, target, scope.line, moves=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(Form):
    """Copy, then clear."""

    move: Annotated[Path, kinds.TARGET, "what is moved"]
    to: Annotated[Path, kinds.TARGET, "where it is written"]

    @override
    def build(self, scope: Scope) -> Run:
        source, target = Target(self.move, scope), Target(self.to, scope)
        return value_edits.copy(source, target, scope.line, moves=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear(Form):
    """Make a value missing."""

    clear: Annotated[Path, kinds.TARGET, "what is cleared"]

    @override
    def build(self, scope: Scope) -> Run:
        return value_edits.put_raw(Target(self.clear, scope), "", scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNull(Form):
    """Write HL7 null."""

    set_null: Annotated[Path, kinds.TARGET, "where null is written"]

    @override
    def build(self, scope: Scope) -> Run:
        return value_edits.put_raw(Target(self.set_null, scope), '""', scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Append(Form):
    """Add a repetition."""

    ONE_OF: ClassVar = ("to", "components")
    append: Annotated[Path, kinds.FIELD, "field that gets one more repetition"]
    to: Annotated[Expression | None, kinds.TEXT_VALUE, "the value"] = None
    components: Annotated[
        Mapping[int, Expression], kinds.TEXT_VALUE, "component number to value"
    ] = field(default_factory=dict)

    @override
    def build(self, scope: Scope) -> Run:
        parts = dict(self.components) if self.to is None else {1: self.to}
        target, whole = Target(self.append, scope), self.to is not None
        return value_edits.append(target, parts, scope.line, whole=whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRepetitions(Form):
    """Remove the repetitions for which the condition is false."""

    keep_repetitions: Annotated[
        Path, kinds.FIELD, "field whose repetitions are looked at"
    ]
    when: Annotated[Expression, kinds.CONDITION, "true for those that stay"]

    @override
    def build(self, scope: Scope) -> Run:
        target = Target(self.keep_repetitions, scope)
        return value_edits.keep_repetitions(target, self.when, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim(Form):
    """Remove outer spaces, and make inner runs of spaces one."""

    trim: Annotated[tuple[Path, ...], kinds.TARGET, "what is trimmed"]

    @override
    def build(self, scope: Scope) -> Run:
        targets = [Target(path, scope) for path in self.trim]
        return value_edits.change_leaves(targets, collapse, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Form):
    """Write letters large or small."""

    case: Annotated[tuple[Path, ...], kinds.TARGET, "what is changed"]
    to: Annotated[Literal["upper", "lower", "title"], "how letters are written"]

    @override
    def build(self, scope: Scope) -> Run:
        targets = [Target(path, scope) for path in self.case]
        change = value_edits.case_of(self.to)
        return value_edits.change_leaves(targets, change, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace(Form):
    """Exchange a text, or what an RE2 pattern finds."""

    replace: Annotated[Path, kinds.TARGET, "where it is exchanged"]
    find: Annotated[str, kinds.SENTENCE, "text or pattern"]
    with_: Annotated[str, kinds.TEXT, "text that takes its place"]
    regex: Annotated[bool, "whether find is an RE2 pattern"] = False

    @override
    def problems(self, _scope: Scope) -> list[Problem]:
        if not self.regex:
            return []
        pattern = compile_pattern(self.find)
        if isinstance(pattern, str):
            sentence = f"this pattern cannot be used: {pattern}"
            return [("find", sentence, "patterns are RE2")]
        fault = substitution_fault(pattern, self.with_)
        return [("with", fault, r"write \1 for the first group")] if fault else []

    @override
    def build(self, scope: Scope) -> Run:
        found = compile_pattern(self.find) if self.regex else None
        pattern: Pattern | None = None if isinstance(found, str) else found
        change = value_edits.replacing(self.find, self.with_, pattern)
        target = Target(self.replace, scope)
        return value_edits.change_leaves([target], change, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad(Form):
    """Fill on the left."""

    pad: Annotated[Path, kinds.TARGET, "what is filled"]
    width: Annotated[int, kinds.WIDTH, "characters it shall have"]
    fill: Annotated[str, kinds.LETTER, "what it is filled with"] = "0"

    @override
    def build(self, scope: Scope) -> Run:
        width, fill = self.width, self.fill
        target = Target(self.pad, scope)
        return value_edits.change_leaf(
            target, lambda text: text.rjust(width, fill), scope.line
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncate(Form):
    """Cut, and note the loss in the trace."""

    truncate: Annotated[Path, kinds.TARGET, "what is cut"]
    length: Annotated[int, "characters that stay"]

    @override
    def build(self, scope: Scope) -> Run:
        length, target = self.length, Target(self.truncate, scope)
        return value_edits.change_leaf(
            target, lambda text: text[:length], scope.line, "cut short"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Form):
    """Spread one text over several places."""

    split: Annotated[Path, "text that is split"]
    separator: Annotated[str, kinds.SEPARATOR, "what stands between the parts"]
    into: Annotated[tuple[Path, ...], kinds.TARGET, "where the parts go"]

    @override
    def build(self, scope: Scope) -> Run:
        into = [Target(path, scope) for path in self.into]
        source = Target(self.split, scope)
        return value_edits.split(source, self.separator, into, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Join(Form):
    """Join several texts in one place."""

    join: Annotated[tuple[Path, ...], "texts that are joined"]
    separator: Annotated[str, kinds.TEXT, "what is put between them"]
    into: Annotated[Path, kinds.TARGET, "where the result goes"]

    @override
    def build(self, scope: Scope) -> Run:
        sources = [Target(path, scope) for path in self.join]
        into = Target(self.into, scope)
        return value_edits.join(sources, self.separator, into, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatDate(Form):
    """Write a date in another form; what cannot be read stays."""

    format_date: Annotated[Path, kinds.TARGET, "the date"]
    from_: Annotated[str, kinds.TEXT, "pattern it is read by; HL7 form when empty"] = ""
    to: Annotated[str, kinds.TEXT, "pattern it is written by; HL7 form when empty"] = ""
    zone: Annotated[ZoneInfo | None, "zone it is shown in"] = None

    @override
    def problems(self, _scope: Scope) -> list[Problem]:
        found = []
        if self.from_ and (fault := reading_fault(self.from_)):
            found.append(("from", fault, PATTERN_HINT))
        if self.to and (fault := pattern_fault(self.to)):
            found.append(("to", fault, PATTERN_HINT))
        return found

    @override
    def build(self, scope: Scope) -> Run:
        read = reader_of(self.from_) if self.from_ else read_timestamp
        target = Target(self.format_date, scope)
        return value_edits.format_date(target, read, self.to, self.zone, scope.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Translate(Form):
    """Look a code up in a code table, in place."""

    translate: Annotated[Path, kinds.TARGET, "the code"]
    table: Annotated[str, kinds.TABLE, "code table"]
    column: Annotated[str, kinds.TEXT, "column of the result"] = TO
    on_missing: Annotated[MissPolicy | None, kinds.POLICY, "a code without a row"] = (
        None
    )

    @override
    def problems(self, scope: Scope) -> list[Problem]:
        columns = scope.tables[self.table].columns
        if self.column in columns:
            return []
        sentence = f"table {self.table!r} has no column {self.column!r}"
        return [("column", sentence, f"columns here: {', '.join(columns)}")]

    @override
    def build(self, scope: Scope) -> Run:
        target, table = Target(self.translate, scope), scope.tables[self.table]
        return value_edits.translate(target, table, self.column, scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redact(Form):
    """Leave out, mask or replace values for minimum-necessary copies."""

    redact: Annotated[tuple[Path, ...], kinds.TARGET, "what is hidden"]
    with_: Annotated[Literal["remove", "mask", "pseudonym"], "how"]

    @override
    def build(self, scope: Scope) -> Run:
        targets = [Target(path, scope) for path in self.redact]
        return value_edits.redact(targets, self.with_, scope.line)
