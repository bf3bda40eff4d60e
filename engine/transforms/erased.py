"""What steps of ``edit`` took out of a message before it was mapped: it is lost.

A text is not lost where it goes on: in its own place in another form (trimmed, in
capitals, with more text around it, filled up, translated, as a time written otherwise),
or in a place that it was copied to and that the map takes.

Spec:
    fhir.md section 8, ``channel-rule``.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from engine.hl7 import Message, Path, Segment
from engine.transforms.carrying import field_of, path_of
from engine.transforms.fhir.mapped import Mapped
from engine.transforms.places import Spot
from engine.transforms.scope import EditContext, Leaf
from engine.transforms.trace import CHANNEL_RULE, Loss

Received: TypeAlias = Sequence[tuple[Segment, Segment]]
"""Each segment of a message on its way through the steps, and as it was received."""

_NO_WORD: Final = re.compile(r"[\W_]+")


def received(message: Message) -> Received:
    """Return what `list_erased` compares with; to be called before the steps."""
    return [(segment, segment.copy()) for segment in message.segments]


def list_erased(before: Received, context: EditContext, mapped: Mapped) -> None:
    """Add to the losses what was in the message and does not go on.

    From here on all paths of losses are those of the message as received. A field of
    which nothing is left is listed whole, else its components are.

    Args:
        before: see `received`.
        context: of the message, after the steps and rows.
        mapped: the resources, with the losses of map and rows.
    """
    look = _Look.of(before, context, mapped)
    mapped.losses = [look.as_received(loss) for loss in mapped.losses]
    listed = {field_of(loss.path) for loss in mapped.losses}
    sent = [segment for _, segment in before]
    for live, segment in before:
        homes = look.homes(live)
        if homes and homes[0].encoded == segment.encoded:
            continue
        for field in segment.populated():
            if homes and homes[0].raw(field) == segment.raw(field):
                continue
            path = path_of(sent, segment, field)
            if path not in listed:
                mapped.losses += look.losses(path, live, segment, field)


@dataclass(frozen=True, slots=True)
class _Look:
    """The message after the steps; by leaf as received whatever else tells its text."""

    message: Message
    replaced: bool
    copied: frozenset[Leaf]
    forms: Mapping[Leaf, Sequence[str]]
    numbers: Mapping[str, str]

    @classmethod
    def of(cls, before: Received, context: EditContext, mapped: Mapped) -> "_Look":
        """Return it for one message."""
        message = context.message
        live = {id(segment) for segment, _ in before}
        replaced = not any(id(segment) in live for segment in message.segments)
        copied = (leaf for leaf, stands in context.copied if stands(mapped))
        forms: dict[Leaf, list[str]] = defaultdict(list)
        for leaf, text in context.rewritten:
            forms[leaf].append(text)
        now = {id(one): name for name, one in _numbered(message.segments)}
        sent = _numbered([one for one, _ in before])
        numbers = {now[id(one)]: name for name, one in sent if id(one) in now}
        return cls(message, replaced, frozenset(copied), forms, numbers)

    def as_received(self, loss: Loss) -> Loss:
        """Return a loss with the number its segment had before steps removed others."""
        head, mark, rest = loss.path.partition("-")
        number = self.numbers.get(head, head)
        return loss if number == head else replace(loss, path=number + mark + rest)

    def homes(self, live: Segment) -> Sequence[Segment]:
        """Return where the fields of a segment stand now.

        A Python step gives back another message: then any segment of the kind.
        """
        if self.replaced:
            return self.message.all(live.id)
        return [each for each in self.message.segments if each is live]

    def losses(
        self, path: str, live: Segment, segment: Segment, field: int
    ) -> Iterator[Loss]:
        """Yield what of a field is lost, as one or by component."""
        leaves = list(Spot(segment, 0, Path(segment.id, field=field)).leaves())
        said = [leaf for leaf in leaves if leaf.text.strip()]
        lost = [leaf for leaf in said if not self._goes_on(leaf, live)]
        if len(lost) == len(said):
            yield Loss(path, CHANNEL_RULE, segment.raw(field))
            return
        many = len(segment.positions(field)) > 1
        for leaf in lost:
            number = f"[{leaf.repetition}]" if many else ""
            yield Loss(f"{path}{number}.{leaf.component}", CHANNEL_RULE, leaf.text)

    def _goes_on(self, leaf: Leaf, live: Segment) -> bool:
        old = leaf._replace(segment=live)
        forms = leaf.text, *self.forms.get(old, ())
        now = [
            one.text(leaf.component, leaf.subcomponent)
            for home in self.homes(live)
            for one in home.positions(leaf.field)
        ]
        return old in self.copied or any(_is_in(form, now) for form in forms)


def _numbered(segments: Iterable[Segment]) -> Iterator[tuple[str, Segment]]:
    """Yield segments by the names that the losses have for them: ``OBX[2]``."""
    counts: Counter[str] = Counter()
    for each in segments:
        counts[each.id] += 1
        number = counts[each.id]
        yield each.id + (f"[{number}]" if number > 1 else ""), each


def _is_in(text: str, now: Iterable[str]) -> bool:
    """Whether one of some texts has all words of another, in order, in any case."""
    words = _words(text)
    return any(f" {words} " in f" {_words(each)} " for each in now if each)


def _words(text: str) -> str:
    return _NO_WORD.sub(" ", text.casefold()).strip() or text
