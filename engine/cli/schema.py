"""``interop schema``: what editors need to complete and check channel files."""

import json

import rich_click as click

from engine.cli.invocation import Command
from engine.cli.site import settings


@click.command("schema", cls=Command)
@click.argument("what", type=click.Choice(["channel"]))
@click.option(
    "--with-project", is_flag=True, help="Add the names of this project as choices."
)
def schema_command(what: str, *, with_project: bool) -> None:
    """Print the JSON Schema of channel files.

    Write it to config/channel.schema.json: the first line of a channel file names it.
    """
    del what
    from engine.channels.format.schema import channel_schema, project_names

    names = None
    if with_project:
        site = settings()
        tables = [path.stem for path in (site.folder / "tables").glob("*.csv")]
        names = project_names(site, tables)
    click.echo(json.dumps(channel_schema(names), indent=2, ensure_ascii=False))
