"""Node settings: defaults, ``interop.toml``, environment and flags, in this order.

Spec:
    cli.md 6.
"""

import hashlib
import os
import re
import socket
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from engine.errors import ConfigurationError

FILE: Final = "interop.toml"
CONTROL: Final = frozenset({"INTEROP_CONFIG", "INTEROP_TOKEN"})
"""Environment names that are no settings; ``INTEROP_TEST__*`` belongs to the tests."""

_DURATION: Final = re.compile(r"(\d{1,9})(ms|s|m|h|d|y)", re.ASCII)
_SIZE: Final = re.compile(r"(\d{1,9})(B|KB|MB|GB)", re.ASCII)
_FILE_VALUE: Final = re.compile(r"\$\{file:([^}]+)\}")
_SECRET: Final = re.compile(r"password|token|secret|key|authorization", re.IGNORECASE)
_SPANS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "y": timedelta(days=365),
}
_UNITS: Final = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
_MOST_WORKERS: Final = 8
_AUDIT_FLOOR: Final = timedelta(days=6 * 365)

Section = Mapping[str, object]


def read_duration(text: str) -> timedelta | None:
    """Return what ``500ms``, ``30s``, ``5m``, ``2h``, ``7d`` or ``6y`` says.

    Examples:
        >>> read_duration("90s")
        datetime.timedelta(seconds=90)
    """
    found = _DURATION.fullmatch(text)
    try:
        return int(found[1]) * _SPANS[found[2]] if found else None
    except OverflowError:
        return None


def read_size(text: str) -> int | None:
    """Return the bytes ``64KB`` or ``64MB`` says.

    Examples:
        >>> read_size("64KB")
        65536
    """
    found = _SIZE.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of one node: ``store_url`` is ``url`` of the section ``[store]``.

    ``folder`` is the configuration folder, from which relative paths resolve.
    """

    folder: Path
    site: str = ""
    identity_system: str = ""
    time_zone: str = "UTC"
    environment: str = "default"
    store_url: str = "sqlite:////var/lib/interop"
    store_key: str = ""
    store_backups: str = "../backups"
    node_name: str = ""
    node_workers: int = 1
    console_bind: str = "127.0.0.1:8080"
    console_tls: str = ""
    console_proxy: str = ""
    console_session_idle: timedelta = timedelta(minutes=15)
    console_session_max: timedelta = timedelta(hours=12)
    console_address: str = ""
    console_second_factor: tuple[str, ...] = ("administrator", "administer")
    console_mask_lists: bool = True
    console_tour: bool = False
    console_small_cells: int = 10
    metrics_bind: str = "127.0.0.1:9464"
    metrics_token: str = ""
    http_bind: str = ""
    log_level: str = "info"
    log_format: str = "auto"
    retention_content: timedelta = timedelta(days=30)
    retention_metadata: timedelta = timedelta(days=400)
    retention_audit: timedelta = _AUDIT_FLOOR
    files_allowed: tuple[str, ...] = ()
    outbound_allowed: tuple[str, ...] = ()
    environments: Section = field(default_factory=dict)
    tls: Section = field(default_factory=dict)
    credentials: Section = field(default_factory=dict)
    contacts: Section = field(default_factory=dict)
    teams: Section = field(default_factory=dict)
    smtp: Section = field(default_factory=dict)
    alerts: Section = field(default_factory=dict)
    calendars: Section = field(default_factory=dict)
    tables: Section = field(default_factory=dict)
    hl7: Section = field(default_factory=dict)
    cda: Section = field(default_factory=dict)
    oidc: Section = field(default_factory=dict)
    masking: Section = field(default_factory=dict)

    @property
    def zone(self) -> ZoneInfo:
        """The node's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def key_file(self) -> Path:
        """Where the key for content at rest lies; by default outside store and config.

        The default name follows the configuration folder, so that two sites of one
        user do not share a key.
        """
        if self.store_key:
            return self.folder / self.store_key
        base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
        name = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:16]
        return Path(base, "interop-engine", f"{name}.key")

    @property
    def backups(self) -> Path:
        """The folder that backups are made in; better on another disk."""
        return (self.folder / self.store_backups).resolve()

    @property
    def allowed_folders(self) -> tuple[Path, ...]:
        """The folders that file sources and destinations may use, absolute."""
        return tuple((self.folder / each).resolve() for each in self.files_allowed)

    @property
    def values(self) -> dict[str, str]:
        """What placeholders may name: the environment's section over the default's."""
        chosen: dict[str, str] = {}
        for name in ("default", self.environment):
            section = self.environments.get(name, {})
            if isinstance(section, dict):
                chosen |= {key: str(value) for key, value in section.items()}
        return chosen


