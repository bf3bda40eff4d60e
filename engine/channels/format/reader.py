"""From YAML nodes to frozen values, with every fault at its place.

One reader for everything: it follows the table of keys (`keys.py`), so a key that
exists is read, described, completed and refused in one way.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Final

from engine.channels.format import row_forms
from engine.channels.format.alerts import Alert
from engine.channels.format.channel import Channel, Destination
from engine.channels.format.faults import Fault, Place
from engine.channels.format.keys import KeyRow, Shape, keys_of
from engine.channels.format.kinds import ExpressionKind, Kind
from engine.channels.format.nodes import Entries, Items, Node, Scalar
from engine.channels.format.placeholders import Placeholders
from engine.channels.format.readings import Refused
from engine.channels.format.step_form import Form, Problem, loop_of
from engine.channels.format.step_forms import STEPS
from engine.transforms.code_tables import CodeTable, MissPolicy
from engine.transforms.edits import Step
from engine.transforms.expressions import compile_expression
from engine.transforms.fhir_rows import MapRow
from engine.transforms.functions import FUNCTIONS, Function
from engine.transforms.message_functions import missing_table_hint
from engine.transforms.scope import Scope

BAD: Final = object()
"""Stands for a value that was refused; its fault is reported already."""

_CONNECTIONS: Final = frozenset({"source", "fhir", "cda", "mllp", "file", "http"})
_CONNECTED: Final = (Channel, Destination, Alert)
_SECRET_WORDS: Final = ("password", "token", "secret", "key", "authorization")
_SURELY: Final = 0.85
"""So alike, an unknown key is a known one misspelled, and no secret."""

_ALWAYS: Final = {"tls": frozenset({"none", "system"})}
_OWN_FILES: Final = {"tables": "", "models": "define it under models: in identity.yaml"}


@dataclass(frozen=True, slots=True)
class Names:
    """What files may refer to: names of the project, and values of the environment.

    ``known`` holds names by section of ``interop.toml``; a section that is not there is
    not checked.
    """

    tables: Mapping[str, CodeTable] = field(default_factory=dict)
    known: Mapping[str, Collection[str]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    placeholders: Placeholders = field(default_factory=Placeholders)
    functions: Mapping[str, Function] = field(default_factory=lambda: FUNCTIONS)
    site: str = ""


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around a value: the scope of its expressions, and what is allowed."""

    scope: Scope
    placeholders: bool = False


