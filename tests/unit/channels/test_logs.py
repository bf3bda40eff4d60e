"""A log line that cannot be written ends nothing."""

import errno
import io

from typing_extensions import override

from engine.channels.logs import Unfailing


class FullDisk(io.StringIO):
    """A file on a disk without space."""

    @override
    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")

    @override
    def flush(self):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_F05_a_line_is_written_or_lost_and_nobody_hears_of_it():
    fine, full = io.StringIO(), FullDisk()

    for stream in (fine, full):
        print("one", file=Unfailing(stream), flush=True)

    assert fine.getvalue() == "one\n"
