"""Who started this process: when that one is gone, this one ends.

A supervisor that dies leaves its children to the system, which hold their ports. Each
looks now and then. It has to be told whose child it is: a supervisor may die before its
child has begun to look.
"""

import os
from typing import Final

SUPERVISOR: Final = "SUPERVISED_BY"
"""The environment variable that tells a child the number of its supervisor."""


def supervisor() -> int:
    """Return the number of the process that started this one."""
    return int(os.environ.get(SUPERVISOR, "0")) or os.getppid()
