"""The grammar of the expression language: one method for each of its rules."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from engine.errors import ParseError
from engine.hl7 import parse_path
from engine.transforms import operators
from engine.transforms.calls import Call
from engine.transforms.faults import ExpressionFault, too_much
from engine.transforms.functions import Function
from engine.transforms.number_functions import number
from engine.transforms.scope import Scope, Type
from engine.transforms.signatures import fitting
from engine.transforms.terms import (
    MAX_LIST,
    Term,
    as_text,
    constant,
    path_term,
    unknown,
)
from engine.transforms.tokens import Kind, Token

MAX_DEPTH: Final = 20
MAX_NODES: Final = 200
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_WHOLE: Final = frozenset({"coalesce", "date", "datetime", "number", "table", "trim"})
"""Functions whose value tells all of what they were given, if it tells anything."""

_MORE: Final = "expressions are small on purpose; use a Python step for more"


class Parser:
    """Recursive descent from words to one typed term."""

    def __init__(
        self, tokens: list[Token], scope: Scope, functions: Mapping[str, Function]
    ) -> None:
        self.faults: list[ExpressionFault] = []
        self.names: set[str] = set()
        self.paths: set[str] = set()
        self.tables: set[str] = set()
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._nodes = 0
        self._stopped = False
        self._scope = scope
        self._functions = functions

    def whole(self) -> Term:
        """Parse everything; what is left over is a fault."""
        if self._token.kind is Kind.END:
            self._stop(self._token, "the expression is empty", "write a value")
        term = self._expression()
        if self._token.kind is not Kind.END:
            self._unexpected(self._token)
        return term

    def as_wanted(self, term: Term, wanted: Type) -> Term:
        """Return the term as the type its place needs."""
        fits = fitting(term, wanted)
        if isinstance(fits, Term):
            return fits
        self._report(term.offset, f"this needs {wanted}, it gives {term.type}", fits)
        return term

    # expr = or [ "if" or "else" expr ]
    def _expression(self) -> Term:
        if self._too_deep():
            return unknown(self._token.offset)
        first = self._or()
        if self._take("if"):
            condition = self._truth(self._or())
            if self._expect("else", "an if needs its else"):
                first = self._choice(condition, first, self._expression())
        self._depth -= 1
        return first

    def _choice(self, condition: Term, first: Term, second: Term) -> Term:
        if not (condition.known and first.known and second.known):
            return unknown(first.offset)
        if first.type is not second.type:
            first, second = as_text(first), as_text(second)
            if Type.BOOLEAN in (first.type, second.type):
                self._report(second.offset, "both values must have the same type")
        return operators.choice(condition, first, second)

    def _or(self) -> Term:
        return self._chain("or", self._and, operators.either)

    def _and(self) -> Term:
        return self._chain("and", self._not, operators.both)

    def _chain(
        self,
        word: str,
        part: Callable[[], Term],
        combine: Callable[[Sequence[Term]], Term],
    ) -> Term:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        return self._node(combine([self._truth(each) for each in parts]))

    def _not(self) -> Term:
        if not self._is("not"):
            return self._compare()
        token = self._next()
        if self._too_deep():
            return unknown(token.offset)
        inner = self._truth(self._not())
        self._depth -= 1
        return self._node(operators.negation(inner, token.offset))

    def _truth(self, term: Term) -> Term:
        if not term.known or term.type is Type.BOOLEAN:
            return term
        hint = "write exists(PATH) or compare it with =="
        self._report(
            term.offset, f"this needs true or false, it gives {term.type}", hint
        )
        return unknown(term.offset)

    def _compare(self) -> Term:
        left = self._sum()
        token = self._token
        negated = token.text == "not" and token.kind is Kind.MARK
        if not negated and (
            token.kind is not Kind.MARK or token.text not in _COMPARISONS
        ):
            return left
        self._next()
        if negated and not self._expect("in", "write not in"):
            return left
        right = self._sum()
        if self._token.kind is Kind.MARK and self._token.text in _COMPARISONS:
            self._stop(
                self._token, "comparisons cannot be chained", "join them with and"
            )
        operator = "not in" if negated else token.text
        made = operators.comparison(operator, left, right, self._report, token.offset)
        return self._node(made)

    def _sum(self) -> Term:
        term = self._unary()
        while self._is("+") or self._is("-"):
            token = self._next()
            right = self._unary()
            made = operators.arithmetic(token.text, term, right, self._report)
            term = self._node(made)
        return term

    def _unary(self) -> Term:
        if not self._is("-"):
            return self._atom()
        token = self._next()
        term = self._atom()
        if term.known and term.type is not Type.NUMBER:
            self._report(
                token.offset, f"'-' takes numbers, this is {term.type}", "number(…)"
            )
            return unknown(token.offset)
        return self._node(operators.minus(term, token.offset))

    def _atom(self) -> Term:
        token = self._next()
        if token.kind is Kind.MARK and token.text == "(":
            inner = self._expression()
            self._expect(")", "a ( needs its )")
            return inner
        if token.kind is Kind.MARK and token.text == "[":
            return self._node(self._list(token))
        if token.kind is Kind.MARK or token.kind is Kind.END:
            self._unexpected(token)
            return unknown(token.offset)
        return self._node(self._leaf(token))

    def _leaf(self, token: Token) -> Term:
        if token.kind is Kind.TEXT:
            return constant(token.text, Type.TEXT, token.offset)
        if token.kind is Kind.NUMBER:
            return constant(number(token.text), Type.NUMBER, token.offset)
        if token.kind is Kind.PATH:
            return self._path(token)
        return self._call(token) if self._is("(") else self._name(token)

    def _path(self, token: Token) -> Term:
        try:
            path = parse_path(token.text)
        except ParseError:
            self._report(
                token.offset,
                f"'{token.text}' is not an HL7 path",
                "numbers count from 1",
            )
            return unknown(token.offset)
        self.paths.add(token.text)
        return path_term(path, self._scope, token.offset)

    def _name(self, token: Token) -> Term:
        if token.text in ("true", "false"):
            return constant(token.text == "true", Type.BOOLEAN, token.offset)
        names, name = self._scope.names, token.text
        if self._scope.knows(name):
            self.names.add(name)
            return Term(
                names[name], operators.name_reader(name, names[name]), token.offset
            )
        self._report(token.offset, f"unknown name {name}", self._name_hint(name))
        return unknown(token.offset)

    def _name_hint(self, name: str) -> str:
        if name.startswith("identity."):
            if not self._scope.matches:
                return "this channel says match: false"
            if self._scope.place in ("processing", "map"):
                return "the person is known in destinations only"
        if name in ("True", "False"):
            return f"write {name.lower()}"
        if name in self._functions:
            return f"write {name}(…)"
        near = get_close_matches(name, self._scope.names, 1)
        if near:
            return f"did you mean {near[0]}?"
        return "texts stand in quotes; paths are written like PID-5.1"

    def _call(self, token: Token) -> Term:
        self._next()
        arguments = self._until(")")
        function = self._functions.get(token.text)
        if function is None:
            near = get_close_matches(token.text, self._functions, 1)
            hint = f"did you mean {near[0]}()?" if near else _MORE
            self._report(token.offset, f"unknown function {token.text}()", hint)
            return unknown(token.offset)
        if not all(argument.known for argument in arguments):
            return unknown(token.offset)
        fitted = self._fitted(function, arguments, token)
        return (
            unknown(token.offset)
            if fitted is None
            else self._compiled(function, fitted, token)
        )

    def _fitted(
        self, function: Function, arguments: list[Term], token: Token
    ) -> list[Term] | None:
        """Return the arguments as the signature wants them; None after a fault."""
        fault = function.count_fault(len(arguments))
        if fault:
            self._report(token.offset, fault, function.signature)
            return None
        fitted: list[Term] = []
        for index, argument in enumerate(arguments):
            wanted = function.parameter(index)
            fits = fitting(argument, wanted)
            if not isinstance(fits, Term):
                sentence = f"{token.text}() needs {wanted}, got {argument.type}"
                self._report(argument.offset, sentence, fits)
                return None
            fitted.append(fits)
        return fitted

    def _compiled(self, function: Function, fitted: list[Term], token: Token) -> Term:
        result = function.result
        if result is Type.ANY:
            result = fitted[0].type
            if any(term.type is not result for term in fitted):
                fitted, result = [as_text(term) for term in fitted], Type.TEXT
        call = Call(function.name, fitted, result, self._scope, self._report)
        evaluate = function.build(call)
        if evaluate is None:
            return unknown(token.offset)
        if function.name in ("table", "mapped"):
            self.tables.add(call.literal(0))
        through = fitted if function.name in _WHOLE else ()
        sources = tuple(each for term in through for each in term.sources)
        return Term(result, evaluate, token.offset, sources=sources)

    def _list(self, token: Token) -> Term:
        terms: list[Term] = []
        for term in self._until("]"):
            fits = fitting(term, Type.TEXT)
            if not isinstance(fits, Term):
                sentence = f"a list holds texts, this is {term.type}"
                self._report(term.offset, sentence, fits)
                return unknown(token.offset)
            terms.append(fits)
        if not all(term.known for term in terms):
            return unknown(token.offset)
        return operators.listing(terms[:MAX_LIST], token.offset)

    def _until(self, closing: str) -> list[Term]:
        """Parse expressions between commas up to the closing mark."""
        if self._take(closing):
            return []
        terms = [self._expression()]
        while self._take(","):
            terms.append(self._expression())
        self._expect(closing, f"a {closing} is missing")
        return terms

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _is(self, word: str) -> bool:
        token = self._tokens[self._at]
        return token.text == word and token.kind is Kind.MARK

    def _take(self, word: str) -> bool:
        if self._is(word):
            self._next()
            return True
        return False

    def _expect(self, word: str, hint: str) -> bool:
        if self._take(word):
            return True
        self._unexpected(self._token, hint)
        return False

    def _unexpected(self, token: Token, hint: str = _MORE) -> None:
        if token.kind is Kind.END:
            self._stop(token, "the expression ends too early", hint)
        else:
            self._stop(token, f"'{token.text}' cannot stand here", hint)

    def _stop(self, token: Token, sentence: str, hint: str) -> None:
        """Report a fault of grammar and skip the rest: nothing after it is sure."""
        self._report(token.offset, sentence, hint)
        self._stopped = True
        self._at = len(self._tokens) - 1

    def _report(self, offset: int, sentence: str, hint: str = "") -> None:
        if not self._stopped:
            self.faults.append(ExpressionFault(offset, sentence, hint))

    def _node(self, term: Term) -> Term:
        self._nodes += 1
        if self._nodes == MAX_NODES + 1:
            self.faults.append(
                too_much(term.offset, f"this has more than {MAX_NODES} parts")
            )
        return term

    def _too_deep(self) -> bool:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._stop(
                self._token, f"this is nested deeper than {MAX_DEPTH} levels", _MORE
            )
            return True
        return False
