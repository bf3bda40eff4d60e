"""What packages add to the engine: functions of the expression language."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Final

from engine.errors import ConfigurationError
from engine.transforms.functions import FUNCTIONS, Function

_NAMED: Final = re.compile(r"[a-z_]+\(.*\) -> .+")


@cache
def functions() -> Mapping[str, Function]:
    """Return every function: the built-in ones, and those of installed packages.

    A package offers `Function` values in the entry-point group ``engine.functions``.

    Raises:
        ConfigurationError: a package offers something else, or a name already taken.
    """
    found = dict(FUNCTIONS)
    for point in entry_points(group="engine.functions"):
        offered = point.load()
        if not isinstance(offered, Function) or not _NAMED.fullmatch(offered.signature):
            raise ConfigurationError(f"{point.value} is no function with a signature")
        if offered.name in found:
            raise ConfigurationError(f"the function {offered.name}() exists already")
        found[offered.name] = offered
    return MappingProxyType(found)
