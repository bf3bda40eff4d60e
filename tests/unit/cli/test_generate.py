"""interop generate: the feed and its truth, on stdout or in a folder."""

import csv

from click.testing import CliRunner

from engine.cli.root import interop
from engine.peers.sending import split


def test_without_a_folder_the_messages_go_to_stdout():
    result = CliRunner().invoke(interop, ["generate", "adt", "--patients", "3"])

    assert result.exit_code == 0
    assert len(split(result.stdout_bytes)) >= 3


def test_a_folder_gets_the_feed_and_the_truth(tmp_path):
    arguments = ["generate", "mixed", "--patients", "20", "--duplicates", "10%"]

    result = CliRunner().invoke(interop, [*arguments, "-O", str(tmp_path)])

    rows = list(
        csv.DictReader((tmp_path / "truth.csv").read_text("utf-8").splitlines())
    )
    assert result.stdout == ""
    assert sum(row["event"] == "register" for row in rows) == 22
    assert len(split((tmp_path / "feed.hl7").read_bytes())) > 22


def test_a_share_over_one_is_wrong_usage():
    result = CliRunner().invoke(interop, ["generate", "adt", "--duplicates", "200%"])

    assert result.exit_code == 2