class Reader:
    """Reads one channel; faults go to ``report``."""

    def __init__(self, names: Names, report: Callable[[Fault], None]) -> None:
        self._names = names
        self._report = report

    def read(self, shape: Shape, node: Node, around: Around) -> object:
        """Return the value a node holds, or `BAD` after reporting why it has none."""
        if shape.items is not None:
            return self._items(shape.items, node, around)
        if shape.values is not None:
            return self._mapping(shape, node, around)
        if shape.inside is not None:
            return self._inside(shape.inside, node, around)
        if not isinstance(node, Scalar):
            return self._refuse(node.place, "a text is wanted here", "CH102")
        return self._text(shape, node, around)

    def _inside(self, cls: type, node: Node, around: Around) -> object:
        if cls is Step:
            return self._step(node, around)
        return (
            self._row(node, around)
            if cls is MapRow
            else self.read_object(cls, node, around)
        )

    def read_object(
        self, cls: type, node: Node, around: Around, head: str = "", **extra: object
    ) -> object:
        """Return an instance of a class whose fields are keys."""
        if not isinstance(node, Entries):
            return self._refuse(node.place, "keys and values are wanted here", "CH102")
        rows = keys_of(cls)
        guessed = self._unknown_keys(node, rows)
        values: dict[str, object] = dict(extra)
        bad = not self._one_of(cls, node)
        inner = around
        for row in _reading_order(rows, head):
            if row.name in node.items:
                value = self._field(
                    cls, row, node, around if row.name == head else inner
                )
                if value is not BAD:
                    values[row.field] = value
                bad = bad or (value is BAD and row.required)
            elif row.required:
                bad = True
                if row.name not in guessed:
                    self._missing(row, node)
            inner = _inner(row, head, values, inner)
        if any(each.name == "line" for each in fields(cls)):
            values["line"] = node.place.short
        return BAD if bad else cls(**values)

    def _field(self, cls: type, row: KeyRow, node: Entries, around: Around) -> object:
        key, value = node.items[row.name]
        if cls in _CONNECTED and row.name in (*_CONNECTIONS, "notify"):
            around = replace(around, placeholders=True)
        place = "destination" if cls is Destination else ""
        if cls is Channel and row.name == "map":
            place = "map"
        if place:
            around = replace(around, scope=replace(around.scope, place=place))
        if row.shape.items is not None and isinstance(value, Scalar) and not value.text:
            return self._refuse(key.place, f"{row.name} is empty", "CH102")
        return self.read(row.shape, value, around)

    def _text(self, shape: Shape, node: Scalar, around: Around) -> object:
        if shape.expression is not None:
            return self._expression(shape.expression, node, around.scope)
        text = self._names.placeholders.filled(
            node, self._report, allowed=around.placeholders
        )
        if text is None:
            return BAD
        if text in shape.words:
            return text
        if shape.kind is None or (shape.words and shape.kind.names):
            return self._wrong_word(shape, node)
        return self._kind(shape, node, text)

    def _kind(self, shape: Shape, node: Scalar, text: str) -> object:
        kind = shape.kind
        assert kind is not None
        value = kind.read(text)
        if isinstance(value, Refused):
            sentence = (
                value.sentence.replace(text, node.text) if text else value.sentence
            )
            place = node.at(value.offset) if value.offset else node.place
            return self._refuse(place, sentence, value.code, value.hint)
        if kind.names and not self._refers(kind, text, node):
            return BAD
        return value

    def _wrong_word(self, shape: Shape, node: Scalar) -> object:
        *most, last = shape.words
        listed = f"{', '.join(most)} or {last}" if most else last
        near = get_close_matches(node.text, shape.words, 1)
        hint = f"did you mean {near[0]}?" if near else ""
        sentence = f"{node.text!r} is not allowed here; use {listed}"
        return self._refuse(node.place, sentence, "CH111", hint)

    def _refers(self, kind: Kind, text: str, node: Scalar) -> bool:
        """Whether a name of the project exists."""
        known = self._names.known.get(kind.names)
        if kind.names == "tables":
            known = self._names.tables.keys()
        if known is None or text in known or text in _ALWAYS.get(kind.names, ()):
            return True
        near = get_close_matches(text, known, 1)
        hint = f"did you mean {near[0]}?" if near else _OWN_FILES.get(kind.names, "")
        if kind.names == "tables":
            hint = missing_table_hint(text, dict(self._names.tables))
        hint = hint or f"define [{kind.names}.{text}] in interop.toml"
        code = "CH220" if kind.names == "tables" else "CH320"
        self._refuse(node.place, f"no {kind.name} named {text!r}", code, hint)
        return False

    def _expression(self, kind: ExpressionKind, node: Scalar, scope: Scope) -> object:
        if "${" in node.text:
            return self._refuse(
                node.at(node.text.index("${")),
                "a placeholder cannot stand in an expression",
                "CH121",
                'write env("NAME")',
            )
        if kind.place:
            scope = replace(scope, place=kind.place)
        made, faults = compile_expression(
            node.text, scope, kind.type, self._names.functions
        )
        for fault in faults:
            place = node.at(fault.offset)
            self._report(Fault(place, fault.sentence, fault.hint, fault.code))
        return BAD if made is None else made

    def _items(self, shape: Shape, node: Node, around: Around) -> object:
        if not isinstance(node, Items):
            hint = "write - before each item, or [a, b]"
            return self._refuse(node.place, "a list is wanted here", "CH102", hint)
        values = [self.read(shape, item, around) for item in node.items]
        return tuple(value for value in values if value is not BAD)

    def _mapping(self, shape: Shape, node: Node, around: Around) -> object:
        if not isinstance(node, Entries):
            return self._refuse(node.place, "keys and values are wanted here", "CH102")
        assert shape.values is not None
        assert shape.names is not None
        found: dict[object, object] = {}
        for name, (key, value) in node.items.items():
            self._look_for_secret(key, value)
            read_key: object = name
            if shape.names.kind is not None:
                read_key = self.read(shape.names, key, around)
            read_value = self.read(shape.values, value, around)
            if BAD not in (read_key, read_value):
                found[read_key] = read_value
        return found

    def _step(self, node: Node, around: Around) -> object:
        found = self._form(node, around, STEPS, "step")
        if not isinstance(found, Form):
            return BAD
        scope = _scope_of(found, node, around)
        if self._problems(found.problems(scope), node):
            return BAD
        name = next(name for name, cls in STEPS.items() if cls is type(found))
        own = name in ("keep-repetitions", "remove-segment", "for-each")
        return Step(
            name=name,
            line=scope.line,
            run=found.build(scope),
            when=None if own else found.when,
            note=found.note,
            id=found.id,
            timed=name != "python",
        )

    def _row(self, node: Node, around: Around) -> object:
        if isinstance(node, Entries) and "for-each" in node.items:
            node = _with_do(node)
        found = self._form(node, around, row_forms.ROWS, "row")
        if not isinstance(found, row_forms.RowForm):
            return BAD
        scope = _scope_of(found, node, around)
        if self._problems(found.problems(scope), node):
            return BAD
        return row_forms.compiled(found, scope)

    def _form(
        self, node: Node, around: Around, forms: Mapping[str, type], word: str
    ) -> object:
        """Return the form of a step or row: found by the first key that names one."""
        if not isinstance(node, Entries) or not node.items:
            return self._refuse(node.place, f"a {word} is wanted here", "CH102")
        head = next((name for name in node.items if name in forms), "")
        if head:
            return self.read_object(forms[head], node, self._placed(node, around), head)
        first = next(iter(node.items.values()))[0]
        near = get_close_matches(first.text, forms, 1)
        hint = f"did you mean {near[0]}?" if near else f"{word}s: {', '.join(forms)}"
        return self._refuse(
            first.place, f"unknown {word} {first.text!r}", "CH100", hint
        )

    def _placed(self, node: Node, around: Around) -> Around:
        scope = replace(around.scope, line=node.place.short, policy=None)
        return replace(around, scope=scope)

    def _problems(self, problems: list[Problem], node: Node) -> bool:
        """Report what is wrong between the values of one mapping."""
        assert isinstance(node, Entries)
        for name, sentence, hint in problems:
            place = _place_below(node, name)
            self._report(Fault(place, sentence, hint))
        return bool(problems)

    def _unknown_keys(self, node: Entries, rows: Mapping[str, KeyRow]) -> set[str]:
        """Report unknown keys; return the names of those that were probably meant."""
        guessed: set[str] = set()
        for name, (key, value) in node.items.items():
            if name in rows:
                continue
            misspelled = get_close_matches(name, rows, 1, _SURELY)
            if not misspelled and self._look_for_secret(key, value):
                continue
            near = get_close_matches(name, rows, 1)
            guessed.update(near)
            hint = f"did you mean {near[0]!r}?" if near else f"keys: {', '.join(rows)}"
            self._refuse(key.place, f"unknown key {name!r}", "CH100", hint)
        return guessed

    def _look_for_secret(self, key: Scalar, value: Node) -> bool:
        """Report a secret that is written out."""
        named = any(word in key.text.lower() for word in _SECRET_WORDS)
        if not named or not isinstance(value, Scalar) or "${" in value.text:
            return False
        hint = "write credential: NAME and define [credentials.NAME] in interop.toml"
        self._refuse(
            value.place, "a secret must not be written in a channel file", "CH130", hint
        )
        return True

    def _missing(self, row: KeyRow, node: Entries) -> None:
        kind = row.shape.kind
        example = f"{row.name}: {kind.example}" if kind else f"{row.name}: …"
        self._refuse(node.place, f"{row.name} is missing", "CH101", f"write {example}")

    def _one_of(self, cls: type, node: Entries) -> bool:
        wanted: tuple[str, ...] = getattr(cls, "ONE_OF", ())
        given = [name for name in wanted if name in node.items]
        if not wanted or len(given) == 1:
            return True
        listed = f"{', '.join(wanted[:-1])} or {wanted[-1]}"
        if given:
            place = node.items[given[1]][0].place
            self._refuse(place, f"write only one of {listed}", "CH103")
        elif not any(get_close_matches(name, wanted, 1) for name in node.items):
            self._refuse(node.place, f"one of {listed} is missing", "CH103")
        return False

    def _refuse(self, place: Place, sentence: str, code: str, hint: str = "") -> object:
        self._report(Fault(place, sentence, hint, code))
        return BAD


