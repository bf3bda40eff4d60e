"""The configuration folder of a process, as it was last read without a fault."""

from collections.abc import Sequence
from pathlib import Path

from engine.channels.format.channel import Channel
from engine.channels.format.load import Site, load_site


class SiteFiles:
    """Holds the site that is in force.

    Raises:
        ConfigurationError: with every fault, when it is made and at each `read`.
    """

    def __init__(self, folder: Path, environment: str | None) -> None:
        self._place = folder, environment
        self.site: Site = load_site(folder, environment)
        self._is_new = True

    def read(self) -> Sequence[Channel]:
        """Return the channels, read again but the first time; a fault changes nothing.

        Reading takes most of a start: whoever starts is given what was read for its
        settings.
        """
        if not self._is_new:
            self.site = load_site(*self._place)
        self._is_new = False
        return self.site.channels
