"""The rows of ``map`` as they are written, and what each compiles to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, ClassVar, Final

from typing_extensions import override

from engine.channels.format import kinds
from engine.channels.format.step_form import Problem
from engine.hl7 import Path
from engine.transforms import fhir_rows
from engine.transforms.code_tables import MissPolicy
from engine.transforms.expressions import Expression
from engine.transforms.fhir.paths import FhirPath
from engine.transforms.fhir_rows import MapRow
from engine.transforms.scope import PythonCall, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class RowForm:
    """What every row may carry."""

    when: Annotated[
        Expression | None, kinds.CONDITION, "the row runs only when this is true"
    ] = None
    note: Annotated[str, kinds.TEXT, "text for people"] = ""

    def build(self, scope: Scope) -> MapRow:
        """Return what the row does."""
        raise NotImplementedError

    def problems(self, _scope: Scope) -> list[Problem]:
        """Return what is wrong with values that are right one by one."""
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Written(RowForm):
    """What rows that write one element carry."""

    ONE_OF: ClassVar = ("to", "value")
    to: Annotated[Expression | None, "the value"] = None
    value: Annotated[str | None, kinds.TEXT, "the value as fixed text"] = None
    on_missing: Annotated[MissPolicy | None, kinds.POLICY, "a code without a row"] = (
        None
    )

    @property
    def source(self) -> fhir_rows.Source:
        """What is written."""
        return (self.value or "") if self.to is None else self.to

    def misfits(self, path: FhirPath) -> list[Problem]:
        """Return what is wrong between path and value."""
        if not path.steps:
            return [("to", "an element is wanted, not a whole resource", "")]
        fault = fhir_rows.misfit(path, self.to.type) if self.to else ""
        return [("to", fault, "")] if fault else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(Written):
    """Write one element."""

    set: Annotated[FhirPath, kinds.FHIR_PATH, "element that is written"]

    @override
    def problems(self, _scope: Scope) -> list[Problem]:
        return self.misfits(self.set)

    @override
    def build(self, scope: Scope) -> MapRow:
        return fhir_rows.set_row(scope.line, self.set, self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Append(Written):
    """Add to a repeating element."""

    append: Annotated[FhirPath, kinds.FHIR_PATH, "element that gets one more"]

    @override
    def problems(self, _scope: Scope) -> list[Problem]:
        return self.misfits(self.append)

    @override
    def build(self, scope: Scope) -> MapRow:
        return fhir_rows.append_row(scope.line, self.append, self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove(RowForm):
    """Drop an element, or all resources of a type."""

    remove: Annotated[FhirPath, kinds.FHIR_PATH, "element or resource type"]

    @override
    def build(self, scope: Scope) -> MapRow:
        return fhir_rows.remove_row(scope.line, self.remove)


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(RowForm):
    """Add a resource."""

    add: Annotated[str, kinds.FHIR_TYPE, "resource type"]
    as_: Annotated[str, kinds.NAME, "what reference(type, name) calls it"] = ""
    fields: Annotated[Mapping[str, Expression], "FHIR path below the type to value"] = (
        field(default_factory=dict)
    )

    @override
    def problems(self, _scope: Scope) -> list[Problem]:
        found: list[Problem] = []
        for name, value in self.fields.items():
            path = kinds.FHIR_PATH.read(f"{self.add}.{name}")
            if isinstance(path, FhirPath):
                fault, hint = fhir_rows.misfit(path, value.type), ""
            else:
                fault, hint = getattr(path, "sentence", ""), getattr(path, "hint", "")
            if fault:
                found.append((f"fields.{name}", fault, hint))
        return found

    @override
    def build(self, scope: Scope) -> MapRow:
        paths = {
            name: kinds.FHIR_PATH.read(f"{self.add}.{name}") for name in self.fields
        }
        fields = [
            (path, self.fields[name])
            for name, path in paths.items()
            if isinstance(path, FhirPath)
        ]
        return fhir_rows.add_row(scope.line, self.add, fields, scope.site, self.as_)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEach(RowForm):
    """Run rows once per segment."""

    for_each: Annotated[Path, kinds.LOOP, "segment that is walked over"]
    do: Annotated[tuple[MapRow, ...], "the rows"]

    @override
    def build(self, scope: Scope) -> MapRow:
        return fhir_rows.for_each_row(scope.line, self.for_each.segment, self.do)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChoice:
    """One branch of ``choose``; the last may omit ``when``."""

    when: Annotated[Expression | None, kinds.CONDITION, "taken when true"] = None
    do: Annotated[tuple[MapRow, ...], "the rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose(RowForm):
    """Run the first branch whose condition is true."""

    choose: Annotated[tuple[RowChoice, ...], "branches, in order"]

    @override
    def build(self, scope: Scope) -> MapRow:
        branches = [(each.when, each.do) for each in self.choose]
        return fhir_rows.choose_row(scope.line, branches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Python(RowForm):
    """Run a function of the site over the resources."""

    python: Annotated[PythonCall, "module:function in steps/, or an installed name"]
    with_: Annotated[Mapping[str, str], kinds.TEXT, "arguments by name"] = field(
        default_factory=dict
    )

    @override
    def build(self, scope: Scope) -> MapRow:
        call = replace(self.python, arguments=dict(self.with_), line=scope.line)
        return fhir_rows.python_row(scope.line, call)


def compiled(form: RowForm, scope: Scope) -> MapRow:
    """Return the row a form compiles to, with its condition."""
    return replace(form.build(scope), when=form.when)


ROWS: Final[Mapping[str, type[RowForm]]] = MappingProxyType(
    {
        "for-each": ForEach,
        "set": Set,
        "append": Append,
        "remove": Remove,
        "add": Add,
        "choose": Choose,
        "python": Python,
    }
)
"""Every row by its first key."""
