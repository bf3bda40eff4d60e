"""From a configuration folder to checked channels: everything, or every fault.

Spec:
    channel-format.md 1, 8, 9, 11.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.channels.format import checks
from engine.channels.format.channel import Channel, Destination
from engine.channels.format.faults import Fault, Place, fault_of, in_order
from engine.channels.format.matching_models import (
    Matching,
    faults_of,
    models_of,
    read_matching,
    said_of,
)
from engine.channels.format.nodes import Entries, Scalar
from engine.channels.format.parts import Parts, node_at, plain
from engine.channels.format.placeholders import Placeholders
from engine.channels.format.reader import Around, Names, Reader
from engine.channels.format.revision import revision_of
from engine.channels.format.settings_schema import unknown_keys
from engine.channels.format.site_fields import site_field_faults
from engine.channels.format.written import Node, Written
from engine.errors import ConfigurationError
from engine.settings import FILE, Settings, load_settings
from engine.transforms.code_tables import (
    CodeTable,
    Match,
    MissPolicy,
    read_csv,
    read_policy,
)
from engine.transforms.expressions import compile_expression
from engine.transforms.registry import functions
from engine.transforms.scope import Scope, Type

if TYPE_CHECKING:  # matching is heavy, and only a worker needs it
    from engine.identity.weights import Model

SECTIONS: Final = ("credentials", "tls", "contacts", "teams")


@dataclass(frozen=True)
class Site:
    """Everything a node runs: settings, channels, code tables, matching models."""

    folder: Path
    settings: Settings
    channels: tuple[Channel, ...] = ()
    tables: Mapping[str, CodeTable] = field(default_factory=dict)
    matching: Matching = field(default_factory=Matching)
    warnings: tuple[Fault, ...] = ()

    @cached_property
    def models(self) -> "Mapping[str, Model]":
        """The matching models by name, made when first asked for."""
        return models_of(self.matching, self.folder)

    def channel(self, name: str) -> Channel:
        """Return one channel.

        Raises:
            ConfigurationError: there is none of this name.
        """
        for channel in self.channels:
            if channel.name == name:
                return channel
        known = ", ".join(each.name for each in self.channels)
        raise ConfigurationError(f"no channel named {name!r}; channels here: {known}")


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking a folder found: a site when there is no error, and the faults.

    ``settings`` are the node's, or the defaults where they cannot be read.
    """

    site: Site | None
    faults: tuple[Fault, ...]
    files: int
    settings: Settings


