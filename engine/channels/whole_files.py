"""Files that are seen whole or not at all, also after a power failure."""

import os
import shutil
import tempfile
from pathlib import Path

from engine.store.folders import sync_folder


def replace_file(path: Path, content: bytes) -> None:
    """Write beside the old file, bring it to disk, then put it in its place."""
    descriptor, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        if path.exists():
            shutil.copymode(path, fresh)
        else:
            Path(fresh).chmod(0o644)
        Path(fresh).replace(path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
