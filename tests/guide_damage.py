"""Our own Bundles of HL7's benchmark messages, damaged element by element.

``python -m tests.guide_damage`` damages every element that the guide maps, in four
ways, and prints how many of each kind `check_transform` told (half a CPU minute each).
"""

import copy
import json
import sys
from collections import Counter
from pathlib import Path

from engine.hl7 import parse
from engine.transforms.fhir import MapContext, map_message, transaction, write_json
from engine.transforms.fhir.sources import another
from engine.transforms.guide.choices import CHOICES
from engine.transforms.guide.expected import Expectation
from engine.transforms.guide.images import is_image
from engine.transforms.guide.leaves import leaves_of
from engine.transforms.guide.tables import read_guide
from engine.transforms.guide.verdicts import COMPLAINTS, judge, yardstick

STRUCTURES = (
    "ADT_A01", "MDM_T02", "OML_O21", "ORM_O01", "ORU_R01", "SIU_S12", "VXU_V04",
)  # fmt: skip


def guide_in(folder):
    """Return the guide whose tables are in a folder."""
    return read_guide(
        (file.parent.name, file.name, file.read_text("utf-8", errors="replace"))
        for file in sorted(folder.glob("*/*.csv"))
    )


def own_bundle(message):
    """Return our own Bundle of a message, as JSON reads it."""
    made = transaction(map_message(message, MapContext()).entries)
    return json.loads(write_json(made))


def complaints(by, bundle):
    """Return what the checker says against a Bundle."""
    return [each for each in judge(by, bundle, CHOICES) if each.verdict in COMPLAINTS]


def mapped(by, bundle):
    """Return the elements that the guide maps: entry and numbered path of each."""
    places: dict[tuple[str, str], list[Expectation]] = {}
    for each in by.wanted:
        if each.sure:
            key = each.place.kind, each.place.path.lower()
            places.setdefault(key, []).append(each)
    return [
        leaf
        for leaf in leaves_of(bundle)
        if any(
            is_image(each.value, leaf.value, each.codes)
            for each in places.get((leaf.kind, leaf.path.lower()), ())
        )
    ]


# ---- damages: each changes one element of a resource in place


def _holder(resource, leaf):
    """Return what holds an element, and its name or number there."""
    steps = leaf.numbered.partition(".")[2].replace("[", ".[").split(".")
    keys = [int(step[1:-1]) if step[0] == "[" else step for step in steps]
    return next(_holders(resource, keys))


def _holders(holder, keys):
    """Yield what may hold the last key: of a primitive, also what stands beside it."""
    key, *rest = keys
    if not rest:
        yield holder, key
        return
    for name in (key, f"_{key}") if isinstance(key, str) else (key,):
        inner = holder[name] if isinstance(name, int) else holder.get(name)
        if isinstance(inner, dict | list):
            yield from _holders(inner, rest)


def drop(resource, leaf):
    """Take the element away."""
    holder, key = _holder(resource, leaf)
    del holder[key]


def misplace(resource, leaf):
    """Put its value where it does not belong."""
    drop(resource, leaf)
    resource["note"] = [*resource.get("note", []), {"text": leaf.value}]


def change(resource, leaf):
    """Let it say something else of the same shape."""
    holder, key = _holder(resource, leaf)
    value = holder[key]
    if isinstance(value, bool):
        holder[key] = not value
    elif isinstance(value, int | float):
        holder[key] = value + 1
    else:
        holder[key] = another(value)


def invent(resource, leaf):
    """Say something beside it that nobody told."""
    resource["alias"] = [another(another(leaf.value)) + "zq"]


DAMAGES = (drop, misplace, change, invent)


def untold(by, bundle, leaves):
    """Damage these elements in turn; yield each damage the checker does not tell."""
    for leaf in leaves:
        for damage in DAMAGES:
            spoilt = dict(bundle, entry=list(bundle["entry"]))
            entry = copy.deepcopy(bundle["entry"][leaf.resource])
            spoilt["entry"][leaf.resource] = entry
            damage(entry["resource"], leaf)
            if not complaints(by, spoilt):
                yield damage.__name__, leaf.numbered


def main():
    """Damage everything, print what was told."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "ig"
    guide = guide_in(folder)
    for structure in sys.argv[1:] or STRUCTURES:
        data = (folder / "benchmark" / f"IG_{structure}.hl7").read_bytes()
        by = yardstick(guide, parse(data), structure)
        bundle = own_bundle(parse(data))
        leaves = mapped(by, bundle)
        missed = list(untold(by, bundle, leaves))
        count = len(leaves) * len(DAMAGES)
        told = f"{structure}: {len(complaints(by, bundle))} complaints undamaged, "
        told += f"{count - len(missed)} of {count} damages told, untold: "
        sys.stdout.write(f"{told}{dict(Counter(missed))}\n")


if __name__ == "__main__":
    main()
