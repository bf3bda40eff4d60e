"""A log line that cannot be written ends nothing."""

import errno
import io
from collections import deque

from typing_extensions import override

from engine.channels import logs
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


def test_a_process_knows_its_latest_warnings_and_nothing_of_lesser_weight(monkeypatch):
    monkeypatch.setattr(logs, "_latest", deque(maxlen=2))
    for number, level in enumerate(("warning", "info", "error", "critical")):
        line = {"level": level, "event": f"e{number}", "reason": "x" * 400}
        assert logs._remember(None, "", line) is line

    assert [each["event"] for each in logs.latest()] == ["e2", "e3"]
    assert {len(each["reason"]) for each in logs.latest()} == {logs.LONGEST}
