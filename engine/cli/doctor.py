"""``interop doctor``: what could be wrong on this machine, each with its fix."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import rich_click as click

from engine.cli.invocation import Command, Exit, Stop, invocation, now
from engine.cli.output import emit
from engine.cli.site import settings, site
from engine.cli.watching import last_loss
from engine.errors import ConfigurationError, EngineError

if TYPE_CHECKING:
    from engine.settings import Settings

LEAST_FREE = 1 << 30
MOST_PERCENT = 90
SLOW_FSYNC_MS = 20.0
OLD_CERTIFICATE_DAYS = 30
YEARS = (2025, 2100)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; ``fix`` says what to do when it is not ``ok``."""

    area: str
    ok: bool
    says: str
    fix: str = ""


@click.command("doctor", cls=Command)
def doctor_command() -> None:
    """Look for what could be wrong here: each finding comes with its fix."""
    checks = list(_checks())
    rows = [
        {
            "area": check.area,
            "result": "ok" if check.ok else "problem",
            "says": check.says,
            "fix": "" if check.ok else check.fix,
        }
        for check in checks
    ]
    emit(rows, ["area", "result", "says", "fix"])
    bad = sum(not check.ok for check in checks)
    if bad:
        raise Stop(f"{bad} of {len(checks)} checks found a problem", Exit.PROBLEMS)


def _checks() -> Iterator[Check]:
    from engine.transforms.fhir.compiled import is_compiled

    version = sys.version.split()[0] + (", compiled" if is_compiled() else "")
    yield Check("python", sys.version_info >= (3, 11), version, "use 3.11 or newer")
    yield _clock()
    try:
        node = settings()
    except (Stop, ConfigurationError) as error:
        says = getattr(error, "message", str(error))
        yield Check("configuration", False, says, "interop init DIR, or --config DIR")
        return
    yield Check("configuration", True, str(invocation().folder()))
    yield Check("time zone", True, node.time_zone)
    yield from _store(node)
    yield from _channels()
    yield from _certificates(node)
    if "root" in node.cda:
        yield _documents(node)


def _documents(node: "Settings") -> Check:
    """Return what judges C-CDA documents; the built-in checks always do."""
    from engine.channels.format.cda_rules import published_rules

    try:
        rules = published_rules(node)
    except ConfigurationError as error:
        return Check("documents", False, str(error), "mend [cda] in interop.toml")
    if rules is None:
        says = "judged by the built-in checks alone; [cda] rules names no copy of HL7's"
        return Check("documents", True, says)
    count = len(rules.schematrons)
    return Check("documents", True, f"judged by a schema and {count} Schematron files")


def _clock() -> Check:
    right = now().year in range(*YEARS)
    fix = "set the clock; run an NTP client"
    return Check("clock", right, f"{now():%Y-%m-%d %H:%M:%S} UTC", fix)


def _store(node: "Settings") -> Iterator[Check]:
    """Yield what the store's folder or server says."""
    url = urlsplit(node.store_url)
    if url.scheme != "sqlite":
        host, port = url.hostname or "localhost", url.port or 5432
        reached = _reaches(host, port)
        fix = "start PostgreSQL, or mend store.url"
        yield Check("store", reached, f"PostgreSQL on {host}:{port}", fix)
        if reached:
            yield _opens(node)
        return
    folder = (node.folder / unquote(url.path)[1:]).resolve()
    exists = folder.is_dir() and os.access(folder, os.W_OK)
    yield Check("store", exists, str(folder), f"mkdir -p {folder} and make it writable")
    place = folder if exists else Path(tempfile.gettempdir())
    usage = shutil.disk_usage(place)
    percent = 100 * usage.used / max(usage.used + usage.free, 1)
    says = f"{usage.free / LEAST_FREE:.1f} GiB free, {percent:.0f} % used"
    roomy = usage.free > LEAST_FREE and percent < MOST_PERCENT
    yield Check("disk", roomy, says, "free space where the store lies")
    slow = fsync_milliseconds(place)
    says = f"fdatasync p50 {slow[0]:.2f} ms, p99 {slow[1]:.2f} ms"
    yield Check("fsync", slow[0] < SLOW_FSYNC_MS, says, "a faster disk for the store")
    key = node.key_file
    private = not key.exists() or not key.stat().st_mode & 0o077
    yield Check("key", private, str(key), f"chmod 600 {key}")
    if private and key.exists() and (folder / "engine.db").exists():
        yield _opens(node)


def _opens(node: "Settings") -> Check:
    """Return whether the store's files are whole, as far as a start looks."""
    from engine.store.database import open_database
    from engine.store.key_file import load_or_create_key

    fix = "interop store verify looks at every row of a store that opens"
    try:
        key = load_or_create_key(node.key_file)
        database = open_database(node.store_url, key, create=False)
        lost = last_loss(database)
        database.close()
    except EngineError as error:
        return Check("store files", False, str(error), fix)
    return Check("store files", True, lost or "no commit is missing")


def fsync_milliseconds(folder: Path, calls: int = 100) -> tuple[float, float]:
    """Return the median and the slowest hundredth of an append made durable."""
    taken: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(calls):
            file.write(b"\xa5" * 1600)
            file.flush()
            begin = perf_counter()
            os.fdatasync(file.fileno())
            taken.append((perf_counter() - begin) * 1e3)
    taken.sort()
    return taken[len(taken) // 2], taken[int(len(taken) * 0.99)]


def _channels() -> Iterator[Check]:
    """Yield whether the channels load, and whether their ports are free or ours."""
    try:
        loaded = site()
    except EngineError as error:
        yield Check("channels", False, str(error), "interop check shows every error")
        return
    yield Check("channels", True, f"{len(loaded.channels)} load")
    for channel in loaded.channels:
        source = channel.source.mllp
        if source is None:
            continue
        place = f"{channel.name} on {source.host}:{source.port}"
        if _reaches(source.host, source.port):
            yield Check("port", True, f"{place}: something listens, the engine?")
        else:
            fix = "another port, or the right to use this one"
            yield Check("port", _can_bind(source.host, source.port), place, fix)


def _reaches(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def _can_bind(host: str, port: int) -> bool:
    try:
        with socket.create_server((host, port)):
            return True
    except OSError:
        return False


def _certificates(node: "Settings") -> Iterator[Check]:
    """Yield how long what each TLS profile names is still good."""
    from engine.channels.certificates import ends_of, profiles_of

    for profile in profiles_of(node.tls, node.folder).values():
        try:
            ends = list(ends_of(profile))
        except ConfigurationError as error:
            fix = "mend the file, or the profile in interop.toml"
            yield Check("certificate", False, str(error), fix)
            continue
        for end in ends:
            left = end.days(now())
            says = f"{end.profile}: {end.what}, {left} days left"
            fix = f"renew the {end.what}; the engine takes the new file by itself"
            yield Check("certificate", left > OLD_CERTIFICATE_DAYS, says, fix)
