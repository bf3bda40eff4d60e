"""The channel's expression language, compiled once into one typed closure.

A parser of our own builds the closures: no Python source is made, so there is nothing
in it that could be called but the functions of the table, and every fault knows its
place. Nothing is parsed at message time, and nothing an expression does can raise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.transforms.faults import ExpressionFault, too_much
from engine.transforms.functions import FUNCTIONS, Function
from engine.transforms.grammar import Parser
from engine.transforms.scope import EditContext, Scope, Type, Value
from engine.transforms.terms import Source
from engine.transforms.tokens import Kind, Token, tokens_of

MAX_LENGTH: Final = 2_000


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression. ``evaluate`` never raises, whatever the message holds.

    ``constant`` tells that the value is the same for every message. ``names`` are the
    context names it uses, ``paths`` its HL7 paths and ``tables`` its code tables.
    ``sources`` are the leaves of the message that the value may tell, see `Term`.
    """

    text: str
    type: Type
    evaluate: Callable[[EditContext], Value] = field(repr=False, compare=False)
    constant: bool = False
    names: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    sources: tuple[Source, ...] = field(default=(), repr=False, compare=False)


def compile_expression(
    text: str,
    scope: Scope,
    wanted: Type = Type.ANY,
    functions: Mapping[str, Function] = FUNCTIONS,
) -> tuple[Expression | None, list[ExpressionFault]]:
    """Return the compiled expression, or None and everything wrong with it.

    Args:
        text: what the channel file says.
        scope: what it may name.
        wanted: the type it must give. Where text is wanted, numbers and times are
            written as text.
        functions: the built-in ones, or these and those of packages.
    """
    if len(text) > MAX_LENGTH:
        return None, [too_much(0, f"this is longer than {MAX_LENGTH} characters")]
    tokens, fault = tokens_of(text)
    if fault:
        tokens.append(Token(Kind.END, "", fault.offset))
    parser = Parser(tokens, scope, functions)
    term = parser.whole()
    if fault:
        before = [found for found in parser.faults if found.offset < fault.offset]
        return None, [*before, fault]
    term = parser.as_wanted(term, wanted)
    if parser.faults:
        return None, sorted(parser.faults, key=lambda found: found.offset)
    made = Expression(
        text=text,
        type=term.type,
        evaluate=term.evaluate,
        constant=term.constant,
        names=frozenset(parser.names),
        paths=frozenset(parser.paths),
        tables=frozenset(parser.tables),
        sources=term.sources,
    )
    return made, []
