"""What general validators say of a Bundle, where they are installed.

They come with the extra ``interop-engine[validate]``.
"""

from collections.abc import Callable
from functools import cache

Check = Callable[[bytes], list[str]]


@cache
def _check() -> Check:
    try:
        import fhirkit  # noqa: PLC0415 - an extra
    except ImportError:
        return lambda _: []

    def check(bundle: bytes) -> list[str]:
        found = fhirkit.validate(bundle)
        return [f"{issue.path} is not R4" for issue in found]

    return check


def bundle_faults(bundle: bytes) -> list[str]:
    """Return what is not valid R4 in a Bundle: paths, never a value."""
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
