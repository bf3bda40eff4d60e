"""interop mpi: models trained, compared, activated and rolled back; bulk loads."""

import csv
import json

import pytest

from engine import identity
from engine.cli import loading
from engine.cli.invocation import Exit
from engine.identity.traits import Traits
from engine.store.patient_tables import block
from engine.store.patients import SqlPatientIndex
from tests.sites import site_with_doubt

FEED = 60


@pytest.fixture(scope="module")
def feed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("feed")
    site = site_with_doubt(folder / "made")
    made = site.run(
        "generate", "adt", "--patients", FEED, "--days", 1, "--seed", 5, "-O", folder
    )
    assert made.exit_code == Exit.DONE, made.output
    return folder


@pytest.fixture
def site(tmp_path):
    return site_with_doubt(tmp_path)


def one(result):
    assert result.exit_code == Exit.DONE, result.output
    return json.loads(result.stdout)


def records(site):
    database = site.database()
    with database.reading() as connection:
        index = SqlPatientIndex(connection, database.sealer)
        found = {each.number: each for each in index.everyone()}
    database.close()
    return found


def loaded(site, feed, processes=0):
    [file] = feed.glob("*.hl7")
    name = "hospital-adt"
    return one(
        site.run("mpi", "load", file, "--channel", name, "--processes", processes)
    )


def test_M22_a_model_is_trained_compared_activated_and_rolled_back(site, feed):
    loaded(site, feed)
    identity = site.config / "identity.yaml"
    before = records(site)

    trained = site.run("mpi", "train", "ours", "--rounds", 1)
    assert trained.exit_code == Exit.DONE, trained.output
    with (site.config / "models" / "ours.csv").open(encoding="utf-8") as rows:
        assert {"trait", "level", "m", "h", "u", "t"} == set(next(csv.DictReader(rows)))

    compared = one(site.run("mpi", "what-if", "ours", "--sample", 50))
    assert compared["records"] == 50
    assert compared["decided_pairs_after"] == 0
    assert compared["tasks_a_day_before"] >= compared["doubts_before"] / 50
    dry = site.run("mpi", "activate", "ours", "--reason", "fits", "--dry-run")
    assert dry.exit_code == Exit.DONE
    assert not identity.exists() or "ours" not in identity.read_text("utf-8")

    done = one(site.run("mpi", "activate", "ours", "--reason", "fits", "--yes"))
    assert (done["before"], done["after"]) == ("shipped", "ours")
    assert "weights: ours" in identity.read_text("utf-8")
    assert site.run("check").exit_code == Exit.DONE
    assert records(site) == before

    back = one(site.run("mpi", "activate", "shipped", "--reason", "worse", "--yes"))
    assert (back["before"], back["after"]) == ("ours", "shipped")
    assert "weights: shipped" in identity.read_text("utf-8")


def test_a_model_is_never_overwritten_and_needs_a_name_that_is_one(site, feed):
    loaded(site, feed)
    assert site.run("mpi", "train", "ours", "--rounds", 1).exit_code == Exit.DONE

    assert site.run("mpi", "train", "ours").exit_code == Exit.USAGE
    assert site.run("mpi", "train", "Our Model").exit_code == Exit.USAGE
    assert site.run("mpi", "train", "shipped").exit_code == Exit.USAGE
    assert site.run("mpi", "what-if", "theirs").exit_code == Exit.USAGE


def test_a_file_that_holds_no_weights_is_refused(site):
    models = site.config / "models"
    models.mkdir()
    (models / "odd.csv").write_text("trait,level\ngiven,eq,much\n", encoding="utf-8")

    assert site.run("mpi", "what-if", "odd").exit_code == Exit.USAGE
    text = "models: {default: {mode: safe, weights: odd}}\n"
    (site.config / "identity.yaml").write_text(text, encoding="utf-8")
    checked = site.run("check")
    assert checked.exit_code != Exit.DONE
    assert "models/odd.csv" in checked.output


def test_activation_asks_for_a_file_that_says_weights_once(site, feed):
    loaded(site, feed)
    assert site.run("mpi", "train", "ours", "--rounds", 1).exit_code == Exit.DONE
    text = "models: {default: {mode: safe}}\n"
    (site.config / "identity.yaml").write_text(text, encoding="utf-8")

    result = site.run("mpi", "activate", "ours", "--reason", "fits", "--yes")

    assert result.exit_code == Exit.CONFIGURATION
    assert "weights: ours" in result.output


def test_a_load_goes_on_where_it_was_interrupted_and_gives_the_same_tables(
    tmp_path, feed, monkeypatch
):
    whole, parts = (site_with_doubt(tmp_path / name) for name in ("whole", "parts"))
    loaded(whole, feed, processes=1)
    monkeypatch.setattr(loading, "BATCH", 20)
    seen = []

    def interrupted(*arguments):
        seen.append(arguments)
        if len(seen) == 41:
            raise KeyboardInterrupt
        return registration_of(*arguments)

    registration_of = identity.registration_of
    monkeypatch.setattr(identity, "registration_of", interrupted)
    [file] = feed.glob("*.hl7")
    at = ("--channel", "hospital-adt", "--processes", 0)
    parts.run("mpi", "load", file, *at)
    first = len(records(parts))
    again = loaded(parts, feed)

    assert again["now"] == again["messages"] - 40
    assert len(records(parts)) > first
    assert loaded(parts, feed)["now"] == 0
    assert _said(parts) == _said(whole)


@pytest.mark.parametrize("processes", [0, 1])
def test_a_load_goes_on_past_a_message_that_cannot_be_read_and_keeps_it(
    site, feed, tmp_path, monkeypatch, processes
):
    monkeypatch.setattr(loading, "BATCH", 20)
    [file] = feed.glob("*.hl7")
    odd, good = tmp_path / "odd.hl7", file.read_bytes()
    broken = b"MSH|^~^~|\r"
    odd.write_bytes(broken + good + broken)
    at = ("--channel", "hospital-adt", "--processes", processes)

    result = site.run("mpi", "load", odd, *at)

    told = json.loads(result.stdout)
    assert result.exit_code == Exit.PROBLEMS
    assert (told["unread"], told["now"]) == (2, told["messages"])
    reason = "unreadable: MSH-2 is empty or names one delimiter twice"
    for number in (1, told["messages"]):
        assert f"interop: message {number}: {reason}" in result.output
    kept = tmp_path / "odd.hl7.unread"
    assert kept.read_bytes() == broken * 2
    assert kept.stat().st_mode & 0o777 == 0o600
    assert site.run("mpi", "load", odd, *at).exit_code == Exit.DONE
    assert kept.read_bytes() == broken * 2
    assert len(records(site)) > FEED


def _said(site):
    """Return which traits are in one person, whatever its identifier is."""
    persons: dict[str, list[Traits]] = {}
    for each in records(site).values():
        persons.setdefault(each.person, []).append(each.traits)
    return sorted(map(sorted, persons.values()))


def test_a_load_needs_a_channel_that_matches(site, feed):
    [file] = feed.glob("*.hl7")

    result = site.run("mpi", "load", file, "--channel", "nobody")

    assert result.exit_code == Exit.USAGE
    assert "hospital-adt" in result.output


def test_M22_block_keys_are_written_anew_beside_what_is_there(site):
    database = site.database()
    with database.engine() as connection:
        before = connection.execute(block.select()).all()
        connection.execute(block.delete())
    database.close()

    done = one(site.run("mpi", "reindex"))

    assert done == {"records": 2, "keys": len(before)}
    database = site.database()
    with database.reading() as connection:
        assert connection.execute(block.select()).all() == before
    database.close()
