"""interop mpi models, activate, rollback: which models there are, and who chose one."""

import json

import pytest

from engine.cli.invocation import Exit
from engine.store.audit import Act, write
from engine.store.model_history import ACTIVATE, TRAIN, steps
from tests.sites import NOON, site_with_doubt


@pytest.fixture
def site(tmp_path):
    """Return a site with two models that were trained: ours, and theirs."""
    site = site_with_doubt(tmp_path)
    for name in ("ours", "theirs"):
        trained = site.run("mpi", "train", name, "--rounds", 1)
        assert trained.exit_code == Exit.DONE, trained.output
    return site


def listed(site):
    result = site.run("mpi", "models")
    assert result.exit_code == Exit.DONE, result.output
    found = map(json.loads, result.stdout.splitlines())
    return {each["model"]: each for each in found}


def chosen(site, *words):
    return site.run("mpi", *words, "--reason", "fits", "--yes")


def test_M22_each_model_tells_who_trained_it_on_what_and_which_is_used(site):
    assert chosen(site, "activate", "ours").exit_code == Exit.DONE

    found = listed(site)

    assert [*found] == ["shipped", "ours", "theirs"]
    assert [each["used"] for each in found.values()] == [False, True, False]
    ours = found["ours"]
    assert (ours["with"], ours["file"], ours["reason"]) == (
        "engine", "as trained", "fits",
    )  # fmt: skip
    assert "stranger" in ours["pairs"]
    assert ours["trained_by"] == ours["activated_by"]
    assert found["theirs"]["activated_at"] is None
    assert found["shipped"]["file"] == "shipped"


def test_M22_a_rollback_goes_to_what_was_used_before_and_a_second_one_returns(site):
    assert chosen(site, "rollback").exit_code == Exit.USAGE
    chosen(site, "activate", "ours")
    chosen(site, "activate", "theirs")

    back = chosen(site, "rollback")

    assert back.exit_code == Exit.DONE, back.output
    assert json.loads(back.stdout)["after"] == "ours"
    assert listed(site)["ours"]["used"]
    assert json.loads(chosen(site, "rollback").stdout)["after"] == "theirs"


def test_a_model_whose_file_was_changed_is_named_and_not_activated(site):
    models = site.config / "models"
    file = models / "ours.csv"
    file.write_text(file.read_text("utf-8").replace("given,eq,-0", "given,eq,-1"))
    (models / "theirs.csv").unlink()
    (models / "brought.csv").write_text(file.read_text("utf-8"))

    refused = chosen(site, "activate", "ours")

    assert refused.exit_code == Exit.PROBLEMS
    assert "not as it was trained" in refused.output
    states = {name: each["file"] for name, each in listed(site).items()}
    assert states == {
        "shipped": "shipped", "ours": "changed", "theirs": "missing",
        "brought": "unknown",
    }  # fmt: skip
    assert chosen(site, "activate", "brought").exit_code == Exit.DONE


def test_the_trail_keeps_what_was_expected_of_a_model_when_it_was_activated(site):
    chosen(site, "activate", "ours")
    database = site.database()
    with database.engine() as connection:
        earlier = Act(NOON, "ann", ACTIVATE, "model older", "fits better")
        other = Act(NOON, "ann", TRAIN, "something else")
        number = Act(NOON, "ann", TRAIN, "model odd", "7")
        write(connection, database.sealer, [earlier, other, number])
    with database.reading() as connection:
        older, ours = steps(connection, database.sealer, ACTIVATE)
        trained = steps(connection, database.sealer, TRAIN)
    database.close()

    assert older.told == {"reason": "fits better"}
    assert ours.told["before"] == "shipped"
    assert ours.told["evaluation"]["records"] == 2
    assert [each.model for each in trained] == ["odd", "theirs", "ours"]
    assert trained[0].told == {"reason": "7"}
