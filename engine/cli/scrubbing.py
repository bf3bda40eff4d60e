"""``interop scrub``: a message without its person, or a test made of it."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from engine.cli.given import message_bytes
from engine.cli.invocation import Command, Exit, Stop, invocation, note
from engine.cli.site import settings

if TYPE_CHECKING:
    from engine.hl7.scrubbing import Replacement


@click.command("scrub", cls=Command)
@click.argument("message")
@click.option("--keep", multiple=True, help="Path of text read and found harmless.")
@click.option("--as-test", "channel", default="", help="Save it beside this channel.")
@click.option("--name", default="", help="The test's name: a sentence of behaviour.")
@click.option("-O", "--out", type=click.Path(file_okay=False, path_type=Path))
def scrub_command(
    message: str, keep: tuple[str, ...], channel: str, name: str, out: Path | None
) -> None:
    """Take the person out of a message, and tell what was replaced.

    MESSAGE is a file, - for stdin, or the number of a stored message. Names and numbers
    become pseudonyms of this site, dates move together, words become their shape: read
    what is left before you give it away. It goes to stdout, to a folder with -O, or
    with --as-test and --name beside a channel as a test.
    """
    from engine.hl7 import parse
    from engine.hl7.scrubbing import scrub
    from engine.store.key_file import load_or_create_key
    from engine.store.seal import Sealer

    if channel and not name:
        raise Stop("--as-test needs --name", Exit.USAGE)
    sealer = Sealer(load_or_create_key(settings().key_file))
    text, replaced = scrub(parse(message_bytes(message)), sealer.pseudonym, keep)
    _tell(replaced)
    if channel:
        note(f"saved as {_saved(channel, name, text.encode())}")
    elif out is not None:
        out.mkdir(parents=True, exist_ok=True)
        file = out / f"{Path(message).stem}-scrubbed.hl7"
        file.write_bytes(text.replace("\r", "\n").encode())
        note(f"written to {file}")
    else:
        click.echo(text.replace("\r", "\n"), nl=False)


def _tell(replaced: "list[Replacement]") -> None:
    kinds = Counter(each.kind for each in replaced)
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    note(f"replaced: {counted or 'nothing'}")
    words = [each.path for each in replaced if each.kind == "text"]
    if words:
        note(f"words that became their shape: {', '.join(words)}")


def _saved(channel: str, name: str, data: bytes) -> str:
    """Return the file of the new test.

    Raises:
        ConfigurationError: it did not pass; nothing was written.
    """
    from engine.channels.saved_tests import NewTest, add_test, expectation
    from engine.channels.trials import Trials

    folder = invocation().folder()
    trials = Trials(folder)
    try:
        flow: dict[str, Any] = trials.attempt(channel, data)
        if "state" not in flow:
            raise Stop(f"it does not go through {channel}", Exit.PROBLEMS)
        test = NewTest(name, data, expectation(flow))
        return add_test(folder, channel, test, lambda text: trials.test(channel, text))
    finally:
        trials.close()
