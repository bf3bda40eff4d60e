"""``interop check-transform``: any engine's Bundle against HL7's v2-to-FHIR guide."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import rich_click as click

from engine.cli.invocation import Command, Exit, Stop, invocation, leave, note
from engine.cli.junit import junit
from engine.cli.output import Row, emit, masked
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.hl7 import Message
    from engine.transforms.guide.tables import Guide
    from engine.transforms.guide.verdicts import Result

_COLUMNS = ("verdict", "path", "wanted", "found", "row")


@click.command("check-transform", cls=Command)
@click.argument("message", type=click.Path(path_type=Path, exists=True))
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--ig",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder with the guide's tables: messages, segments, datatypes, codesystems.",
)
@click.option("--guide-only", is_flag=True, help="Without this product's decisions.")
@click.option(
    "--min-placed",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Share of mapped values that must be placed.",
)
@click.option(
    "--max-unexplained",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="How many values of the Bundle may be unexplained.",
)
@click.option("--junit", "report", type=click.Path(path_type=Path), help="For a CI.")
def check_transform_command(
    message: Path,
    bundle: Path,
    ig: Path,
    min_placed: float,
    max_unexplained: int,
    report: Path | None,
    *,
    guide_only: bool,
) -> None:
    """Tell which values of MESSAGE the guide wants in BUNDLE and does not find there.

    Prints what is elsewhere, missing or unexplained; -v prints every verdict. Works on
    any engine's output. The exit code is 1 below --min-placed, and where more is
    unexplained than --max-unexplained.
    """
    from engine.transforms.guide.choices import CHOICES
    from engine.transforms.guide.tables import read_guide
    from engine.transforms.guide.verdicts import Verdict, check_transform, share_placed

    received = _message(message)
    guide = read_guide(_files(ig))
    structure = _structure(guide, received)
    choices = () if guide_only else CHOICES
    results = check_transform(guide, received, structure, _bundle(bundle), choices)
    emit((_row(each) for each in results if _is_shown(each)), _COLUMNS)
    if report is not None:
        cases = [(structure, *_case(each)) for each in results]
        report.write_text(junit(cases), encoding="utf-8")
    counts = Counter(str(each.verdict) for each in results)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    share = share_placed(results)
    note(f"{structure}: {share:.1%} of what the guide maps is placed ({told})")
    if share < min_placed or counts[Verdict.UNEXPLAINED] > max_unexplained:
        leave(Exit.PROBLEMS)


def _message(file: Path) -> "Message":
    from engine.hl7 import parse
    from engine.peers.sending import read_messages

    found = read_messages(file)
    if len(found) != 1:
        raise Stop(f"{file} holds {len(found)} messages, one is wanted", Exit.USAGE)
    try:
        return parse(found[0])
    except EngineError as error:
        raise Stop(str(error), Exit.PROBLEMS) from error


def _bundle(file: Path) -> dict[str, object]:
    try:
        found = orjson.loads(file.read_bytes())
    except ValueError as error:
        raise Stop(f"{file} is not JSON", Exit.PROBLEMS) from error
    if not isinstance(found, dict) or found.get("resourceType") != "Bundle":
        raise Stop(f"{file} is not a FHIR Bundle", Exit.PROBLEMS)
    return found


def _files(folder: Path) -> Iterator[tuple[str, str, str]]:
    for file in sorted(folder.glob("*/*.csv")):
        yield file.parent.name, file.name, file.read_text("utf-8", errors="replace")


def _structure(guide: "Guide", message: "Message") -> str:
    """Return the structure whose maps count: MSH-9.3, else the nearest the guide has.

    Raises:
        Stop: the guide maps no message of this type.
    """
    from engine.transforms.fhir.plan import plan_for

    kind, event = message.message_type, message.trigger_event
    names = [message.structure]
    with suppress(EngineError):  # the guide may know more than the map
        names.append(plan_for(kind, event, nearest=True).structure)
    names += [name for name in guide.messages if name.startswith(f"{kind}_")]
    for name in names:
        if name in guide.messages:
            return name
    hint = f"message maps there: {', '.join(sorted(guide.messages)) or 'none'}"
    raise Stop(f"the guide has no map for {kind}^{event}", Exit.PROBLEMS, hint)


def _is_shown(result: "Result") -> bool:
    from engine.transforms.guide.verdicts import COMPLAINTS

    return invocation().verbose or result.verdict in COMPLAINTS


def _row(result: "Result") -> Row:
    return {
        "verdict": str(result.verdict),
        "path": result.path,
        "value": masked(result.value),
        "wanted": list(result.wanted),
        "found": list(result.found),
        "row": result.row,
    }


def _case(result: "Result") -> tuple[str, str]:
    """Return a verdict as name and complaint of a test case."""
    from engine.transforms.guide.verdicts import COMPLAINTS

    name = result.path or next(iter(result.found or result.wanted), "")
    if result.verdict not in COMPLAINTS:
        return name, ""
    wanted = ", ".join(result.wanted)
    return name, f"{result.verdict}: wanted at {wanted or 'no place'} ({result.row})"