def _scope_of(form: object, node: Node, around: Around) -> Scope:
    """Return the scope a step or row is built in: its line, and its policy."""
    policy = getattr(form, "on_missing", None)
    return replace(around.scope, line=node.place.short, policy=policy)


def _reading_order(rows: Mapping[str, KeyRow], head: str) -> list[KeyRow]:
    """Return keys in the order they must be read: what others depend on, first."""
    first = [name for name in (head, "from", "on-missing") if name in rows]
    return [rows[name] for name in dict.fromkeys((*first, *rows))]


def _inner(
    row: KeyRow, head: str, values: Mapping[str, object], around: Around
) -> Around:
    """Return what stands around the keys read next, after the one just read."""
    value = values.get(row.field)
    if row.name == "on-missing" and isinstance(value, MissPolicy):
        return replace(around, scope=replace(around.scope, policy=value))
    opens = row.name in ("for-each", "keep-repetitions", "remove-segment", "from")
    loop = loop_of(value) if opens and (row.name in (head, "from")) else None
    if loop is None:
        return around
    loops = (*around.scope.loops, loop)
    return replace(around, scope=replace(around.scope, loops=loops))


def _with_do(node: Entries) -> Entries:
    """Return a ``for-each`` row in its long form, with ``do``."""
    if "do" in node.items:
        return node
    kept = ("for-each", "when", "note")
    rest = {name: pair for name, pair in node.items.items() if name not in kept}
    if not rest.keys() & row_forms.ROWS.keys():
        return node
    first = next(iter(rest.values()))[0]
    body: Node = Items(first.place, [Entries(first.place, rest)])
    outer = {name: pair for name, pair in node.items.items() if name in kept}
    return Entries(node.place, {**outer, "do": (Scalar("do", first.place), body)})


def _place_below(node: Entries, name: str) -> Place:
    """Return the place of a value by its key, or of ``above.key``."""
    name, _, rest = name.partition(".")
    key, value = node.items.get(name, (None, node))
    if rest and isinstance(value, Entries):
        return value.items[rest][0].place
    return value.place if key else node.place
