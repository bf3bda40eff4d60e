"""``interop init``, ``check``, ``test`` and ``schema``: a project on disk."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson
import rich_click as click

from engine.cli.invocation import Command, Exit, Stop, invocation, leave, note
from engine.cli.junit import junit as report
from engine.cli.output import emit, output_format
from engine.cli.site import site

if TYPE_CHECKING:
    from engine.channels.format.faults import Fault
    from engine.channels.format.load import Site

TEMPLATE: Final = Path(__file__).with_name("template")
LEFT_OUT: Final = {
    "adt-to-fhir": ("laboratory", "relay"),
    "oru-lab": ("hospital-adt", "relay"),
    "full": (),
    "blank": ("hospital-adt", "laboratory", "relay"),
}
"""Template to the channels of the full project that it does not have."""

PIPELINE: Final = """\
name: check
on: [push, pull_request]
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - run: pip install interop-engine
      - run: interop check --config config --format github
      - run: interop test --config config
"""


@click.command("init", cls=Command)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--template", type=click.Choice(list(LEFT_OUT)), default="full", show_default=True
)
def init_command(folder: Path, template: str) -> None:
    """Write a new project: channels, code tables, tests, a file for CI.

    What is in FOLDER already is never overwritten.
    """
    config = folder / "config"
    if config.exists():
        raise Stop(f"{config} exists already", Exit.USAGE, "name another folder")
    write_project(folder, template)
    workflow = folder / ".github" / "workflows" / "check.yaml"
    workflow.parent.mkdir(parents=True, exist_ok=True)
    workflow.write_text(PIPELINE, encoding="utf-8")
    (folder / ".gitignore").write_text("/store/\n/out/\n/received/\n", encoding="utf-8")
    files = sorted(str(path) for path in folder.rglob("*") if path.is_file())
    emit(({"file": name} for name in files), ["file"])
    note(f"next: cd {folder} · interop check · interop test · interop run")


def write_project(folder: Path, template: str = "full") -> None:
    """Write a template's configuration below ``folder``, and folders for results."""
    from engine.channels.format.schema import channel_schema

    out = [f"{name}.yaml" for name in LEFT_OUT[template]]
    shutil.copytree(TEMPLATE, folder / "config", ignore=shutil.ignore_patterns(*out))
    schema = orjson.dumps(channel_schema(), option=orjson.OPT_INDENT_2)
    (folder / "config" / "channel.schema.json").write_bytes(schema + b"\n")
    for name in ("store", "out", "received"):
        (folder / name).mkdir(parents=True, exist_ok=True)


@click.command("schema", cls=Command)
@click.argument("what", type=click.Choice(["channel", "settings"]))
@click.option("--with-project", is_flag=True, help="Offer this project's own names.")
def schema_command(what: str, *, with_project: bool) -> None:
    """Print the JSON Schema of channel files or of interop.toml, for editors.

    Save that of channels as config/channel.schema.json; the first line of a channel
    file names it. --with-project is for channels.
    """
    from engine.channels.format.schema import channel_schema, project_names
    from engine.channels.format.settings_schema import settings_schema

    if what == "settings":
        click.echo(orjson.dumps(settings_schema(), option=orjson.OPT_INDENT_2))
        return
    loaded = site() if with_project else None
    names = project_names(loaded.settings, list(loaded.tables)) if loaded else None
    click.echo(orjson.dumps(channel_schema(names), option=orjson.OPT_INDENT_2))


