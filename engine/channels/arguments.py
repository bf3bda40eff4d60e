"""The options that the engine's processes are started with."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Arguments:
    """Which site, which of its environments, and how processes wake each other.

    ``bells`` is the folder of the wake-up sockets, None without a supervisor; ``name``
    tells several workers apart. ``fresh`` says that the whole engine has just started:
    what was in hand then did not kill its worker.
    """

    config: Path
    environment: str | None = None
    bells: Path | None = None
    name: str = ""
    fresh: bool = False


def read_arguments(given: Sequence[str] | None) -> Arguments:
    """Return the options of an edge or worker process; ends it when they are wrong."""
    options = argparse.ArgumentParser(description="one process of the engine")
    options.add_argument("--config", type=Path, required=True)
    options.add_argument("--environment")
    options.add_argument("--bells", type=Path)
    options.add_argument("--name", default="")
    options.add_argument("--fresh", action="store_true")
    return Arguments(**vars(options.parse_args(given)))
