"""Kinds of option values: addresses, rates, times, shares."""

import re
from typing import Final

import click

SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, or of a port on this machine."""
    host, _, port = text.rpartition(":")
    if not re.fullmatch(r"\d{1,5}", port) or not 0 < int(port) < 1 << 16:
        raise click.BadParameter(f"{text!r} is not HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def rate(text: str) -> float:
    """Return messages per second of ``50``, ``50/s`` or ``90/m``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/(s|m|h))?", text)
    if not found or float(found[1]) == 0:
        raise click.BadParameter(f"{text!r} is not a rate such as 50/s or 90/m")
    return float(found[1]) / SECONDS[found[2] or "s"]


def duration(text: str) -> float:
    """Return the seconds of ``500ms``, ``2s``, ``5m``, ``1h``, ``7d`` or ``20``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?", text)
    if not found:
        raise click.BadParameter(f"{text!r} is not a time such as 500ms or 2s")
    return float(found[1]) * SECONDS[found[2] or "s"]


def share(text: str) -> float:
    """Return a number from 0 to 1 of ``8%`` or ``0.08``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(%)?", text)
    value = float(found[1]) / (100 if found[2] else 1) if found else -1.0
    if not 0 <= value <= 1:
        raise click.BadParameter(f"{text!r} is not a share such as 8%")
    return value
