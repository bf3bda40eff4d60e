"""``interop generate``: synthetic feeds, with the duplicate truth in a file."""

import csv
import sys
from pathlib import Path

import rich_click as click

from engine.cli.invocation import Command, note
from engine.cli.kinds import share
from engine.peers.synthetic import Plan, make_feed, truth_rows


@click.command("generate", cls=Command)
@click.argument("kind", type=click.Choice(["adt", "oru", "mixed"]))
@click.option("--patients", type=click.IntRange(1), default=500, show_default=True)
@click.option("--duplicates", type=share, default="8%", show_default=True)
@click.option("--unmapped", type=share, default="5%", show_default=True)
@click.option("--days", type=click.IntRange(1), default=30, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("-O", "folder", type=click.Path(path_type=Path), help="Write files here.")
def generate_command(
    kind: str,
    patients: int,
    duplicates: float,
    unmapped: float,
    days: int,
    seed: int,
    folder: Path | None,
) -> None:
    """Make a coherent feed of invented patients; the same seed, the same bytes.

    With -O: feed.hl7 and truth.csv, which says who is registered twice. Without:
    the messages on stdout. Lab reports use local codes; --unmapped of them use one
    that no table knows.
    """
    count = round(patients * duplicates)
    feed = make_feed(Plan(kind, patients, count, days, seed, unmapped))
    messages = b"".join(made.data + b"\n" for made in feed)
    if folder is None:
        sys.stdout.buffer.write(messages)
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "feed.hl7").write_bytes(messages)
    with (folder / "truth.csv").open("w", encoding="utf-8", newline="") as file:
        columns = ["control_id", "event", "person", "household", "tags"]
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(truth_rows(feed))
    note(f"{len(feed):,} messages of {patients:,} persons, {count} registered twice")
