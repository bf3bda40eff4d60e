"""What somebody works on at the test bench: a message, a channel, its changed rules."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import ConfigurationError, ParseError
from engine.hl7 import parse
from engine.hl7.acknowledgment import read_header
from engine.hl7.charsets import codec_for

_LINE_END: Final = re.compile(r"\r\n|\n|\r")


def channel_files(folder: Path) -> dict[str, Path]:
    """Return the channel files of a site by channel."""
    found = sorted((folder / "channels").glob("*.yaml"))
    return {each.stem: each for each in found if not each.name.startswith("_")}


@dataclass(frozen=True, slots=True)
class Rules:
    """A channel's file, and what was typed over it: ``draft``, or empty."""

    channel: str
    file: str = ""
    draft: str = ""

    @property
    def shown(self) -> str:
        """What stands in the editor."""
        return self.draft or self.file


def rules_of(folder: Path, channel: str, typed: str = "") -> Rules:
    """Return the rules of a channel with what was typed over them.

    Raises:
        ConfigurationError: there is no such channel, or the draft names a value of the
            node where the channel does not: its faults could show a secret.
    """
    files = channel_files(folder)
    if channel not in files:
        known = ", ".join(files) or "none"
        raise ConfigurationError(f"there is no channel {channel!r}; channels: {known}")
    written = files[channel].read_text("utf-8")
    draft = _LINE_END.sub("\n", typed)
    if not draft.strip() or draft.rstrip() == written.rstrip():
        return Rules(channel, written)
    own = {line.strip() for line in written.splitlines()}
    for number, line in enumerate(draft.splitlines(), 1):
        if "${" in line and line.strip() not in own:
            sentence = f"line {number}: a draft may not add or change a ${{...}} value"
            raise ConfigurationError(sentence, (sentence,))
    return Rules(channel, written, draft)


def bytes_of(text: str) -> bytes:
    """Return a typed message as it would come: segments ended by CR, in its charset."""
    message = _LINE_END.sub("\r", text.strip()) + "\r"
    data = message.encode("utf-8", "replace")
    try:
        declared = read_header(data).charsets
    except ParseError:
        return data
    codec = codec_for(declared[0]) if declared else None
    try:
        return message.encode(codec) if codec else data
    except (UnicodeEncodeError, LookupError):
        return data


def text_of(data: bytes) -> str:
    """Return a message as one edits it: a segment on a line."""
    try:
        text = parse(data).text
    except ParseError:
        text = data.decode("utf-8", "replace")
    return _LINE_END.sub("\n", text.strip("\x0b\x1c\r\n"))
