"""The reference pages of channel files and settings, made from what reads them.

Spec:
    channel-format.md 3 to 6 and 9; cli.md 10.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from engine.channels.format.channel import Channel
from engine.channels.format.faults import CODES
from engine.channels.format.keys import KeyRow, Shape, keys_of, walk
from engine.channels.format.row_forms import ROWS
from engine.channels.format.settings_schema import PARTS, single_keys
from engine.channels.format.step_forms import STEPS
from engine.transforms.functions import FUNCTIONS

_HEAD: Final = """\
# Channel files: every key, step, function and fault

For interface analysts. This page is generated from the code that reads channel files.
A key without a default is required unless it says *optional*.
"""

_SETTINGS: Final = """\
# interop.toml: every key

For operators. This page is generated from the code that reads the file. Any value may
be `${file:/path}`; `INTEROP_STORE__URL` in the environment is `store.url`.
`interop schema settings` prints a JSON Schema of the file, for editors.
"""


def reference_page() -> str:
    """Return the page as Markdown."""
    parts = [
        _HEAD,
        "## Keys\n",
        *_table(("Key", "Value", "Default", "Meaning"), _keys(Channel)),
        "\n## Edit steps\n",
        *_forms(STEPS),
        "\n## Rows of `map`\n",
        *_forms(ROWS),
        "\n## Functions of expressions\n",
        *(f"- `{each.signature}`" for each in FUNCTIONS.values()),
        "\n## Fault codes\n",
        *_table(("Code", "Meaning"), ((code, text) for code, text in CODES.items())),
    ]
    return "\n".join(parts) + "\n"


def settings_page() -> str:
    """Return the page of ``interop.toml`` as Markdown."""
    keys = ((f"`{name}`", *rest) for name, *rest in single_keys())
    parts = [_SETTINGS, *_table(("Key", "Value", "Default", "Meaning"), keys)]
    for name, part in PARTS.items():
        place = f"{name}.NAME" if part.named else name
        parts += [
            f"\n## `[{place}]`\n",
            part.meaning[0].upper() + part.meaning[1:] + ".",
        ]
        if part.keys:
            rows = ((f"`{key}`", says) for key, (says, _) in part.keys.items())
            parts += ["", *_table(("Key", "Meaning"), rows)]
    return "\n".join(parts) + "\n"


def _keys(cls: type) -> Iterator[tuple[str, ...]]:
    for path, row in walk(cls):
        yield (f"`{path}`", kind_of(row.shape), default_of(row), row.description)


def _forms(forms: Mapping[str, type]) -> Iterator[str]:
    for name, cls in forms.items():
        yield f"### `{name}`\n\n{(cls.__doc__ or '').partition(chr(10))[0]}\n"
        rows = (
            (f"`{row.name}`", kind_of(row.shape), default_of(row), row.description)
            for row in keys_of(cls).values()
        )
        yield from _table(("Key", "Value", "Default", "Meaning"), rows)
        yield ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def kind_of(shape: Shape) -> str:
    """Return in words what a value looks like."""
    if shape.items is not None:
        return f"list of {kind_of(shape.items)}"
    if shape.values is not None:
        return f"name to {kind_of(shape.values)}"
    if shape.inside is not None:
        return "keys"
    words = [f"`{word}`" for word in shape.words]
    if shape.expression is not None:
        words.append("expression")
    if shape.kind is not None:
        words.append(shape.kind.name)
    return ", ".join(words)


def default_of(row: KeyRow) -> str:
    """Return the default as it would be written; empty for a required key."""
    if row.required:
        return ""
    text = row.written_default
    return f"`{text}`" if text else "*optional*"