@click.command("check", cls=Command)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--environment", help="Check with the values of this environment.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    show_default=True,
)
@click.option("--strict", is_flag=True, help="Warnings are problems too.")
@click.option("--fix", is_flag=True, help="Mend what has one right answer first.")
def check_command(
    paths: tuple[Path, ...],
    environment: str | None,
    form: str,
    *,
    strict: bool,
    fix: bool,
) -> None:
    """Check every file of the configuration; every error in one run.

    Files without errors are tried too: the tests of the channels are run, and what is
    rendered in them is held against every validator here. With PATHS only what was
    found in these files is printed. The exit code is 1 when there is an error, or with
    --strict a warning.
    """
    from engine.channels.format import faults as shown
    from engine.channels.format.faults import fault_of
    from engine.channels.format.fixes import fix as mend
    from engine.channels.format.load import check_site
    from engine.console.node_settings import faults_of

    folder = invocation().folder()
    if not folder.is_dir():
        hint = "name it with --config DIR, or make one with interop init DIR"
        raise Stop(f"no configuration in {folder}", Exit.CONFIGURATION, hint)
    checked = check_site(folder, environment)
    if fix:
        for file, count in mend(folder, checked.faults).items():
            note(f"{file}: {count} lines mended")
        checked = check_site(folder, environment)
    faults = [*checked.faults, *(_tried(checked.site) if checked.site else ())]
    faults += [fault_of(text) for text in faults_of(checked.settings)]
    found = [fault for fault in faults if _among(fault, paths)]
    form = "json" if invocation().output == "json" else form
    click.echo(
        {
            "text": lambda: shown.report(found, checked.files),
            "json": lambda: shown.as_json(found),
            "github": lambda: shown.as_github(found, str(folder)),
            "sarif": lambda: shown.as_sarif(found, str(folder)),
        }[form]()
    )
    bad = {"error", "warning"} if strict else {"error"}
    if any(fault.level in bad for fault in found):
        leave(Exit.PROBLEMS)


def _tried(checked: "Site") -> "list[Fault]":
    """Return what the tests of the channels find."""
    from engine.channels.processing.assemble import lines_of
    from engine.channels.processing.channel_tests import run_tests

    if not any(channel.tests for channel in checked.channels):
        return []
    return [
        fault
        for line in lines_of(checked).values()
        for result in run_tests(line, checked.folder)
        for fault in result.faults()
    ]


def _among(fault: "Fault", paths: tuple[Path, ...]) -> bool:
    if not paths:
        return True
    place = (invocation().folder() / fault.place.file).resolve()
    return any(place.is_relative_to(path.resolve()) for path in paths)


@click.command("test", cls=Command)
@click.argument("channel", required=False)
@click.option("-k", "name", default="", help="Only tests whose name contains this.")
@click.option("--junit", type=click.Path(path_type=Path), help="Results for a CI.")
@click.option("--environment", help="Which [environments.*] values apply.")
def test_command(
    channel: str | None, name: str, junit: Path | None, environment: str | None
) -> None:
    """Run the tests written in the channel files; each on an empty index.

    The exit code is 1 when one fails.
    """
    from engine.channels.processing.assemble import lines_of
    from engine.channels.processing.channel_tests import run_tests

    lines = lines_of(site(environment))
    if channel is not None and channel not in lines:
        hint = f"channels: {', '.join(lines)}"
        raise Stop(f"there is no channel {channel}", Exit.USAGE, hint)
    chosen = [channel] if channel else list(lines)
    folder = invocation().folder()
    results = [(each, run_tests(lines[each], folder, name)) for each in chosen]
    rows = [
        {
            "channel": each,
            "test": result.name,
            "result": "passed" if result.passed else "failed",
            "differences": [*result.differences, *result.not_r4],
            "line": result.line,
        }
        for each, found in results
        for result in found
    ]
    columns = ["result", "channel", "test"]
    emit(rows, columns)
    if junit is not None:
        cases = [
            (channel, each.name, "\n".join((*each.differences, *each.not_r4)))
            for channel, found in results
            for each in found
        ]
        junit.write_text(report(cases), encoding="utf-8")
    failed = [row for row in rows if row["result"] == "failed"]
    if output_format() == "table":
        for row in failed:
            note(f"{row['line']}: {row['test']}")
            for difference in row["differences"]:
                note(f"  {difference}")
    note(f"{len(rows) - len(failed)} passed, {len(failed)} failed")
    if failed:
        leave(Exit.PROBLEMS)
