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

    def read(self) -> Sequence[Channel]:
        """Read everything again, and return the channels; a fault changes nothing."""
        self.site = load_site(*self._place)
        return self.site.channels
