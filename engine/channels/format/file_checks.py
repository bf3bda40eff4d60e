"""Folders that are not allowed, path templates, Python files."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from engine.channels.format.channel import Destination
from engine.channels.format.faults import Fault
from engine.channels.format.nodes import Entries, Items, Scalar
from engine.channels.format.nodes import Node as Tree
from engine.channels.format.path_template import placeholder_fault, placeholders
from engine.channels.format.written import Node, Written
from engine.transforms.scope import Scope

_SIGNATURES: Final = {
    "edit": ("message: Message, context: StepContext", "None"),
    "filter": ("message: Message, context: StepContext", "bool"),
    "map": ("resources: Resources, message: Message, context: StepContext", "None"),
}
"""What a Python step takes and returns, by the part of the channel it stands in."""

_HINT: Final = "add the folder to files.allowed in interop.toml"


def one(written: Written, node: Node) -> Iterator[Fault]:
    """Return what is wrong with the files one channel names."""
    source = written.channel.source.file
    if source is not None:
        yield from _folder(written, ("source", "file", "path"), source.path, node)
    for number, destination in enumerate(written.channel.destinations):
        template = template_of(destination)
        if template:
            path = ("destinations", number, destination.kind, "path")
            yield from _folder(written, path, template, node)
            yield from _template(written, path, destination)
    yield from _python(written, node)


def between(channels: Sequence[Written]) -> Iterator[Fault]:
    """Return the destinations that would write the files of others."""
    seen: dict[str, str] = {}
    for written in channels:
        for number, destination in enumerate(written.channel.destinations):
            template = template_of(destination)
            owner = f"{written.channel.name}/{destination.name}"
            if template and template in seen:
                path = ("destinations", number, destination.kind, "path")
                sentence = f"{seen[template]} writes the same files"
                yield written.fault(path, sentence, "CH340", "write another path")
            seen.setdefault(template, owner)


def template_of(destination: Destination) -> str:
    """Return the path template of a destination that writes files, or ``""``."""
    target = destination.file or destination.cda
    return target.path if target else ""


def _folder(
    written: Written, path: tuple[str | int, ...], text: str, node: Node
) -> Iterator[Fault]:
    """Return a fault where files lie outside the folders the node allows."""
    fixed = text.partition("{")[0]
    folder = (node.folder / fixed).resolve()
    roots = node.settings.allowed_folders
    if not any(folder == root or root in folder.parents for root in roots):
        sentence = f"{fixed or text} is outside the folders this node may use"
        yield written.fault(path, sentence, "CH340", _HINT)


def _template(
    written: Written, path: tuple[str | int, ...], destination: Destination
) -> Iterator[Fault]:
    """Return what no message could fill in."""
    template = template_of(destination)
    place = "document" if destination.cda else "destination"
    scope = Scope(place=place, matches=written.channel.identity.match)
    known = frozenset(name for name in scope.names if scope.knows(name))
    for name in placeholders(template):
        fault = placeholder_fault(name, known)
        if fault:
            hint = "use {message.id}, {message.received_date} or a path"
            yield written.fault(path, fault, "CH340", hint)


def _python(written: Written, node: Node) -> Iterator[Fault]:
    for call, part in _calls(written.root):
        module, colon, function = call.text.partition(":")
        if not colon:
            continue
        file = node.folder / "steps" / f"{module}.py"
        fault = function_fault(file, function, *_SIGNATURES[part])
        if fault:
            yield Fault(call.place, *fault, "CH150")


def _calls(node: Tree, part: str = "edit") -> Iterator[tuple[Scalar, str]]:
    """Return every text after ``python:``, with the part of the channel it is in."""
    if isinstance(node, Items):
        for item in node.items:
            yield from _calls(item, part)
    elif isinstance(node, Entries):
        for name, (_, value) in node.items.items():
            if name == "python" and isinstance(value, Scalar):
                yield value, part
            yield from _calls(value, name if name in _SIGNATURES else part)


def function_fault(
    file: Path, function: str, takes: str, answer: str
) -> tuple[str, str] | None:
    """Return what is wrong with a Python step: sentence and hint; it is never run."""
    try:
        tree = ast.parse(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return f"steps/{file.name} does not exist", "steps stand in config/steps"
    except (SyntaxError, ValueError):
        return f"steps/{file.name} is not Python", "run python on it to see why"
    for each in tree.body:
        if isinstance(each, ast.FunctionDef) and each.name == function:
            return _signature_fault(each, takes, answer)
    known = [each.name for each in tree.body if isinstance(each, ast.FunctionDef)]
    hint = f"functions there: {', '.join(known) or 'none'}"
    return f"steps/{file.name} has no function {function}()", hint


def _signature_fault(
    found: ast.FunctionDef, takes: str, answer: str
) -> tuple[str, str] | None:
    wanted = f"write def {found.name}({takes}) -> {answer}"
    names = [each.partition(":")[0] for each in takes.split(", ")]
    arguments = found.args
    plain = not (arguments.vararg or arguments.kwarg or arguments.kwonlyargs)
    if len(arguments.args) != len(names) or not plain:
        told = ", ".join(names[:-1])
        return f"{found.name}() takes {told} and {names[-1]}", wanted
    given = ast.unparse(found.returns) if found.returns else ""
    if given != answer:
        return f"{found.name}() must be annotated to return {answer} here", wanted
    return None
