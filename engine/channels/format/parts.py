"""Channel files with their shared parts: ``defaults`` merged, ``include`` spliced."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.channels.format.faults import Fault, Place
from engine.channels.format.nodes import Entries, Items, Node, Scalar, read_yaml


@dataclass(slots=True)
class Parts:
    """Reads files below the config folder, and remembers their lines for faults."""

    folder: Path
    report: Callable[[Fault], None]
    lines: dict[str, list[str]] = field(default_factory=dict)

    def resolved(self, file: str) -> Entries | None:
        """Return the tree of a channel file, its shared parts in place."""
        root = self._tree(file)
        if root is None:
            return None
        if not isinstance(root, Entries):
            sentence = "a channel file holds keys and values"
            self.report(
                Fault(root.place, sentence, "write channel: NAME first", "CH102")
            )
            return None
        if "defaults" in root.items:
            root = self._with_defaults(root, root.items["defaults"][1])
        self._splice(root)
        return root

    def _tree(self, file: str, via: str = "") -> Node | None:
        try:
            data = (self.folder / file).read_bytes()
        except (OSError, ValueError):
            sentence = f"{file} is missing or cannot be read"
            place = Place(file) if not via else Place(*_split(via))
            self.report(Fault(place, sentence, "", "CH007"))
            return None
        root, lines = read_yaml(data, file, self.report, via)
        self.lines[file] = lines
        return root

    def _shared(self, name: Node) -> Node | None:
        """Return the tree of a shared file that a channel names."""
        if not isinstance(name, Scalar) or not _is_shared(name.text):
            sentence = "a shared part is a file in channels/ whose name begins with _"
            self.report(Fault(name.place, sentence, "write _name.yaml", "CH140"))
            return None
        file = f"channels/{name.text}"
        if not (self.folder / file).is_file():
            self.report(Fault(name.place, f"{file} does not exist", "", "CH140"))
            return None
        root = self._tree(file, name.place.short)
        if root is not None and _pulls_others(root):
            sentence = "a shared part cannot pull in others"
            self.report(Fault(root.place, sentence, "", "CH140"))
            return None
        return root

    def _with_defaults(self, root: Entries, name: Node) -> Entries:
        shared = self._shared(name)
        if isinstance(shared, Entries):
            return _merged(root, shared)
        if shared is not None:
            sentence = "defaults are keys and values"
            self.report(Fault(shared.place, sentence, "", "CH140"))
        return root

    def _splice(self, node: Node) -> None:
        """Put the items of included files where they are named."""
        if isinstance(node, Entries):
            for _, value in node.items.values():
                self._splice(value)
        elif isinstance(node, Items):
            spliced: list[Node] = []
            for item in node.items:
                if isinstance(item, Entries) and list(item.items) == ["include"]:
                    spliced.extend(self._included(item.items["include"][1]))
                else:
                    self._splice(item)
                    spliced.append(item)
            node.items = spliced

    def _included(self, name: Node) -> list[Node]:
        shared = self._shared(name)
        if shared is None:
            return []
        if isinstance(shared, Items):
            return shared.items
        self.report(Fault(shared.place, "an included file is a list", "", "CH140"))
        return []


def _split(via: str) -> tuple[str, int]:
    file, _, line = via.rpartition(":")
    return file, int(line)


def _is_shared(name: str) -> bool:
    return name.startswith("_") and name.endswith(".yaml") and "/" not in name


def _pulls_others(node: Node) -> bool:
    if isinstance(node, Entries):
        named = any(name in node.items for name in ("defaults", "include"))
        return named or any(_pulls_others(value) for _, value in node.items.values())
    return isinstance(node, Items) and any(map(_pulls_others, node.items))


def _merged(own: Entries, shared: Entries) -> Entries:
    """Return the channel's keys with those of the shared part it does not have."""
    items = dict(own.items)
    for name, (key, value) in shared.items.items():
        if name not in items:
            items[name] = (key, value)
            continue
        own_key, own_value = items[name]
        if isinstance(own_value, Entries) and isinstance(value, Entries):
            items[name] = (own_key, _merged(own_value, value))
    return Entries(own.place, items)


def plain(node: Node) -> object:
    """Return a tree as plain texts, mappings and lists."""
    if isinstance(node, Entries):
        return {name: plain(value) for name, (_, value) in node.items.items()}
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return node.text


def node_at(root: Node, *path: str | int) -> Node:
    """Return the node of a value by its keys and positions; the nearest above it."""
    node = root
    for step in path:
        if isinstance(node, Entries) and step in node.items:
            node = node.items[str(step)][1]
        elif (
            isinstance(node, Items) and isinstance(step, int) and step < len(node.items)
        ):
            node = node.items[step]
        else:
            break
    return node


def texts_of(node: Node) -> Mapping[str, Scalar]:
    """Return every text of a tree by its value."""
    found: dict[str, Scalar] = {}
    stack: list[Node] = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, Scalar):
            found[each.text] = each
        elif isinstance(each, Items):
            stack.extend(each.items)
        else:
            stack.extend(value for _, value in each.items.values())
    return found
