"""How a process of the node opens its store: it waits for a server that is away."""

import os
import time
from typing import Final

import structlog

from engine.channels.supervised import supervisor
from engine.errors import StoreError
from engine.store.database import Database, Role, open_database
from engine.store.key_file import Keys

AGAIN_SECONDS: Final = 1.0
_log = structlog.get_logger()


def open_when_there(url: str, key: Keys | bytes, role: Role) -> Database:
    """Return the open store, once it is there; say so while it is not.

    Whoever starts the node has opened the store before: a server that refuses its
    password now is waited for, too. A process whose parent ends meanwhile ends too.

    Raises:
        ConfigurationError: waiting would not help.
    """
    parent, told = supervisor(), ""
    while True:
        try:
            database = open_database(url, key, role=role, known=True)
        except StoreError as error:
            if os.getppid() != parent:
                raise SystemExit(0) from error
            if str(error) != told:
                told = str(error)
                _log.error("store_away", reason=told)
            time.sleep(AGAIN_SECONDS)
        else:
            if told:
                _log.info("store_back")
            return database
