"""What a process says over a pipe, within a time."""

import os
import select
import time


def read_within(descriptor: int, size: int, deadline: float) -> bytes:
    """Return so many bytes of a pipe before an instant of the monotonic clock.

    Raises:
        TimeoutError: they did not come in time.
        BrokenPipeError: the other side is gone.
    """
    parts = bytearray()
    waiting = select.poll()  # select() refuses descriptors above 1,023
    waiting.register(descriptor, select.POLLIN)
    while len(parts) < size:
        left = deadline - time.monotonic()
        if not waiting.poll(max(left, 0) * 1000):
            raise TimeoutError
        chunk = os.read(descriptor, size - len(parts))
        if not chunk:
            raise BrokenPipeError
        parts += chunk
    return bytes(parts)
