"""How the configuration of a channel changed, and the way back to an older one.

The same functions serve the console and the command line.

Spec:
    channel-format.md 12; console.md S2.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from engine.channels import table_files
from engine.channels.draft import CHANNELS, draft_folder
from engine.channels.format.load import Site, load_site
from engine.channels.format.revision import ALWAYS_USED
from engine.channels.live_files import file_of, files_of, texts_in
from engine.channels.table_moves import use
from engine.channels.whole_files import replace_file
from engine.errors import ConfigurationError
from engine.settings import Settings
from engine.store import audit, config_history
from engine.store.audit import Act, Order
from engine.store.config_history import ConfigFile, Version
from engine.store.database import Database
from engine.store.seal import fingerprint

ON_DISK: Final = 0
"""Stands for the files as they are now, where a number of a configuration is meant."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One file that differs: its lines with their marks ``+``, ``-``, ``@`` or blank.

    Without lines it is only known to differ.
    """

    path: str
    lines: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What came of a change: its configuration's number, how many processes heard.

    The number is 0 where this is what runs already.
    """

    number: int
    told: int


def history(database: Database, channel: str) -> list[Version]:
    """Return how a channel changed, newest first."""
    with database.reading() as connection:
        return config_history.versions(connection, database.sealer, file_of(channel))


def differences(
    database: Database, folder: Path, channel: str, older: int, newer: int
) -> list[Difference]:
    """Return what differs for a channel between two configurations; see `ON_DISK`.

    Raises:
        ConfigurationError: one of them is not kept, or lacks the channel.
    """
    old, new = (_at(database, folder, number) for number in (older, newer))
    own = file_of(channel)
    before, after = (_text(database, side, own) for side in (old, new))
    found = [Difference(own, _lines(before, after))] if before != after else []
    said = (before + after).decode("utf-8", "replace")
    for path in sorted(old.keys() & new.keys() - {own}):
        sides = old[path], new[path]
        if sides[0].sha256 != sides[1].sha256 and is_used(path, said):
            shown = path.startswith((f"{CHANNELS}/", "steps/"))
            texts = [_text(database, side, path) for side in (old, new) if shown]
            found.append(Difference(path, _lines(*texts) if shown else ()))
    return found


def waiting(database: Database, folder: Path, channel: str) -> tuple[int, int]:
    """Return which configuration of a channel is live, and in how many files it is not.

    The number is 0 where none is kept. What differs waits for a reload.
    """
    live = next((e.number for e in history(database, channel) if e.revision), 0)
    if not live or file_of(channel) not in texts_in(folder):
        return live, 0
    return live, len(differences(database, folder, channel, live, ON_DISK))


def roll_back(
    database: Database,
    settings: Settings,
    place: tuple[str, int],
    seen: str,
    order: Order,
) -> Rewritten:
    """Write a channel's file as a configuration had it, and let the engine read it.

    Only the channel's own file is written; everything is checked with it first. What
    the file says now is kept before, also where it never went live.

    Args:
        database: where the texts are kept.
        settings: of the node.
        place: the channel, and the number of the configuration.
        seen: `version_of` the file as it was shown to whoever asks.
        order: who asks, when and why.

    Raises:
        ConfigurationError: with every fault there would be, or why it is not possible;
            the file is as it was.
    """
    channel, number = place
    path = file_of(channel)
    text = _text(database, _at(database, settings.folder, number), path)

    def change(now: bytes) -> bytes:
        _expect_as_seen(channel, now, text, seen)
        return text

    why = f"rolled back to {number}: {order.reason}"
    told = replace(order, reason=why)
    done = rewrite(database, settings, channel, change, ("config.rollback", told))
    return done if done.number else replace(done, number=number)


def rewrite(
    database: Database,
    settings: Settings,
    channel: str,
    change: Callable[[bytes], bytes],
    act: tuple[str, Order],
    accepts: Callable[[Site], None] = lambda _: None,
) -> Rewritten:
    """Change a channel's file, keep what it said, and let the engine read it.

    Args:
        database: where texts are kept.
        settings: of the node.
        channel: whose file.
        change: from what it says to what it shall say; it may raise.
        act: what this is called in the audit trail, and who asks.
        accepts: looks at what would go live, and raises where that is not wanted.

    Raises:
        ConfigurationError: with every fault there would be, or why it is not possible;
            the file is as it was.
    """
    folder, path, (_, order) = settings.folder, file_of(channel), act
    with table_files.alone(folder, CHANNELS):
        texts = texts_in(folder)
        if path not in texts:
            raise ConfigurationError(f"there is no file {path}")
        text = change(texts[path])
        draft = text.decode("utf-8", "replace")
        with draft_folder(folder, channel, draft) as made:
            site = load_site(made, settings.environment)
            files = files_of(site, texts | {path: text})
        accepts(site)
        _set_aside(database, settings.node_name, path, texts[path], order)
        number = _written(database, settings, channel, files, act)
    told = use(database, settings.node_name, order.now)
    return Rewritten(number or 0, told)


