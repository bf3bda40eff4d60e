"""The operators of the expression language as closures over their operands."""

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final

from engine.hl7.timestamps import Timestamp
from engine.transforms.calls import ReportFault
from engine.transforms.number_functions import ARITHMETIC, finite
from engine.transforms.scope import EditContext, Type, Value
from engine.transforms.signatures import fitting
from engine.transforms.terms import (
    Evaluate,
    Source,
    Term,
    constant,
    instant_of,
    unknown,
)

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge,
}  # fmt: skip
_TIMES: Final = frozenset({Type.DATE, Type.DATETIME})
_UNORDERED: Final = frozenset({Type.BOOLEAN, Type.LIST, Type.REFERENCE})


def choice(condition: Term, first: Term, second: Term) -> Term:
    """Return ``first if condition else second``."""
    test, yes, no = condition.evaluate, first.evaluate, second.evaluate
    return Term(
        first.type,
        lambda context: yes(context) if test(context) else no(context),
        first.offset,
        constant=condition.constant and first.constant and second.constant,
        sources=() if first.type is Type.BOOLEAN else first.sources + second.sources,
    )


def either(terms: Sequence[Term]) -> Term:
    """Return ``a or b or …``, left to right and no further than needed."""
    return _joined(terms, ends_with=True)


def both(terms: Sequence[Term]) -> Term:
    """Return ``a and b and …``, left to right and no further than needed."""
    return _joined(terms, ends_with=False)


def _joined(terms: Sequence[Term], *, ends_with: bool) -> Term:
    if not all(term.known for term in terms):
        return unknown(terms[0].offset)
    run = terms[-1].evaluate
    for term in reversed(terms[:-1]):
        run = (_or if ends_with else _and)(term.evaluate, run)
    fixed = all(term.constant for term in terms)
    decided = any(term.value is ends_with for term in terms)
    return Term(Type.BOOLEAN, run, terms[0].offset, constant=fixed or decided)


def _or(first: Evaluate, second: Evaluate) -> Evaluate:
    return lambda context: first(context) or second(context)


def _and(first: Evaluate, second: Evaluate) -> Evaluate:
    return lambda context: first(context) and second(context)


def negation(term: Term, offset: int) -> Term:
    """Return ``not a``."""
    if not term.known:
        return term
    evaluate = term.evaluate
    return Term(
        Type.BOOLEAN,
        lambda context: not evaluate(context),
        offset,
        constant=term.constant,
    )


def minus(term: Term, offset: int) -> Term:
    """Return the number with the other sign."""
    if not term.known:
        return term
    if isinstance(term.value, Decimal):
        return constant(-term.value, Type.NUMBER, offset)
    evaluate = term.evaluate

    def run(context: EditContext) -> Value:
        value = evaluate(context)
        return -value if isinstance(value, Decimal) else None

    return Term(Type.NUMBER, run, offset)


def arithmetic(operator: str, left: Term, right: Term, report: ReportFault) -> Term:
    """Return ``a + b`` or ``a - b``; missing when one of them is."""
    for term in (left, right):
        if term.known and term.type is not Type.NUMBER:
            hint = "write number(…) around it; texts are joined with concat(…)"
            report(
                term.offset, f"'{operator}' takes numbers, this is {term.type}", hint
            )
            return unknown(left.offset)
    if not (left.known and right.known):
        return unknown(left.offset)
    first, second = left.evaluate, right.evaluate
    combine = ARITHMETIC.add if operator == "+" else ARITHMETIC.subtract

    def run(context: EditContext) -> Value:
        one, other = first(context), second(context)
        if isinstance(one, Decimal) and isinstance(other, Decimal):
            return finite(combine(one, other))
        return None

    return Term(
        Type.NUMBER, run, left.offset, constant=left.constant and right.constant
    )


def comparison(
    operator: str, left: Term, right: Term, report: ReportFault, offset: int
) -> Term:
    """Return a comparison, or the unknown after reporting that it cannot be."""
    if not (left.known and right.known):
        return unknown(left.offset)
    if operator.endswith("in"):
        return _membership(operator, left, right, report)
    if not _comparable(operator, left, right, report, offset):
        return unknown(left.offset)
    fixed = left.constant and right.constant
    evaluate = _comparing(operator, left, right)
    told = _told_if_equal(left, right) if operator == "==" else ()
    return Term(Type.BOOLEAN, evaluate, left.offset, constant=fixed, sources=told)


