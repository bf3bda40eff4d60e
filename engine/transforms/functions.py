"""The functions of the expression language: signatures and what they compute.

All are pure, bounded and total: what cannot be read becomes missing, never an error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from engine.transforms import calendar_functions as times
from engine.transforms import message_functions as messages
from engine.transforms import number_functions as numbers
from engine.transforms import pattern_functions as patterns
from engine.transforms import text_functions as texts
from engine.transforms.calls import Build, plainly
from engine.transforms.scope import Type


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its signature as it is documented, and how a call is compiled.

    A parameter ends in ``?`` when it may be left out and in ``...`` when it may be
    repeated. Beside the types of the language, ``value`` takes any of them, ``path`` an
    HL7 path and ``literal`` a text written in quotes.
    """

    signature: str
    build: Build

    @property
    def name(self) -> str:
        """The word it is called by."""
        return self.signature.partition("(")[0]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Its parameters, in order."""
        inside = self.signature.partition("(")[2].rpartition(")")[0]
        return tuple(part.strip() for part in inside.split(",") if part.strip())

    @property
    def result(self) -> Type:
        """The type it gives; `Type.ANY` means the type of its first argument."""
        return Type(self.signature.rpartition(" -> ")[2])

    def count_fault(self, given: int) -> str:
        """Return what is wrong with a number of arguments, or ``""``."""
        known = self.parameters
        least = sum(1 for each in known if not each.endswith("?"))
        if given >= least and (given <= len(known) or known[-1].endswith("...")):
            return ""
        most = f" or {len(known)}" if len(known) > least else ""
        return f"{self.name}() needs {least}{most} values, got {given}"

    def parameter(self, index: int) -> str:
        """Return what an argument must be: a type, ``value``, ``path``, ``literal``."""
        known = self.parameters
        return known[min(index, len(known) - 1)].rstrip("?.")


def _plain(signature: str, run: Callable[..., object]) -> Function:
    return Function(signature, plainly(run))


_ALL: Final = (
    _plain("upper(text) -> text", str.upper),
    _plain("lower(text) -> text", str.lower),
    _plain("title(text) -> text", str.title),
    _plain("trim(text) -> text", str.strip),
    _plain("collapse(text) -> text", texts.collapse),
    Function("concat(value...) -> text", texts.concat),
    _plain("substr(text, number, number?) -> text", texts.substr),
    _plain("left(text, number) -> text", texts.left),
    _plain("right(text, number) -> text", texts.right),
    _plain("replace(text, text, text) -> text", texts.replace),
    _plain("pad(text, number, text?) -> text", texts.pad),
    _plain("strip_zeros(text) -> text", texts.strip_zeros),
    _plain("digits(text) -> text", texts.digits),
    _plain("ascii(text) -> text", texts.fold_accents),
    _plain("split(text, text) -> list of text", texts.split),
    _plain("join(list of text, text) -> text", texts.join),
    _plain("length(text) -> number", texts.length),
    _plain("startswith(text, text) -> boolean", str.startswith),
    _plain("endswith(text, text) -> boolean", str.endswith),
    _plain("contains(text, text) -> boolean", str.__contains__),
    Function("matches(text, literal) -> boolean", patterns.matches),
    Function("extract(text, literal, number?) -> text", patterns.extract),
    Function("substitute(text, literal, literal) -> text", patterns.substitute),
    Function("coalesce(value...) -> any", messages.coalesce),
    Function("exists(path) -> boolean", messages.exists),
    Function("ismissing(path) -> boolean", messages.ismissing),
    Function("isnull(path) -> boolean", messages.isnull),
    Function("encoded(path) -> text", messages.encoded),
    _plain("first(list of text) -> text", texts.first),
    _plain("last(list of text) -> text", texts.last),
    _plain("count(list of text) -> number", texts.length),
    Function("pick(path, number, text, number) -> text", messages.pick),
    Function("segment_count(literal) -> number", messages.segment_count),
    _plain("number(text) -> number", numbers.number),
    _plain("round(number, number) -> number", numbers.rounded),
    _plain("scale(number, number, number) -> number", numbers.scale),
    Function("date(text, literal?) -> date", times.date),
    Function("datetime(text, literal?) -> datetime", times.datetime_),
    Function("format_date(date, literal) -> text", times.format_date),
    Function("to_zone(datetime, literal) -> datetime", times.to_zone),
    Function("age(date, date?) -> number", times.age),
    _plain("add_days(date, number) -> date", times.add_days),
    _plain("days_between(date, date) -> number", times.days_between),
    Function("table(literal, text, literal?) -> text", messages.table),
    Function("mapped(literal, text) -> boolean", messages.mapped),
    Function("valid_id(text, literal) -> boolean", numbers.valid_id),
    Function("stable_id(value...) -> text", texts.stable_id),
    Function("env(literal) -> text", messages.env),
    Function("reference(literal, text?) -> reference", messages.reference),
)

FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {function.name: function for function in _ALL}
)
"""Every built-in function by name; packages may add more (`registry`)."""
