"""interop mpi train --splink, --fitted and train-job: the command line of Splink."""

import json
import sys

import pytest

from engine.cli.invocation import Exit
from engine.store.tables import audit
from tests.sites import site_with_doubt


@pytest.fixture
def site(tmp_path):
    return site_with_doubt(tmp_path)


def test_a_job_is_written_audited_and_what_it_fitted_becomes_a_model(site, tmp_path):
    folder = tmp_path / "job"

    made = site.run("mpi", "train-job", folder, "--reason", "spring fit")

    assert made.exit_code == Exit.DONE, made.output
    assert json.loads(made.stdout)["records"] == 2
    assert len((folder / "records.csv").read_text("utf-8").splitlines()) == 3
    database = site.database()
    with database.reading() as connection:
        actions = [row.action for row in connection.execute(audit.select())]
    database.close()
    assert "export" in actions
    again = site.run("mpi", "train-job", folder, "--reason", "x", "--sample", 100)
    assert again.exit_code == Exit.USAGE
    assert "new folder" in again.output

    comparison = {
        "output_column_name": "phone",
        "comparison_levels": [{"label_for_charts": "eq", "m_probability": 0.9}],
    }
    model = {"same_pairs": 900, "stranger_pairs": 9, "comparisons": [comparison]}
    (folder / "model.json").write_text(json.dumps(model), encoding="utf-8")
    fitted = ["--fitted", folder / "model.json"]
    trained = site.run("mpi", "train", "spring", *fitted)
    assert trained.exit_code == Exit.DONE, trained.output
    assert "900 same" in trained.output
    assert (site.config / "models" / "spring.csv").exists()


def test_a_file_that_is_no_model_of_a_job_is_refused(site, tmp_path):
    file = tmp_path / "model.json"
    file.write_text("{}", encoding="utf-8")

    refused = site.run("mpi", "train", "spring", "--fitted", file)

    assert refused.exit_code == Exit.USAGE
    assert "train-job" in refused.output
    assert not (site.config / "models").exists()


def test_splink_on_an_index_of_a_few_learns_nothing(site):
    pytest.importorskip("splink", reason="interop-engine[training]")

    refused = site.run("mpi", "train", "spring", "--splink")

    assert refused.exit_code == Exit.PROBLEMS
    assert "no pairs" in refused.output


def test_without_the_extra_splink_is_refused_with_its_name(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)

    refused = site.run("mpi", "train", "spring", "--splink")

    assert refused.exit_code == Exit.CONFIGURATION
    assert "interop-engine[training]" in refused.output
