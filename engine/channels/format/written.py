"""A channel together with the tree it was read from, for checks that need places."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.channels.format.channel import Channel
from engine.channels.format.faults import Fault, Level, Place
from engine.channels.format.nodes import Entries
from engine.channels.format.nodes import Node as Tree
from engine.channels.format.parts import node_at
from engine.settings import Settings
from engine.transforms.code_tables import CodeTable


@dataclass(frozen=True, slots=True)
class Written:
    """A channel that could be read, and the tree of its file."""

    channel: Channel
    root: Entries

    def node(self, *path: str | int) -> Tree:
        """Return what stands at keys and positions; the nearest above it."""
        return node_at(self.root, *path)

    def place(self, *path: str | int) -> Place:
        """Return the place of a value by its keys and positions."""
        return self.node(*path).place

    def fault(
        self,
        path: tuple[str | int, ...],
        sentence: str,
        code: str,
        hint: str = "",
        level: Level = "error",
    ) -> Fault:
        """Return a fault at a value."""
        return Fault(self.place(*path), sentence, hint, code, level)


@dataclass(frozen=True, slots=True)
class Node:
    """The node the channels will run on."""

    folder: Path
    settings: Settings
    tables: Mapping[str, CodeTable]
