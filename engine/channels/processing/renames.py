"""Visits and accounts under a new number: later messages find what is known of them.

What is known stays under the first number, by which servers and other resources know
it; under the new one lies a signpost to it.

Spec:
    fhir.md T28, "Change of identifier: same resource".
"""

from collections.abc import Sequence
from typing import Final

from engine.channels.processing.known import NO_ONE, Kept, closed
from engine.channels.processing.view import View
from engine.store.resources import KnownResource
from engine.transforms.fhir.mapped import Element, Entry
from engine.transforms.fhir.update import Version

_KINDS: Final = frozenset(("Account", "Encounter"))


def follow(entries: Sequence[Entry], view: View) -> None:
    """Let updates be about what an earlier message gave the number they use."""
    numbered = [entry for entry in entries if entry.kind in _KINDS]
    known = view.known({(one.kind, one.criteria): NO_ONE for one in numbered})
    for entry in numbered:
        before = known.get((entry.kind, entry.criteria))
        if before is not None and before.full_url != entry.full_url:
            entry.move(before.full_url, str(before.resource["criteria"]))


def signposts(
    entries: Sequence[Entry], message_id: int, view: View
) -> list[KnownResource]:
    """Return a signpost for each new number under which nothing is known yet."""
    keys = {(one.kind, one.renamed): one for one in entries if one.renamed}
    known = view.known(dict.fromkeys(keys, NO_ONE))
    found: list[KnownResource] = []
    for key, entry in keys.items():
        if key not in known:
            sign = _signpost(entry)
            view.keep(key, sign)
            found.append(KnownResource(*key, sign.content, message_id=message_id))
    return found


def _signpost(entry: Entry) -> Kept:
    words: Element = {"resourceType": entry.kind, "criteria": entry.criteria}
    return closed(entry.full_url, Version(words))
