"""The text of a section: one table, a row for each entry, IDs that entries refer to."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from engine.transforms.ccda.elements import Element

NO_INFORMATION = "No information"
_LINE_BREAK = re.compile(r"\r\n|\r|\n")

Cell = str | Sequence[Element]


def lines(name: str, content: str, attributes: dict[str, str] | None = None) -> Element:
    """Return a narrative element with its text; line breaks become ``br``."""
    first, *more = (
        _LINE_BREAK.split(content) if "\n" in content or "\r" in content else [content]
    )
    breaks = [Element("br", {}, [], tail=line) for line in more]
    return Element(name, attributes or {}, breaks, first)


@dataclass(slots=True)
class Table:
    """The rows of one section; ``prefix`` begins every ID in it."""

    prefix: str
    columns: tuple[str, ...]
    rows: list[Element] = field(default_factory=list)
    _given: int = 0

    def new_id(self) -> str:
        """Return the next ID of this section, such as ``res3``."""
        self._given += 1
        return f"{self.prefix}{self._given}"

    def piece(self, content: str) -> tuple[str, Element]:
        """Return a new ID and the text that carries it, to be put into a cell."""
        name = self.new_id()
        return name, lines("content", content, {"ID": name})

    def add(self, row: str, *cells: Cell) -> None:
        """Write one row under an ID from `new_id`; missing cells are empty."""
        padded = (*cells, *("",) * (len(self.columns) - len(cells)))
        inside = [
            lines("td", cell)
            if isinstance(cell, str)
            else Element("td", {}, list(cell))
            for cell in padded
        ]
        self.rows.append(Element("tr", {"ID": row}, inside))

    def element(self) -> Element:
        """Return the table."""
        heads = [Element("th", {}, [], column) for column in self.columns]
        head = Element("thead", {}, [Element("tr", {}, heads)])
        return Element("table", {}, [head, Element("tbody", {}, self.rows)])


def reference(row: str) -> Element:
    """Return the ``text`` of an entry: a reference to its row."""
    return Element("text", {}, [Element("reference", {"value": f"#{row}"}, [])])


def joined(parts: Iterable[str], separator: str = "; ") -> str:
    """Return the parts that say something, in order, each once."""
    return separator.join(dict.fromkeys(part for part in parts if part))


def no_information() -> Element:
    """Return the text of a section without facts."""
    return Element("text", {}, [], NO_INFORMATION)
