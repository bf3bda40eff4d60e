"""Folders whose names outlive a power failure."""

import os
from pathlib import Path


def make_folder(path: Path) -> None:
    """Make a folder for this user alone, with those above it, if it is missing.

    The name of each is on disk when this returns: a store in a folder that is not
    there after a power failure would be lost whole.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True, mode=0o700)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
