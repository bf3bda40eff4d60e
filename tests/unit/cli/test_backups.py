"""interop backup: create, list, verify, restore."""

import shutil

from engine.cli.invocation import Exit
from tests.sites import busy_site


def test_a_store_is_backed_up_looked_at_and_put_back(tmp_path):
    site = busy_site(tmp_path)

    made = site.run("backup", "create")
    [folder] = (tmp_path / "backups").iterdir()
    looked = site.run("backup", "verify", folder)
    listed = site.run("backup", "list")
    over = site.run("backup", "restore", folder, "--reason", "disk")
    shutil.rmtree(tmp_path / "store")
    back = site.run("backup", "restore", folder, "--reason", "disk")

    assert made.exit_code == looked.exit_code == back.exit_code == Exit.DONE
    assert "the key is not in it" in made.stderr
    assert "every row opens" in looked.stderr
    assert folder.name in listed.stdout
    assert "holds a store" in over.stderr
    assert "interop channel start adt --destination fhir" in back.stderr
    assert site.run("messages", "search").stdout.count("\n") == 3


def test_a_backup_that_is_damaged_or_has_no_key_is_refused(tmp_path):
    site = busy_site(tmp_path)
    site.run("backup", "create", "--to", tmp_path / "disk")
    [folder] = (tmp_path / "disk").iterdir()
    (folder / "engine.db").write_bytes(b"")

    assert site.run("backup", "verify", folder).exit_code == Exit.PROBLEMS
    (tmp_path / "store.key").unlink()
    assert site.run("backup", "restore", folder, "--reason", "x").exit_code == (
        Exit.CONFIGURATION
    )
    (site.config / "interop.toml").write_text('[store]\nurl = "postgresql://x/y"\n')
    refused = site.run("backup", "restore", folder, "--reason", "x")
    assert "pg_basebackup" in refused.stderr
