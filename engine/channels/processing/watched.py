"""A line that says where it stands: which rule, step or destination is next, and when.

What runs is the line's own; it only speaks up before each part.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.channels.format.channel import Destination, Rule
from engine.channels.processing.assemble import Line
from engine.store.claims import Claimed
from engine.transforms.edits import Run, Step, Verdict
from engine.transforms.expressions import Expression
from engine.transforms.fhir.mapped import MapContext
from engine.transforms.scope import EditContext, Value


@dataclass(frozen=True, slots=True)
class Mark:
    """A part that begins; ``changes`` is how many edits had changed something before.

    ``name`` is the rule's, the step's or the destination's; ``line`` its place.
    """

    stage: str
    name: str = ""
    line: str = ""
    changes: int = 0


Tell = Callable[[Mark], None]


def watched(line: Line, tell: Tell) -> Line:
    """Return a line that does the same, and tells where it stands."""
    channel = line.feed.channel
    channel = replace(
        channel,
        filter=tuple(_rule(each, tell) for each in channel.filter),
        edit=tuple(_step(each, "edit", tell) for each in channel.edit),
        destinations=tuple(_destination(each, tell) for each in channel.destinations),
    )
    map_context = line.feed.map_context

    def told(claimed: Claimed) -> MapContext:
        tell(Mark("map"))
        return map_context(claimed)

    feed = replace(line.feed, channel=channel, map_context=told, traced=True)
    return Line(feed, replace(line.desk, channel=channel))


def _rule(rule: Rule, tell: Tell) -> Rule:
    mark = Mark("filter", rule.name)
    return replace(
        rule,
        keep=rule.keep and _expression(rule.keep, mark, tell),
        drop=rule.drop and _expression(rule.drop, mark, tell),
    )


def _step(step: Step, stage: str, tell: Tell) -> Step:
    run = step.run

    def told(context: EditContext) -> Verdict | None:
        tell(Mark(stage, step.name, step.line, _changes(context)))
        return run(context)

    told_run: Run = told
    return replace(step, run=told_run)


def _destination(destination: Destination, tell: Tell) -> Destination:
    mark = Mark("render", destination.name)
    key = destination.order_key
    return replace(
        destination,
        order_key=key and _expression(key, mark, tell),
        edit=tuple(_step(each, "render", tell) for each in destination.edit),
    )


def _expression(expression: Expression, mark: Mark, tell: Tell) -> Expression:
    evaluate = expression.evaluate

    def told(context: EditContext) -> Value:
        tell(replace(mark, changes=_changes(context)))
        return evaluate(context)

    return replace(expression, evaluate=told)


def _changes(context: EditContext) -> int:
    return len(context.changes or ())