def load_site(
    folder: Path,
    environment: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Site:
    """Return the site of a configuration folder.

    Args:
        folder: the configuration folder.
        environment: the flag that outranks ``interop.toml``.
        variables: the process environment; tests pass their own.

    Raises:
        ConfigurationError: with every fault of every file.
    """
    checked = check_site(folder, environment, variables)
    if checked.site is not None:
        return checked.site
    errors = tuple(each.text() for each in checked.faults if each.level == "error")
    found = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
    raise ConfigurationError(f"{found} in the configuration", errors)


def check_site(
    folder: Path,
    environment: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Checked:
    """Return the site of a folder, or everything that is wrong with it."""
    variables = os.environ if variables is None else variables
    return _Loading(folder, variables).run(environment)


class _Loading:
    """One run over a configuration folder: reads everything, collects every fault."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._folder = folder
        self._variables = variables
        self._faults: list[Fault] = []
        self._parts = Parts(folder, self._faults.append)
        self._torn: list[Written] = []

    def run(self, environment: str | None) -> Checked:
        """Read settings, tables, models and channels, then check them together."""
        settings = self._settings(environment)
        self._unknown(settings)
        tables = self._tables(settings)
        matching = self._matching()
        names = self._names(settings, tables, matching)
        found: list[Written] = []
        files = sorted((self._folder / "channels").glob("*.yaml"))
        own = [path for path in files if not path.name.startswith("_")]
        for path in own:
            written = self._channel(path, names, matching)
            if written is not None:
                found.append(written)
        node = Node(self._folder, settings, tables)
        self._faults += checks.check(
            found, node, self._torn, all_read=len(found) == len(own)
        )
        faults = tuple(in_order(self._faults, self._parts.lines))
        site = Site(
            folder=self._folder,
            settings=settings,
            channels=tuple(each.channel for each in found),
            tables=tables,
            matching=matching,
            warnings=tuple(each for each in faults if each.level != "error"),
        )
        broken = any(fault.level == "error" for fault in faults)
        return Checked(None if broken else site, faults, len(own), settings)

    def _settings(self, environment: str | None) -> Settings:
        try:
            return load_settings(self._folder, environment, self._variables)
        except ConfigurationError as error:
            self._faults += map(fault_of, error.faults)
            return Settings(folder=self._folder)

    def _unknown(self, settings: Settings) -> None:
        """Report the keys of sections that nothing reads; their lines may be secret."""
        found = [*unknown_keys(settings), *site_field_faults(settings)]
        lines = (self._folder / FILE).read_text("utf-8").splitlines() if found else []
        for key, sentence, hint in found:
            name = re.escape(key)
            alike = re.compile(rf"\s*(?:{name}\s*[.=]|\[.*\b{name}\])")
            number = next(
                (n for n, line in enumerate(lines, 1) if alike.match(line)), 0
            )
            self._report(Place(FILE, number), sentence, "CH400", hint)

    def _tables(self, settings: Settings) -> dict[str, CodeTable]:
        found: dict[str, CodeTable] = {}
        for path in sorted((self._folder / "tables").glob("*.csv")):
            file = f"tables/{path.name}"
            try:
                text = path.read_text("utf-8-sig")
            except (OSError, UnicodeDecodeError):
                self._report(Place(file), "this is not UTF-8, or unreadable", "CH220")
                continue
            match, policy = self._table_policy(path.stem, settings)
            table, faults = read_csv(text, path.stem, match, policy)
            found[path.stem] = table
            self._parts.lines[file] = text.splitlines()
            for fault in faults:
                place = Place(file, fault.line)
                self._report(place, fault.sentence, "CH220", fault.hint)
        return found

    def _table_policy(self, name: str, settings: Settings) -> tuple[Match, MissPolicy]:
        section = settings.tables.get(name, {})
        given = section if isinstance(section, dict) else {}
        known = {"on-missing", "match", "owner", "approval"}
        for key in given.keys() - known:
            sentence = f"[tables.{name}] has no key {key!r}"
            hint = f"keys: {', '.join(sorted(known))}"
            self._report(Place(FILE), sentence, "CH400", hint)
        match, policy = given.get("match", "exact"), given.get("on-missing", "error")
        read = read_policy(str(policy))
        if match not in tuple(Match) or read is None:
            sentence = f"[tables.{name}] holds a word that is not allowed"
            hint = "match: exact, trim or upper; on-missing as in a step"
            self._report(Place(FILE), sentence, "CH400", hint)
            return Match.EXACT, MissPolicy()
        return Match(match), read

    def _matching(self) -> Matching:
        if not (self._folder / "identity.yaml").exists():
            return Matching()
        root = self._parts.resolved("identity.yaml")
        if root is None:
            return Matching()
        found = read_matching(root, self._faults.append)
        faults = list(faults_of(found, self._folder))
        self._faults += faults
        return Matching() if faults else found

    def _names(
        self, settings: Settings, tables: Mapping[str, CodeTable], matching: Matching
    ) -> Names:
        known = {name: tuple(getattr(settings, name)) for name in SECTIONS}
        return Names(
            tables=tables,
            known={**known, "models": tuple(matching.models)},
            environment=settings.values,
            placeholders=Placeholders(self._variables, settings.values, self._folder),
            functions=functions(),
            site=settings.site,
        )

    def _channel(self, path: Path, names: Names, matching: Matching) -> Written | None:
        """Read one channel file; None when it has errors.

        What could be read of one with errors is kept, so that its ends are looked at.
        """
        file = f"channels/{path.name}"
        root = self._parts.resolved(file)
        if root is None:
            return None
        before = len(self._faults)
        scope = Scope(
            tables=names.tables,
            environment=names.environment,
            matches=_matches(root),
            site=names.site,
        )
        channel = Reader(names, self._faults.append).read_object(
            Channel,
            root,
            Around(scope),
            file=file,
            tables=names.tables,
            environment=names.environment,
        )
        if not isinstance(channel, Channel):
            return None
        if channel.name != path.stem:
            sentence = f"the channel is {channel.name}, but its file is {path.name}"
            hint = f"rename the file to {channel.name}.yaml"
            self._report(node_at(root, "channel").place, sentence, "CH300", hint)
        if len(self._faults) > before:
            self._torn.append(Written(channel, root))
            return None
        model = said_of(matching.models[channel.identity.model], self._folder)
        revision = revision_of(plain(root), names.tables, self._folder, model)
        return Written(_completed(channel, scope, revision), root)

    def _report(self, place: Place, sentence: str, code: str, hint: str = "") -> None:
        self._faults.append(Fault(place, sentence, hint, code))


def _matches(root: Entries) -> bool:
    """Whether a channel looks persons up; read before its expressions are."""
    identity = root.items.get("identity", (None, None))[1]
    if not isinstance(identity, Entries):
        return True
    match = identity.items.get("match", (None, None))[1]
    return not (isinstance(match, Scalar) and match.text == "false")


def _completed(channel: Channel, scope: Scope, revision: str) -> Channel:
    """Return the channel with the values that follow from others."""
    text = "identity.enterprise_id" if channel.identity.match else "PID-3.1"
    key, _ = compile_expression(text, replace(scope, place="destination"), Type.TEXT)

    def keyed(destination: Destination) -> Destination:
        given = destination.order_key
        return replace(destination, order_key=key if given is None else given)

    return replace(
        channel,
        title=channel.title or channel.name,
        destinations=tuple(map(keyed, channel.destinations)),
        revision=revision,
    )
