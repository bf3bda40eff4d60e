"""Long runs add up: rows, their sums, and the page that shows them."""

from tests.faults.evidence import PAGE, Evidence, page, read


def added(path, *blocks, fault="F16"):
    """Return the rows after these blocks of (first, count, answered, violations)."""
    for block in blocks:
        Evidence(fault, "seeds", path).add(*block)
    return read(path)


def test_blocks_of_one_commit_that_follow_each_other_are_one_row(tmp_path):
    path = tmp_path / "seen.csv"

    [row] = added(path, (1, 100, 500, 0), (101, 50, 250, 0))

    assert (row.first, row.last, row.count, row.answered) == (1, 150, 150, 750)


def test_seeds_that_were_left_out_are_not_counted(tmp_path):
    rows = added(tmp_path / "seen.csv", (1, 100, 500, 0), (301, 50, 250, 0))

    assert [(row.first, row.last) for row in rows] == [(1, 100), (301, 350)]


def test_seeds_with_a_violation_have_a_row_of_their_own(tmp_path):
    rows = added(tmp_path / "seen.csv", (1, 10, 5, 0), (11, 10, 5, 1), (21, 10, 5, 0))

    assert [(row.first, row.violations) for row in rows] == [(1, 0), (11, 1), (21, 0)]


def test_a_run_goes_on_where_the_file_ends_for_its_fault(tmp_path):
    path = tmp_path / "seen.csv"
    assert Evidence("F16", "seeds", path).next_seed() == 1

    added(path, (1, 100, 500, 0))

    assert Evidence("F16", "seeds", path).next_seed() == 101
    assert Evidence("F03", "images", path).next_seed() == 1


def test_a_run_that_is_not_to_be_kept_leaves_no_file():
    evidence = Evidence("F16", "seeds")

    evidence.add(1, 100, 500, 0)

    assert evidence.next_seed() == 1


def test_a_fault_with_a_violation_has_no_bound(tmp_path):
    path = tmp_path / "seen.csv"
    added(path, (1, 1000, 5000, 0))
    rows = added(path, (1, 10, 50, 1), fault="F03")

    told = page(rows)

    assert "| F16 | 1,000 seeds | 5,000 | 0 | < 0.3 % | 1 |" in told
    assert "| F03 | 10 seeds | 50 | 1 | none | 1 |" in told


def test_only_trials_since_the_last_violation_count_for_the_bound(tmp_path):
    rows = added(tmp_path / "seen.csv", (1, 10, 50, 1), (11, 300, 1500, 0))

    assert "| F16 | 310 seeds | 1,550 | 1 | < 1 % | 1 |" in page(rows)


def test_the_page_shows_the_rows_that_are_kept():
    assert PAGE.read_text("utf-8") == page(read())
