"""interop keys: which are there, which one seals, and the change to a new one."""

import json

from engine.cli.invocation import Exit
from tests.sites import busy_site


def listed(site):
    result = site.run("keys", "list")
    assert result.exit_code == Exit.DONE, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    return [(row["key"], row["state"], bool(row["since"])) for row in rows]


def test_a_new_key_is_added_and_then_seals_what_comes(tmp_path):
    site = busy_site(tmp_path)
    before = listed(site)
    added = site.run("keys", "add")
    between = listed(site)
    rotated = site.run("keys", "rotate", "--reason", "a new year")
    again = site.run("keys", "rotate", "--reason", "another")

    assert before == [(1, "in use", False)]
    assert between == [(1, "in use", False), (2, "not in use yet", False)]
    assert listed(site) == [
        (1, "opens", False),
        (2, "opens", True),
        (3, "in use", True),
    ]
    for result, number in ((added, 2), (rotated, 2), (again, 3)):
        assert result.exit_code == Exit.DONE, result.output
        assert list(json.loads(result.stdout).values()) == [number]
    assert "store.key" in again.stderr
    assert site.run("store", "verify").exit_code == Exit.DONE


def test_a_backup_opens_with_every_later_key_file_and_no_earlier_one(tmp_path):
    site = busy_site(tmp_path)
    file = tmp_path / "store.key"
    earlier = file.read_bytes()
    site.run("backup", "create", "--to", tmp_path / "before")
    site.run("keys", "rotate", "--reason", "a new year")
    site.run("backup", "create", "--to", tmp_path / "after")
    [before] = (tmp_path / "before").iterdir()
    [after] = (tmp_path / "after").iterdir()

    for each in (before, after):
        assert site.run("backup", "verify", each).exit_code == Exit.DONE
    file.write_bytes(earlier)
    assert site.run("backup", "verify", before).exit_code == Exit.DONE
    refused = site.run("backup", "verify", after)
    assert refused.exit_code == Exit.CONFIGURATION
    assert "does not hold key 2" in refused.stderr
