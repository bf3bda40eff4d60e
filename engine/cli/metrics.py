"""``interop metrics``: what Prometheus would read now."""

import sys
from importlib.resources import files
from pathlib import Path

import rich_click as click

from engine.cli.invocation import Command, note, now
from engine.cli.site import site, store


@click.command("metrics", cls=Command)
@click.option("--openmetrics", is_flag=True, help="In the form of OpenMetrics.")
@click.option(
    "--write",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write Grafana's dashboards and Prometheus' alert rules there instead.",
)
def metrics_command(*, openmetrics: bool, write: Path | None) -> None:
    """Print every metric as /metrics has it; the engine need not run."""
    from engine.console.metrics import exposition

    if write is not None:
        _write(write)
        return
    loaded = site()
    accept = "application/openmetrics-text; version=1.0.0" if openmetrics else ""
    with store() as database:
        found, _ = exposition(database, loaded, now, accept)
    sys.stdout.write(found.decode())


def _write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for shipped in files("engine.console").joinpath("observe").iterdir():
        (folder / shipped.name).write_bytes(shipped.read_bytes())
        note(str(folder / shipped.name))
