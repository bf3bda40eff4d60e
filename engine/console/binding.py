"""Where the console listens, and what that takes beyond this machine.

Spec:
    security.md S16; cli.md 5.3.
"""

from ipaddress import ip_address
from typing import Final

from engine.errors import ConfigurationError
from engine.settings import Settings

OFF: Final = "off"


def address(settings: Settings) -> tuple[str, int] | None:
    """Return where the console listens; None where it is off.

    Raises:
        ConfigurationError: it is no address, or one beyond this machine without what
            that needs; every missing thing is named.
    """
    if settings.console_bind == OFF:
        return None
    host, port = host_and_port("console.bind", settings.console_bind)
    faults = [] if is_loopback(host) else list(_missing(settings))
    if faults:
        count = "1 thing is" if len(faults) == 1 else f"{len(faults)} things are"
        sentence = f"{count} missing for a console on {settings.console_bind}"
        raise ConfigurationError(sentence, tuple(faults))
    return host, port


def host_and_port(key: str, text: str) -> tuple[str, int]:
    """Return what a setting such as ``127.0.0.1:8080`` says.

    Raises:
        ConfigurationError: it is no address.
    """
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        raise ConfigurationError(f"{key} {text!r} is not HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _missing(settings: Settings) -> list[str]:
    needed = {
        "no certificate: console.tls = PROFILE, or console.proxy = ADDRESS": (
            settings.console_tls or settings.console_proxy
        ),
        "no encryption key: store.key = FILE, outside the store": settings.store_key,
    }
    return [
        f"interop.toml: error: {what}" for what, there in needed.items() if not there
    ]
