"""The second output gate: fhirkit's R4 structure check, where it is installed."""

from collections.abc import Callable
from functools import cache

Check = Callable[[bytes], list[str]]


@cache
def _check() -> Check:
    try:
        import fhirkit  # noqa: PLC0415 - an extra: `interop-engine[validate]`
    except ImportError:
        return lambda _: []

    def check(bundle: bytes) -> list[str]:
        found = fhirkit.validate(bundle)
        return [f"{issue.path} is not R4" for issue in found]

    return check


def bundle_faults(bundle: bytes) -> list[str]:
    """Return what is not valid R4 in a Bundle: paths, never a value."""
    return _check()(bundle)
