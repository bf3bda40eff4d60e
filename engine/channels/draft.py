"""A configuration folder with one channel file changed: nothing of the site is touched.

Everything else is linked to, so a draft is checked and run with the site's own tables,
steps and shared files.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import ConfigurationError

CHANNELS = "channels"


@contextmanager
def draft_folder(folder: Path, channel: str, text: str) -> Iterator[Path]:
    """Give a folder that is ``folder`` with this text as the channel's file.

    Raises:
        ConfigurationError: there is no such channel file.
    """
    file = f"{channel}.yaml"
    if "/" in channel or not (folder / CHANNELS / file).is_file():
        raise ConfigurationError(f"there is no channel file {file}")
    with tempfile.TemporaryDirectory(prefix="interop-draft-") as place:
        made = Path(place)
        for each in folder.iterdir():
            if each.name != CHANNELS:
                (made / each.name).symlink_to(each.resolve())
        (made / CHANNELS).mkdir()
        for each in (folder / CHANNELS).iterdir():
            if each.name != file:
                (made / CHANNELS / each.name).symlink_to(each.resolve())
        (made / CHANNELS / file).write_text(text, encoding="utf-8", newline="")
        yield made
