"""Splink compares by our levels, and what it fits becomes weights of ours."""

import csv
import json
import stat
from dataclasses import replace
from itertools import combinations

import pytest

from engine.hl7 import parse
from engine.identity import Reading, registration_of
from engine.identity.estimation import Group, refit
from engine.identity.index import SourceRecord
from engine.identity.similarity import compare
from engine.identity.traits import Kind, Traits
from engine.peers.synthetic import Plan, make_feed
from engine.store import splink_job
from engine.store.splink_levels import COLUMNS, CONDITIONS, rows, settings
from engine.store.splink_training import tallied_by_splink, tally_of, write_job
from tests.memory_index import SAFE

ANN = Traits(
    given="margaret", middle="ann", family="vance", suffix="jr", birth="19620304",
    sex="F", ssn="512345678", last_four="5678", number="12", street="elm st",
    city="salem", state="or", zip5="97301", phone="5415550123", email="a@b.org",
)  # fmt: skip
CHANGES: tuple[dict[str, str], ...] = (
    {}, {"given": ""}, {"given": "peggy"}, {"given": "m"}, {"given": "j"},
    {"given": "vance", "family": "margaret"}, {"given": "ann", "middle": "margaret"},
    {"given": "ann", "middle": ""}, {"given": "ann", "middle": "rose"},
    {"given": "margarets"}, {"given": "mar"}, {"given": "max"}, {"given": "zoe"},
    {"given": "zoe", "middle": "m"}, {"given": "andrew", "middle": "m"},
    {"family": ""}, {"family": "vance ortiz"}, {"family": "ortiz", "sex": "M"},
    {"family": "ortiz"}, {"family": "vancer"}, {"family": "bance"}, {"family": "vince"},
    {"middle": "a"}, {"middle": "annie"}, {"middle": "b"}, {"middle": "zoe"},
    {"birth": "19620403"}, {"birth": "19620305"}, {"birth": "19310304"},
    {"birth": "19620101"}, {"birth": "19620327"}, {"birth": "19630403"},
    {"birth": "19990817"}, {"birth": ""}, {"ssn": "512345679", "last_four": "5679"},
    {"ssn": "512345699", "last_four": "5699"}, {"ssn": "", "last_four": "5678"},
    {"ssn": "", "last_four": "1234"}, {"ssn": "987654320", "last_four": "4320"},
    {"ssn": "", "last_four": ""}, {"number": "13"}, {"number": ""}, {"number": "99"},
    {"street": "elms st"}, {"street": "oak ave"}, {"street": ""},
    {"street": "", "zip5": ""}, {"street": "", "zip5": "", "city": ""},
    {"street": "", "zip5": "", "city": "bend"}, {"phone": "5415550124"},
    {"phone": "2065550199"}, {"phone": ""}, {"sex": "M"}, {"sex": ""},
    {"suffix": "sr"}, {"suffix": ""}, {"email": "c@d.org"}, {"email": ""},
)  # fmt: skip


def numbered(traits):
    return [SourceRecord(n, f"P{n}", "HOSP", one) for n, one in enumerate(traits, 1)]


def conditions(trait):
    """Return a trait's levels in SQL, as Splink writes them."""
    [made] = [
        each
        for each in settings("duckdb")["comparisons"]
        if each["output_column_name"] == trait
    ]
    parts = [
        f"ELSE '{each['label_for_charts']}'"
        if each["sql_condition"] == "ELSE"
        else f"WHEN {each['sql_condition']} THEN '{each['label_for_charts']}'"
        for each in made["comparison_levels"]
    ]
    return f"CASE {' '.join(parts)} END"


def test_the_levels_in_sql_are_those_a_decision_sees():
    duckdb = pytest.importorskip("duckdb", reason="interop-engine[training]")
    records = numbered(ANN._replace(**change) for change in CHANGES)
    traits = {str(each.number): each.traits for each in records}
    table = duckdb.connect()
    table.execute(f"CREATE TABLE t ({', '.join(f'{c} VARCHAR' for c in COLUMNS)})")
    marks = ", ".join("?" * len(COLUMNS))
    told = [[*each.values()] for each in rows(records, SAFE.nicknames)]
    table.executemany(f"INSERT INTO t VALUES ({marks})", told)  # noqa: S608 - marks
    sides = ", ".join(f"l.{c} AS {c}_l, r.{c} AS {c}_r" for c in COLUMNS)
    wanted = ", ".join(map(conditions, CONDITIONS))

    found = table.execute(
        f"WITH p AS (SELECT {sides} FROM t l JOIN t r ON l.unique_id < r.unique_id) "  # noqa: S608 - our own columns
        f"SELECT unique_id_l, unique_id_r, {wanted} FROM p"
    ).fetchall()

    assert len(found) == len([*combinations(CHANGES, 2)])
    seen = set()
    for one, other, *levels in found:
        ours = compare(traits[one], traits[other], SAFE.nicknames)
        expected = [ours.get(trait, "missing") for trait in CONDITIONS]
        assert levels == expected, (traits[one], traits[other])
        seen |= {*zip(CONDITIONS, levels, strict=True)}
    known = {(t, level) for t, made in CONDITIONS.items() for level, _ in made if level}
    assert known <= seen