def _told_if_equal(left: Term, right: Term) -> tuple[Source, ...]:
    """Return the leaf that is known wholly where it equals a text written out."""
    path = left if right.literal else right
    other = right if right.literal else left
    return path.sources if path.path is not None and other.literal else ()


def _comparable(
    operator: str, left: Term, right: Term, report: ReportFault, offset: int
) -> bool:
    if left.type is not right.type and not {left.type, right.type} <= _TIMES:
        text, other = (left, right) if left.type is Type.TEXT else (right, left)
        hint = fitting(text, other.type)
        hint = hint if isinstance(hint, str) else ""
        if Type.LIST in (left.type, right.type):
            hint = 'write "text" in PID-3[*].4'
        report(offset, f"{left.type} cannot be compared with {right.type}", hint)
        return False
    if left.type in _UNORDERED and (
        left.type is not Type.BOOLEAN or operator not in ("==", "!=")
    ):
        report(offset, f"'{operator}' does not compare values of type {left.type}", "")
        return False
    return True


def _comparing(operator: str, left: Term, right: Term) -> Evaluate:
    compare, first, second = _COMPARE[operator], left.evaluate, right.evaluate
    if left.type in _TIMES:
        return _comparing_times(operator, first, second)
    if operator == "==" and right.literal:
        value = right.value
        return lambda context: first(context) == value
    if operator in ("==", "!="):
        return lambda context: compare(first(context), second(context))

    def ordered(context: EditContext) -> Value:
        one, other = first(context), second(context)
        if one is None or other is None or one == "" or other == "":
            return False
        return compare(one, other)

    return ordered


def _comparing_times(operator: str, first: Evaluate, second: Evaluate) -> Evaluate:
    compare, missing_counts = _COMPARE[operator], operator in ("==", "!=")

    def run(context: EditContext) -> Value:
        one = _moment(first(context), context.zone)
        other = _moment(second(context), context.zone)
        if one is None or other is None:
            return missing_counts and compare(one, other)
        return compare(one, other)

    return run


def _moment(value: Value, zone: tzinfo) -> datetime | None:
    """Return what times are compared by; a date counts from its first moment."""
    return instant_of(value, zone) if isinstance(value, Timestamp) else None


def _membership(operator: str, left: Term, right: Term, report: ReportFault) -> Term:
    fits = fitting(left, Type.TEXT)
    if right.type is not Type.LIST or not isinstance(fits, Term):
        hint = "write contains(text, text)" if right.type is Type.TEXT else ""
        hint = hint or 'write text in ["A", "B"]'
        report(
            right.offset,
            f"'{operator}' needs text and a list, this is {right.type}",
            hint,
        )
        return unknown(left.offset)
    wanted, first, second = operator == "in", fits.evaluate, right.evaluate
    if isinstance(right.value, list):
        known = frozenset(map(str, right.value))
        return Term(
            Type.BOOLEAN,
            (lambda context: first(context) in known)
            if wanted
            else (lambda context: first(context) not in known),
            left.offset,
            constant=fits.constant,
        )

    def run(context: EditContext) -> Value:
        values = second(context)
        return (isinstance(values, list) and first(context) in values) is wanted

    return Term(Type.BOOLEAN, run, left.offset)


def listing(terms: Sequence[Term], offset: int) -> Term:
    """Return a list of texts."""
    if all(term.literal for term in terms):
        return constant([str(term.value) for term in terms], Type.LIST, offset)
    evaluates = [term.evaluate for term in terms]
    return Term(
        Type.LIST,
        lambda context: [str(evaluate(context)) for evaluate in evaluates],
        offset,
    )


def name_reader(name: str, kind: Type) -> Evaluate:
    """Return the function that reads a context name."""
    if name == "index":
        return lambda context: Decimal(context.index)
    missing = "" if kind is Type.TEXT else None
    return lambda context: context.names.get(name, missing)
