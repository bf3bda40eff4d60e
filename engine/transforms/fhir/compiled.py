"""Whether the map runs as compiled C or as the Python it is written in."""

from engine.transforms.fhir import groups


def is_compiled() -> bool:
    """Whether this engine was built by ``make compiled``."""
    return not str(groups.__file__).endswith(".py")
