"""What general validators say of a Bundle, where they are installed.

They come with the extra ``interop-engine[validate]``.
"""

import re
from collections.abc import Callable
from functools import cache
from types import MappingProxyType
from typing import Final

import orjson

Check = Callable[[bytes], list[str]]
_ENTRY: Final = re.compile(r"Bundle\.entry\[(\d+)\]\.resource\b")
_SENTENCES: Final = MappingProxyType(
    {
        "required element missing": "R4 requires it, and it is missing",
        "unknown element": "R4 has no such element",
    }
)
"""Of what the validator says: some of its sentences have a value in them."""


@cache
def _check() -> Check:
    try:
        import fhirkit  # noqa: PLC0415 - an extra
    except ImportError:
        return lambda _: []

    def check(bundle: bytes) -> list[str]:
        found = fhirkit.validate(bundle)
        kinds = _kinds(bundle) if found else []
        return [
            f"{_ENTRY.sub(lambda at: kinds[int(at[1])], issue.path)}: "
            f"{_SENTENCES.get(issue.message, 'not R4')}"
            for issue in found
        ]

    return check


def _kinds(bundle: bytes) -> list[str]:
    entries = orjson.loads(bundle).get("entry", [])
    return [str(each.get("resource", {}).get("resourceType")) for each in entries]


def bundle_faults(bundle: bytes) -> list[str]:
    """Return what is not valid R4 in a Bundle, as ``Type.element: why``; no values."""
    return _check()(bundle)


@cache
def _models() -> Check:
    try:
        from fhir.resources.R4B.bundle import Bundle  # noqa: PLC0415 - an extra
    except ImportError:
        return lambda _: []

    def check(bundle: bytes) -> list[str]:
        try:
            Bundle.model_validate_json(bundle)
        except ValueError as error:  # pydantic's own kind of it has the list
            found = error.errors(include_input=False)  # type: ignore[attr-defined]
            return [
                f"{'.'.join(map(str, each['loc']))} is not R4: {each['type']}"
                for each in found
            ]
        return []

    return check


def model_faults(bundle: bytes) -> list[str]:
    """Return what the models of fhir.resources refuse; for tests, being slow."""
    return _models()(bundle)