def test_only_records_that_have_a_name_of_their_own_are_handed_over():
    kinds = numbered(ANN._replace(kind=kind) for kind in Kind)

    [row] = rows(kinds, SAFE.nicknames)

    assert row["unique_id"] == "1"
    assert "|peggy|" in str(row["short_forms"])
    assert (row["email"], [*row]) == ("a@b.org", [*COLUMNS])


def test_spark_is_given_its_own_names_of_functions():
    said = json.dumps(settings("spark"))

    assert "jaro_winkler(" in said
    assert "jaro_winkler_similarity" not in said
    assert "ALIKE" not in said


@pytest.fixture(scope="module")
def feed():
    made = make_feed(Plan("adt", 150, 130, 1, 1, 0.0))
    found = (registration_of(parse(each.data), Reading(), str) for each in made)
    return numbered(each.registration.traits for each in found if each.registration)


@pytest.mark.slow
def test_what_splink_fits_comes_near_the_weights_of_labelled_pairs(feed):
    pytest.importorskip("splink", reason="interop-engine[training]")

    tally = tallied_by_splink(feed, SAFE.nicknames, strangers=20_000)

    assert tally.pairs[Group.SAME] > 50
    fitted = refit(SAFE.weights, tally)
    for trait in ("given", "family", "birth", "phone"):
        was, now = SAFE.weights[trait]["eq"], fitted[trait]["eq"]
        assert now.same == pytest.approx(was.same, abs=1.5)
        assert now.stranger < now.same - 3
        assert (now.household, now.twin) == pytest.approx(
            (was.household, was.twin), abs=0.1
        )


def test_of_a_few_records_nothing_is_learned():
    pytest.importorskip("splink", reason="interop-engine[training]")

    assert not tallied_by_splink(numbered([ANN] * 99), SAFE.nicknames).pairs.total()


MODEL = {
    "same_pairs": 1_000,
    "stranger_pairs": 10_000,
    "comparisons": [
        {
            "output_column_name": "phone",
            "comparison_levels": [
                {"label_for_charts": "missing", "is_null_level": True},
                {"label_for_charts": "eq", "m_probability": 0.5, "u_probability": 1e-4},
                {"label_for_charts": "no", "m_probability": 0.5},
            ],
        }
    ],
}


def test_a_model_of_splink_is_read_as_counts_and_households_stay_as_they_were():
    tally = tally_of(MODEL)

    assert tally.pairs == {Group.SAME: 1_000, Group.STRANGER: 10_000}
    assert tally.levels[Group.SAME, "phone", "no"] == 500
    assert (Group.STRANGER, "phone", "no") not in tally.levels
    fitted = refit(SAFE.weights, tally)["phone"]
    assert fitted["no"].same > SAFE.weights["phone"]["no"].same
    assert fitted["eq"].household == pytest.approx(
        SAFE.weights["phone"]["eq"].household, abs=0.05
    )


def test_a_job_is_readable_by_its_owner_alone_and_leaves_confidential_persons_out(
    tmp_path,
):
    records = numbered([ANN, ANN._replace(given="eve")])
    records[1] = replace(records[1], confidential=True)
    folder = tmp_path / "job"

    count = write_job(folder, records, SAFE.nicknames)

    assert count == 1
    with (folder / "records.csv").open(encoding="utf-8", newline="") as file:
        assert [each["given"] for each in csv.DictReader(file)] == ["margaret"]
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    asked = json.loads((folder / "settings.json").read_text("utf-8"))
    assert asked["rules"] == [["birth", "given"], ["ssn"]]
    compile((folder / "job.py").read_text("utf-8"), "job.py", "exec")
    with pytest.raises(FileExistsError):
        write_job(folder, records, SAFE.nicknames)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_job_on_spark_finds_what_duckdb_finds(feed, tmp_path, monkeypatch):
    pytest.importorskip("pyspark", reason="the cluster has it; some minutes long")
    pytest.importorskip("splink", reason="interop-engine[training]")
    few = "--conf spark.sql.shuffle.partitions=1 --conf spark.ui.enabled=false"
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", f"{few} pyspark-shell")
    write_job(tmp_path, feed, SAFE.nicknames)

    splink_job.main(tmp_path, 1_000)

    tally = tally_of(json.loads((tmp_path / "model.json").read_text("utf-8")))
    on_duckdb = tallied_by_splink(feed, SAFE.nicknames, strangers=1_000)
    assert tally.pairs == on_duckdb.pairs
    level = (Group.SAME, "phone", "eq")
    assert tally.levels[level] == pytest.approx(on_duckdb.levels[level], abs=2)
