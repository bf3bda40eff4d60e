"""Functions that look at the message, its code tables or its resources."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from engine.hl7 import Finding, Path
from engine.hl7.path import ALL
from engine.transforms.calls import Call
from engine.transforms.code_tables import TO, CodeTable, MissPolicy, OnMissing
from engine.transforms.scope import EditContext, Scope, Value
from engine.transforms.terms import (
    MAX_LIST,
    Evaluate,
    as_text,
    encoded_reader,
    is_missing,
    is_null,
    segments_at,
)
from engine.transforms.text_functions import whole
from engine.transforms.trace import Lookup, Miss

_GROUPS: Final = (OnMissing.KEEP, OnMissing.FLAG)


def coalesce(call: Call) -> Evaluate:
    """Compile ``coalesce(value, …)``: the first that is not missing or null."""
    evaluates = [argument.evaluate for argument in call.arguments]

    def run(context: EditContext) -> Value:
        found: Value = None
        for evaluate in evaluates:
            found = evaluate(context)
            if found is not None and found not in ("", []):
                return found
        return found

    return run


def exists(call: Call) -> Evaluate:
    """Compile ``exists(path)``: a value was sent, neither missing nor null."""
    return _any_of(
        call, lambda raw, context: not is_missing(raw, context) and not is_null(raw)
    )


def isnull(call: Call) -> Evaluate:
    """Compile ``isnull(path)``: HL7 null was sent."""
    return _any_of(call, lambda raw, _context: is_null(raw))


def ismissing(call: Call) -> Evaluate:
    """Compile ``ismissing(path)``: nothing was sent."""
    sent = _any_of(call, lambda raw, context: not is_missing(raw, context))
    return lambda context: not sent(context)


def encoded(call: Call) -> Evaluate:
    """Compile ``encoded(path)``: the raw encoded text."""
    return encoded_reader(_path(call), call.scope)


def _path(call: Call) -> Path:
    path = call.arguments[0].path
    assert path is not None, "the signature says path"
    return path


def _any_of(
    call: Call, test: Callable[[str, EditContext], bool]
) -> Callable[[EditContext], bool]:
    """Return whether one of the places a path speaks of passes the test."""
    path = _path(call)
    if ALL not in (path.occurrence, path.repetition):
        read = encoded_reader(path, call.scope)
        return lambda context: test(read(context), context)
    find = segments_at(path, call.scope)

    def run(context: EditContext) -> bool:
        for segment in find(context):
            for found in segment.positions(path.field):
                raw = found.raw
                if path.component:
                    parts = found.sub(path.component)
                    raw = parts[0] if parts else ""
                    raw = '""' if found.is_null(path.component) else raw
                if test(raw, context):
                    return True
        return False

    return run


def pick(call: Call) -> Evaluate | None:
    """Compile ``pick(list, where, equals, take)`` over the repetitions of a field."""
    path = _path(call)
    if path.repetition != ALL or path.component:
        call.fault(0, "pick() needs all repetitions of a field", "write PID-3[*]")
        return None
    find = segments_at(path, call.scope)
    where, equals, take = (argument.evaluate for argument in call.arguments[1:])

    def run(context: EditContext) -> Value:
        wanted = equals(context)
        at, component = _place(where(context)), _place(take(context))
        if not at or not component:
            return ""
        for segment in find(context):
            for found in segment.repetitions(path.field)[:MAX_LIST]:
                if found.text(at) == wanted:
                    return found.text(component)
        return ""

    return run


def _place(value: Value) -> int:
    return max(whole(value), 0) if isinstance(value, Decimal) else 0


def segment_count(call: Call) -> Evaluate:
    """Compile ``segment_count("OBX")``."""
    wanted = call.literal(0)
    return lambda context: Decimal(
        sum(1 for segment in context.message.segments if segment.id == wanted)
    )


def table(call: Call) -> Evaluate | None:
    """Compile ``table(name, key[, column])``; a miss follows ``on-missing``."""
    found = _table(call)
    column = call.literal(2) or TO
    if found is None:
        return None
    if column not in found.columns:
        call.fault(
            2 if len(call.arguments) > 2 else 0,  # noqa: PLR2004 - the third argument
            f"table {found.name!r} has no column {column!r}",
            f"columns here: {', '.join(found.columns)}",
        )
        return None
    evaluate = as_text(call.arguments[1]).evaluate
    look = looker(found, column, call.scope)
    return lambda context: look(str(evaluate(context)), context)


def looker(
    found: CodeTable, column: str, scope: Scope
) -> Callable[[str, EditContext], str]:
    """Return the function that looks one code up and notes what came of it."""
    policy = scope.policy or found.on_missing
    fallback = {OnMissing.DEFAULT: policy.text}

    def look(code: str, context: EditContext) -> str:
        if not code:
            return ""
        result = found.lookup(code, column, at=context.received_at)
        if result is not None:
            context.lookups.append(
                Lookup(found.name, found.version, code, result, scope.line)
            )
            return result
        miss = _miss(found, code, policy, scope)
        context.misses.append(miss)
        if miss.flagged:
            text = f"no row for the code in table {found.name}"
            context.findings.append(Finding("table_miss", scope.line, text))
        if miss.stops and context.stopping is None:
            context.stopping = miss
        return code if policy.kind in _GROUPS else fallback.get(policy.kind, "")

    return look


def _miss(found: CodeTable, code: str, policy: MissPolicy, scope: Scope) -> Miss:
    stops = policy.kind is OnMissing.ERROR
    return Miss(
        table=found.name,
        code=code,
        line=scope.line,
        stops=stops,
        flagged=policy.kind is OnMissing.FLAG,
        label=policy.text if stops else "",
    )


def mapped(call: Call) -> Evaluate | None:
    """Compile ``mapped(name, key)``: whether the table has the code."""
    found = _table(call)
    if found is None:
        return None
    evaluate = as_text(call.arguments[1]).evaluate
    return lambda context: (
        found.lookup(str(evaluate(context)), at=context.received_at) is not None
    )


def _table(call: Call) -> CodeTable | None:
    name, tables = call.literal(0), call.scope.tables
    if name in tables:
        return tables[name]
    call.fault(0, f"no code table named {name!r}", missing_table_hint(name, tables))
    return None


def missing_table_hint(name: str, tables: object) -> str:
    """Return what to do about a table that is not there."""
    known = ", ".join(sorted(map(str, tables))) if isinstance(tables, dict) else ""
    return f"tables/{name}.csv does not exist; tables here: {known or 'none'}"


def env(call: Call) -> Evaluate | None:
    """Compile ``env(name)``: fixed when the channel is loaded."""
    name = call.literal(0)
    value = call.scope.environment.get(name)
    if value is None:
        call.fault(
            0,
            f"{name} has no value",
            "set it under [environments.default] in interop.toml",
        )
        return None
    return lambda _context: value


def reference(call: Call) -> Evaluate | None:
    """Compile ``reference(type[, key])``: a resource of this message."""
    if call.scope.place != "map":
        call.fault(0, "reference() works in map only", "")
        return None
    kind = call.literal(0)
    key = call.arguments[1].evaluate if len(call.arguments) > 1 else None

    def run(context: EditContext) -> Value:
        wanted = str(key(context)) if key else ""
        return context.reference(kind, wanted) if context.reference else None

    return run