def version_of(folder: Path, channel: str) -> str:
    """Return what tells whether a channel's file was changed since it was shown.

    Raises:
        ConfigurationError: there is no such file.
    """
    texts, path = texts_in(folder), file_of(channel)
    if path not in texts:
        raise ConfigurationError(f"there is no file {path}")
    return fingerprint(texts[path]).hex()


def _expect_as_seen(channel: str, now: bytes, text: bytes, seen: str) -> None:
    if fingerprint(now).hex() != seen:
        sentence = f"{file_of(channel)} was changed meanwhile: look at it again"
        raise ConfigurationError(sentence)
    if now == text:
        raise ConfigurationError(f"{file_of(channel)} says so already")


def _set_aside(
    database: Database, node: str, path: str, now: bytes, order: Order
) -> None:
    """Keep what the file says, in a commit of its own, unless it is kept."""
    file = ConfigFile(fingerprint(now), now)
    told = replace(order, reason="it was in the file and never went live")
    with database.engine() as connection:
        if not config_history.is_kept(connection, file.sha256):
            files = {path: file}
            config_history.set_aside(connection, database.sealer, node, files, told)


def _written(
    database: Database,
    settings: Settings,
    channel: str,
    files: Mapping[str, ConfigFile],
    act: tuple[str, Order],
) -> int | None:
    """Write file, history and audit trail, in one step as far as places can be."""
    what, order = act
    done = Act(order.now, order.actor, what, f"channel {channel}", order.reason)
    text, node = files[file_of(channel)].text, settings.node_name
    assert text is not None
    try:
        with database.engine() as connection:
            sealer = database.sealer
            number = config_history.keep(connection, sealer, node, files, order)
            audit.write(connection, sealer, [done])
            replace_file(settings.folder / file_of(channel), text)
    except OSError as error:
        sentence = f"{file_of(channel)} cannot be written here: {error.strerror}"
        raise ConfigurationError(sentence) from error
    return number


def _at(database: Database, folder: Path, number: int) -> Mapping[str, ConfigFile]:
    if number == ON_DISK:
        return {
            path: ConfigFile(fingerprint(text), text)
            for path, text in texts_in(folder).items()
        }
    with database.reading() as connection:
        found = config_history.files_of(connection, number)
    if not found:
        raise ConfigurationError(f"configuration {number} is not kept")
    return found


def _text(database: Database, files: Mapping[str, ConfigFile], path: str) -> bytes:
    if path not in files:
        raise ConfigurationError(f"{path} was not in this configuration")
    known = files[path].text
    if known is not None:
        return known
    with database.reading() as connection:
        text = config_history.text_of(connection, database.sealer, files[path].sha256)
    assert text is not None  # a text goes with the last configuration that names it
    return text


def is_used(path: str, said: str) -> bool:
    """Tell whether a channel's file says that it uses another file."""
    name = Path(path).stem
    if path.startswith(f"{CHANNELS}/"):
        return name.startswith("_") and name in said
    if path.startswith("steps/"):
        return f"{name}:" in said
    if path.startswith(table_files.FOLDER):
        word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
        return name in ALWAYS_USED or word.search(said) is not None
    return True


def _lines(older: bytes, newer: bytes) -> tuple[tuple[str, str], ...]:
    return tuple(_marked(*(_lines_of(each) for each in (older, newer))))


def _lines_of(text: bytes) -> Sequence[str]:
    return text.decode("utf-8", "replace").splitlines()


def _marked(older: Sequence[str], newer: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what changed with three lines around, after the heads of a diff."""
    lines = difflib.unified_diff(older, newer, lineterm="")
    for line in list(lines)[2:]:
        mark = line[0]
        yield (mark, line) if mark == "@" else (mark, line[1:])
