"""``interop metrics``: what Prometheus would read now."""

import sys

import rich_click as click

from engine.cli.invocation import Command, now
from engine.cli.site import site, store


@click.command("metrics", cls=Command)
@click.option("--openmetrics", is_flag=True, help="In the form of OpenMetrics.")
def metrics_command(*, openmetrics: bool) -> None:
    """Print every metric as /metrics has it; the engine need not run."""
    from engine.console.metrics import exposition

    loaded = site()
    accept = "application/openmetrics-text; version=1.0.0" if openmetrics else ""
    with store() as database:
        found, _ = exposition(database, loaded, now, accept)
    sys.stdout.write(found.decode())
