"""As much of JSON Schema as our own schemas use: an oracle for them in tests."""

import re

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
}
NUMBERS = ("number", "integer")


def faults(schema, value, root=None, path="$"):
    """Return why a value does not fit a schema, one sentence each."""
    root = root or schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return faults(root["$defs"][name], value, root, path)
    if "type" in schema and not fits_type(schema["type"], value):
        return [f"{path}: not {schema['type']}"]
    found = [*of_scalar(schema, value, path), *of_choices(schema, value, root, path)]
    if isinstance(value, dict):
        found += of_object(schema, value, root, path)
    if isinstance(value, list) and "items" in schema:
        for number, each in enumerate(value):
            found += faults(schema["items"], each, root, f"{path}[{number}]")
    return found


def of_scalar(schema, value, path):
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: not one of {schema['enum']}"
    pattern = schema.get("pattern")
    if pattern and isinstance(value, str) and not re.search(pattern, value):
        yield f"{path}: does not match {pattern}"


def of_choices(schema, value, root, path):
    for word, fits in (("anyOf", lambda n: n > 0), ("oneOf", lambda n: n == 1)):
        if word in schema:
            right = sum(not faults(each, value, root, path) for each in schema[word])
            if not fits(right):
                yield f"{path}: {right} of {word}"


def of_object(schema, value, root, path):
    found = [
        f"{path}: {name} is missing"
        for name in schema.get("required", ())
        if name not in value
    ]
    known = schema.get("properties", {})
    more = schema.get("additionalProperties", True)
    for name, each in value.items():
        if name in known:
            found += faults(known[name], each, root, f"{path}.{name}")
        elif more is False:
            found.append(f"{path}: {name} is unknown")
        elif isinstance(more, dict):
            found += faults(more, each, root, f"{path}.{name}")
    return found


def fits_type(wanted, value):
    names = wanted if isinstance(wanted, list) else [wanted]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return any(
        number if name in NUMBERS else isinstance(value, TYPES[name]) for name in names
    )
