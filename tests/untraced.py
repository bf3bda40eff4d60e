"""The environment of processes that no coverage is counted of."""

import os


def untraced() -> dict[str, str]:
    """Return our environment for a process that will be killed, or is measured.

    What a killed process had counted is lost with it; tracing only makes it slow.
    """
    return {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
