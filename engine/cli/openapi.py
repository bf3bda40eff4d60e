"""``interop openapi``: the API described, for programs and for readers."""

import orjson
import rich_click as click

from engine.cli.invocation import Command


@click.command("openapi", cls=Command)
@click.option("--page", is_flag=True, help="A page of Markdown instead of JSON.")
def openapi_command(*, page: bool) -> None:
    """Print the OpenAPI document of /api/v1; it needs no running engine."""
    from engine.console.api.description import document, reference_page
    from engine.console.api.routes import API
    from engine.console.site import built

    found = document(built(API))
    if page:
        click.echo(reference_page(found), nl=False)
        return
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
