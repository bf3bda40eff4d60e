"""The settings that only the running node needs: read together, told together.

`interop check`, `interop run` and the console's process ask the same question.

Spec:
    cli.md 5.3 and 6.
"""

from collections.abc import Callable
from typing import Final

from engine.channels.alerts.settings import alert_settings
from engine.console.binding import address
from engine.console.masking import profiles_of
from engine.console.oidc import provider_of
from engine.console.scrape import metrics_address
from engine.errors import ConfigurationError
from engine.settings import Settings

_READERS: Final[tuple[Callable[[Settings], object], ...]] = (
    *(address, metrics_address, provider_of, alert_settings, profiles_of),
)


def faults_of(settings: Settings) -> list[str]:
    """Return what would keep a node with these settings from its start."""
    found: list[str] = []
    for read in _READERS:
        try:
            read(settings)
        except ConfigurationError as error:
            found += error.faults or (f"interop.toml: error: {error}",)
    return found


def expect_usable(settings: Settings) -> None:
    """Refuse settings with which a node does not start.

    Raises:
        ConfigurationError: with everything that is wrong.
    """
    if faults := faults_of(settings):
        found = "1 setting" if len(faults) == 1 else f"{len(faults)} settings"
        sentence = f"{found} of this node cannot be used"
        raise ConfigurationError(sentence, tuple(faults))
