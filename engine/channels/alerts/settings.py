"""What ``interop.toml`` says of alerts: node rules, calendars, contacts, mail server.

Spec:
    cli.md 6; channel-format.md 3.9.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from engine.channels.alerts.rules import Holidays, NodeRules
from engine.errors import ConfigurationError
from engine.settings import Settings, read_duration

_SECURITY: Final = ("starttls", "tls", "none")


class Target(NamedTuple):
    """One way to reach a contact: ``email`` to an address, ``webhook`` to a URL.

    ``secret`` signs what is posted.
    """

    kind: str
    address: str
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """The server that takes e-mail, and who it is from."""

    host: str = ""
    port: int = 25
    sender: str = "interop-engine@localhost"
    security: str = "none"
    user: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Everything of it, read once."""

    site: str
    rules: NodeRules
    holidays: Holidays
    targets: Mapping[str, tuple[Target, ...]]
    mail: Mail


def alert_settings(settings: Settings) -> AlertSettings:
    """Return what the settings say of alerts.

    Raises:
        ConfigurationError: with everything that cannot be read.
    """
    faults: list[str] = []
    read = AlertSettings(
        settings.site,
        _rules(settings, faults),
        holidays_of(settings, faults),
        {name: _targets(name, settings, faults) for name in settings.contacts},
        _mail(settings, faults),
    )
    faults += [
        f"interop.toml: error: alerts.notify: there is no contact {name!r}"
        for name in read.rules.notify
        if name not in read.targets
    ]
    if faults:
        raise ConfigurationError("the settings of alerts cannot be read", tuple(faults))
    return read


def _rules(settings: Settings, faults: list[str]) -> NodeRules:
    rules = NodeRules()
    for key, value in settings.alerts.items():
        text = str(value)
        length = read_duration(text)
        if key == "notify":
            rules = replace(rules, notify=tuple(_texts(value)))
        elif key == "disk-over" and text.removesuffix("%").isdigit():
            rules = replace(rules, disk_over=float(text.removesuffix("%")))
        elif key == "certificate-within" and length:
            rules = replace(rules, certificate_within=length)
        elif key == "after" and length is not None:
            rules = replace(rules, after=length)
        else:
            known = "notify, disk-over (85%), certificate-within (30d) or after (2m)"
            faults.append(f"interop.toml: error: alerts.{key} = {text}: not {known}")
    return rules


def holidays_of(settings: Settings, faults: list[str]) -> Holidays:
    """Return the days of each calendar; one that cannot be read is a fault more."""
    found: dict[str, frozenset[date]] = {}
    for name, days in settings.calendars.items():
        try:
            read = frozenset(date.fromisoformat(each) for each in _texts(days))
        except ValueError as error:
            faults.append(f"interop.toml: error: calendars.{name}: {error}")
        else:
            found[name] = read
    return found


def _targets(name: str, settings: Settings, faults: list[str]) -> tuple[Target, ...]:
    """Return the ways to reach a contact, in the order they are written."""
    section = settings.contacts[name]
    if not isinstance(section, dict):
        faults.append(f"interop.toml: error: contacts.{name} is no section")
        return ()
    secret = _credential(str(section.get("credential", "")), settings).get("secret", "")
    found: list[Target] = []
    for key, value in section.items():
        for text in _texts(value):
            if key == "email" and "@" in text and not {"\r", "\n"} & set(text):
                found.append(Target(key, text))
            elif key == "webhook" and urlsplit(text).scheme in {"http", "https"}:
                found.append(Target(key, text, secret))
            elif key != "credential":
                sentence = f"contacts.{name}.{key} is no e-mail address and no webhook"
                faults.append(f"interop.toml: error: {sentence}")
    return tuple(found)


def _mail(settings: Settings, faults: list[str]) -> Mail:
    told = {key: str(value) for key, value in settings.smtp.items()}
    host, _, port = told.pop("server", "").partition(":")
    security = told.pop("security", "starttls" if host else "none")
    sender = told.pop("from", f"interop-engine@{settings.site}")
    login = _credential(told.pop("credential", ""), settings)
    if told or security not in _SECURITY or not (port or "25").isdigit():
        known = "server (HOST:PORT), from, security (starttls, tls, none), credential"
        faults.append(f"interop.toml: error: [smtp] knows {known}")
        return Mail()
    given = login.get("user", ""), login.get("password", "")
    return Mail(host, int(port or 25), sender, security, *given)


def _credential(name: str, settings: Settings) -> dict[str, str]:
    found = settings.credentials.get(name, {})
    pairs = found.items() if isinstance(found, dict) else ()
    return {key: str(value) for key, value in pairs}


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]
