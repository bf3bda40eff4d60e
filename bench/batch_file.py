"""What the edge spends on one batch file, from the folder to the journal.

    python bench/batch_file.py [--messages 100000]

It writes a file of one batch, has a real edge take it (SQLite, synchronous=FULL), and
prints processor time per message and how much memory the process used at most, beside
a file of a tenth of that size: both must be about the same, since a batch is streamed.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.edge_ledger import EdgeProcess, adt

TICKS = 100
LONGEST_SECONDS = 600.0


def write(path: Path, messages: int) -> int:
    """Write a batch of invented messages; return its size in bytes."""
    with path.open("wb") as file:
        file.write(b"BHS|^~\\&|SEND|GEN|ENG|HOSP|20300101||||BENCH\r")
        for number in range(messages):
            file.write(adt(number)[1])
        file.write(f"BTS|{messages}\r".encode())
    return path.stat().st_size


def spent(process_id: int) -> tuple[float, float]:
    """Return processor seconds and the most memory so far, in megabytes."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{process_id}/status").read_text()
    most = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / TICKS, int(most.split()[1]) / 1024


def measure(messages: int) -> None:
    """Have an edge take one file, and print what that cost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        incoming = folder / "data" / "in"
        incoming.mkdir(parents=True)
        edge = EdgeProcess(folder, options=("--files", str(folder / "data"))).start()
        assert edge.process is not None
        before, idle = spent(edge.process.pid)
        size = write(folder / "made", messages)
        (folder / "made").rename(incoming / "batch.hl7")
        end = time.monotonic() + LONGEST_SECONDS
        while not (incoming / "done" / "batch.hl7").exists():
            if time.monotonic() > end:
                raise SystemExit("the file was not taken in time")
            time.sleep(0.2)
        after, most = spent(edge.process.pid)
        kept = len(edge.journal())
        edge.stop()
    if kept != messages:
        raise SystemExit(f"{kept} of {messages} messages are in the journal")
    each = (after - before) * 1_000_000 / messages
    print(
        f"{messages} messages, {size / 1e6:.1f} MB: {each:.0f} us of CPU per message, "
        f"{most:.0f} MB at most, {idle:.0f} MB when idle"
    )


def main() -> None:
    """Measure a tenth, then the whole."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=100_000)
    wanted = options.parse_args().messages
    measure(wanted // 10)
    measure(wanted)


if __name__ == "__main__":
    main()