def load_settings(
    folder: Path,
    environment: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings of a configuration folder.

    Args:
        folder: holds ``interop.toml``; without one the defaults count.
        environment: the flag that outranks file and variables.
        variables: the process environment; tests pass their own.

    Raises:
        ConfigurationError: with every fault of file and variables.
    """
    variables = os.environ if variables is None else variables
    faults: list[str] = []
    values = _defaults()
    values |= _readable(_flat(_read_file(folder / FILE)), FILE, faults)
    values |= _readable(_from_environment(variables), "environment", faults)
    if environment:
        values["environment"] = environment
    if faults:
        raise ConfigurationError(f"{len(faults)} faults in settings", tuple(faults))
    return _completed(Settings(folder=folder, **values))  # type: ignore[arg-type]


def _defaults() -> dict[str, object]:
    cores = os.cpu_count() or 1
    return {
        "node_name": socket.gethostname(),
        "node_workers": max(1, min(cores - 1, _MOST_WORKERS)),
    }


def _completed(settings: Settings) -> Settings:
    """Return settings with the values that follow from others, and paths resolved."""
    found = {each.name: getattr(settings, each.name) for each in fields(Settings)}
    found["site"] = settings.site or settings.node_name
    found["identity_system"] = (
        settings.identity_system or f"urn:id:{found['site']}:enterprise"
    )
    prefix, mark, place = settings.store_url.partition(":///")
    if mark and prefix == "sqlite":
        found["store_url"] = f"sqlite:///{(settings.folder / place).resolve()}"
    return Settings(**found)


def _read_file(path: Path) -> dict[str, object]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        fault = f"{path.name}: error: {error}\n       hint: check quotes and brackets"
        raise ConfigurationError(f"{path.name} is not TOML", (fault,)) from error


_GROUPS: Final = frozenset(
    {"identity", "store", "node", "console", "metrics", "http", "log", "retention"}
    | {"files", "outbound"}
)


def _key_of(name: str) -> str:
    """Return a field's key: ``store_url`` is ``store.url``."""
    group, _, rest = name.partition("_")
    dashed = rest.replace("_", "-")
    return f"{group}.{dashed}" if group in _GROUPS else name.replace("_", "-")


KEYS: Final = {
    _key_of(each.name): each for each in fields(Settings) if each.name != "folder"
}
"""Every key of the file with the field it fills; a section stays whole."""

_SECTIONS: Final = frozenset(
    key for key, each in KEYS.items() if each.type is Section or each.type == Section
)


def _flat(tree: Mapping[str, object], above: str = "") -> dict[str, object]:
    """Return dotted keys; sections of names stay whole."""
    found: dict[str, object] = {}
    for name, value in tree.items():
        key = above + name
        if isinstance(value, dict) and key not in _SECTIONS:
            found |= _flat(value, f"{key}.")
        else:
            found[key] = value
    return found


def _from_environment(variables: Mapping[str, str]) -> dict[str, object]:
    """Return ``INTEROP_STORE__URL`` and the like under their dotted keys."""
    return {
        name.removeprefix("INTEROP_").lower().replace("__", ".").replace("_", "-"): text
        for name, text in variables.items()
        if name.startswith("INTEROP_")
        and name not in CONTROL
        and not name.startswith("INTEROP_TEST__")
    }


def _readable(
    flat: Mapping[str, object], origin: str, faults: list[str]
) -> dict[str, object]:
    """Return values by field name; what cannot be read becomes a fault."""
    found: dict[str, object] = {}
    for key, value in flat.items():
        target = KEYS.get(key)
        if target is None:
            hint = _hint(key)
            faults.append(
                f"{origin}: error: unknown setting {key}\n       hint: {hint}"
            )
            continue
        try:
            found[target.name] = _READERS[str(target.type)](_resolved(value))
        except (ValueError, OSError, KeyError) as error:
            faults.append(f"{origin}: error: {key}: {error}")
    return found


def _hint(key: str) -> str:
    """Return what to write instead of a key that there is not."""
    if key.partition(".")[0] == "ldap":
        return "sign-in by LDAP is not served; take [oidc], or accounts of the engine"
    near = get_close_matches(key, KEYS, 1)
    return f"did you mean {near[0]}?" if near else "see interop schema settings"


def _resolved(value: object) -> object:
    """Return a value with ``${file:/path}`` replaced by that file's content."""
    if isinstance(value, str):
        return _FILE_VALUE.sub(
            lambda hit: Path(hit[1]).read_text("utf-8").strip(), value
        )
    if isinstance(value, dict):
        return {key: _resolved(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_resolved(each) for each in value]
    return value


def _duration(value: object) -> timedelta:
    found = read_duration(str(value))
    if found is None:
        raise ValueError(f"{value!r} is not a duration; write it like 30d")
    return found


def _boolean(value: object) -> bool:
    if str(value).lower() not in ("true", "false"):
        raise ValueError(f"{value!r} is neither true nor false")
    return str(value).lower() == "true"


def _list(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list")  # noqa: TRY004 - a fault of the file
    return tuple(str(part) for part in value)


def _table(value: object) -> Section:
    if not isinstance(value, dict):
        raise ValueError("a section is expected here")  # noqa: TRY004 - see _list
    return value


_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    repr(str): str,
    repr(int): lambda value: int(str(value)),
    repr(bool): _boolean,
    repr(timedelta): _duration,
    str(tuple[str, ...]): _list,
    str(Section): _table,
}


def origins(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return where the value of each key is from: its file, a variable, or default."""
    found = dict.fromkeys(KEYS, "default")
    found |= dict.fromkeys(_flat(_read_file(folder / FILE)), FILE)
    return found | dict.fromkeys(_from_environment(variables), "environment")


def masked(settings: Settings) -> dict[str, object]:
    """Return settings by key as they may be shown: secrets are ``***``."""
    return {
        key: _masked(key, getattr(settings, each.name)) for key, each in KEYS.items()
    }


def _masked(key: str, value: object) -> object:
    if isinstance(value, dict):
        return {name: _masked(name, each) for name, each in value.items()}
    return "***" if _SECRET.search(key.rsplit(".", maxsplit=1)[-1]) and value else value
