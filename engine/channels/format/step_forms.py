"""The vocabulary of edit steps: a closed list, each found by its first key."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from engine.channels.format import segment_forms, value_forms
from engine.channels.format.step_form import Form

STEPS: Final[Mapping[str, type[Form]]] = MappingProxyType(
    {
        "set": value_forms.Set,
        "copy": value_forms.Copy,
        "move": value_forms.Move,
        "clear": value_forms.Clear,
        "set-null": value_forms.SetNull,
        "append": value_forms.Append,
        "keep-repetitions": value_forms.KeepRepetitions,
        "trim": value_forms.Trim,
        "case": value_forms.Case,
        "replace": value_forms.Replace,
        "pad": value_forms.Pad,
        "truncate": value_forms.Truncate,
        "split": value_forms.Split,
        "join": value_forms.Join,
        "format-date": value_forms.FormatDate,
        "translate": value_forms.Translate,
        "add-segment": segment_forms.AddSegment,
        "remove-segment": segment_forms.RemoveSegment,
        "move-segment": segment_forms.MoveSegment,
        "renumber": segment_forms.Renumber,
        "redact": value_forms.Redact,
        "for-each": segment_forms.ForEach,
        "choose": segment_forms.Choose,
        "flag": segment_forms.Flag,
        "index": segment_forms.Index,
        "drop": segment_forms.Drop,
        "hold": segment_forms.Hold,
        "fail": segment_forms.Fail,
        "python": segment_forms.Python,
    }
)
"""Every step by its first key."""
