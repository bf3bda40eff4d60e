"""Which function of the built-in map reads which field, seen by watching it work."""

import inspect
from typing import Final

from typing_extensions import override

from engine.errors import TransformError
from engine.hl7 import Message, Repetition
from engine.transforms.fhir import conversion, groups
from engine.transforms.fhir.compiled import is_compiled
from engine.transforms.fhir.groups import Node
from engine.transforms.fhir.mapped import MapContext
from engine.transforms.fhir.mapping import convert

_ON_THE_WAY: Final = frozenset((__name__, groups.__name__, conversion.__name__))


def readers(message: Message, context: MapContext) -> dict[str, list[str]]:
    """Return the map rules that read each field, such as ``patient.map_patient``.

    Args:
        message: as edited.
        context: as for `map_message`.

    Returns:
        field path, such as ``OBX[2]-5``, to the functions that asked for its value;
        empty where the map does not know the trigger event, and in a compiled engine,
        whose functions leave no frames to look at.
    """
    if is_compiled():
        return {}
    seen: dict[str, list[str]] = {}

    class Watched(Node):
        """A segment that remembers who reads it."""

        __slots__ = ()
        watched = True

        @override
        def text(self, field: int, component: int = 1, subcomponent: int = 1) -> str:
            self._note(field)
            return super().text(field, component, subcomponent)

        @override
        def all(self, field: int) -> list[Repetition]:
            self._note(field)
            return super().all(field)

        def _note(self, field: int) -> None:
            rules = seen.setdefault(self.path(field), [])
            rule = _rule()
            if rule not in rules:
                rules.append(rule)

    try:
        convert(message, context, Watched)
    except TransformError:
        return {}
    return seen


def _rule() -> str:
    """Return the module and function of the map that is reading just now."""
    frame = inspect.currentframe()
    while frame is not None and (
        frame.f_globals["__name__"] in _ON_THE_WAY or frame.f_code.co_name[0] == "<"
    ):
        frame = frame.f_back  # the readers in between, and comprehensions
    if frame is None:
        return ""
    module = str(frame.f_globals["__name__"]).rpartition(".")[2]
    return f"{module}.{frame.f_code.co_name.lstrip('_')}"
