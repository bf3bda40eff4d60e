"""A JSON Schema of channel files, made from the table of keys, for editors.

Spec:
    channel-format.md 10; JSON Schema draft 2020-12.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.channels.format.channel import Channel
from engine.channels.format.keys import KeyRow, Shape, keys_of
from engine.channels.format.kinds import BOOLEAN, Kind
from engine.channels.format.row_forms import ROWS
from engine.channels.format.step_forms import STEPS
from engine.settings import Settings
from engine.transforms.edits import Step
from engine.transforms.fhir_rows import MapRow

Schema = dict[str, object]

_PLACEHOLDER: Final[Schema] = {"type": "string", "pattern": r"\$\{"}
_SCALAR: Final[Schema] = {"type": ["string", "number", "boolean", "null"]}
_INCLUDE: Final[Schema] = {
    "type": "object",
    "properties": {
        "include": {
            "type": "string",
            "pattern": r"^_.*\.yaml$",
            "description": "shared file whose items stand here",
        }
    },
    "required": ["include"],
    "additionalProperties": False,
}


def channel_schema(project: Mapping[str, Collection[str]] | None = None) -> Schema:
    """Return the schema of a channel file.

    Args:
        project: names by section (``tables``, ``tls``, ``credentials``, ...) that are
            added as enums; None leaves them open.
    """
    making = _Making(project or {})
    root = making.mapping(Channel)
    root["required"] = ["channel"]  # the rest may stand in the file of defaults
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Interop Engine channel",
        **root,
        "$defs": dict(sorted(making.definitions.items())),
    }


def project_names(settings: Settings, tables: Collection[str]) -> dict[str, list[str]]:
    """Return the names of a project that a schema may offer as choices."""
    sections = ("credentials", "contacts", "teams")
    names = {section: sorted(getattr(settings, section)) for section in sections}
    tls = ["none", "system", *sorted(settings.tls)]
    return {**names, "tls": tls, "tables": sorted(tables)}


@dataclass(slots=True)
class _Making:
    """One schema under construction: the definitions so far."""

    project: Mapping[str, Collection[str]]
    definitions: dict[str, Schema] = field(default_factory=dict)

    def mapping(self, cls: type) -> Schema:
        """Return the schema of a mapping with the keys of a class."""
        rows = keys_of(cls)
        made: Schema = {
            "type": "object",
            "description": (cls.__doc__ or "").partition("\n")[0],
            "properties": {row.name: self._key(row) for row in rows.values()},
            "additionalProperties": False,
        }
        required = [row.name for row in rows.values() if row.required]
        if required:
            made["required"] = required
        one_of: tuple[str, ...] = getattr(cls, "ONE_OF", ())
        if one_of and cls is not Channel:
            made["oneOf"] = [{"required": [name]} for name in one_of]
        return made

    def _key(self, row: KeyRow) -> Schema:
        made: Schema = {"description": row.description}
        kind = row.shape.kind
        if kind is not None and kind.example:
            made["examples"] = [kind.example]
        if row.written_default:
            plain = isinstance(row.default, bool)
            made["default"] = row.default if plain else row.written_default
        return {**made, **self._shape(row.shape)}

    def _shape(self, shape: Shape) -> Schema:
        if shape.items is not None:
            items = {"anyOf": [self._shape(shape.items), _INCLUDE]}
            return {"type": "array", "items": items}
        if shape.values is not None:
            return {"type": "object", "additionalProperties": self._shape(shape.values)}
        if shape.inside is not None:
            return self._reference(shape.inside)
        return self._scalar(shape)

    def _scalar(self, shape: Shape) -> Schema:
        allowed: list[Schema] = [_PLACEHOLDER]
        if shape.words:
            allowed.append({"enum": list(shape.words)})
        if shape.kind is not None:
            allowed.append(self._kind(shape.kind))
        if shape.expression is not None:
            return dict(_SCALAR)
        return {"anyOf": allowed}

    def _kind(self, kind: Kind) -> Schema:
        if kind is BOOLEAN:
            return {"enum": [True, False]}
        if kind.names in self.project:
            return {"enum": sorted(self.project[kind.names])}
        if not kind.pattern:
            return dict(_SCALAR)
        pattern = f"^(?:{kind.pattern})$"
        return {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "number"}]}

    def _reference(self, cls: type) -> Schema:
        """Return a reference to the definition of a class, made when first needed."""
        name = f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = self._definition(cls)
        return {"$ref": f"#/$defs/{name}"}

    def _definition(self, cls: type) -> Schema:
        if cls is Step:
            return {"anyOf": [self._reference(form) for form in STEPS.values()]}
        if cls is MapRow:
            rows = [self._reference(form) for form in ROWS.values()]
            return {"anyOf": [*rows, self._short_loop()]}
        return self.mapping(cls)

    def _short_loop(self) -> Schema:
        """Return a ``for-each`` row with one other row in it."""
        loop: type = ROWS["for-each"]
        head = keys_of(loop)["for-each"]
        return {
            "type": "object",
            "properties": {"for-each": self._key(head)},
            "required": ["for-each"],
        }
