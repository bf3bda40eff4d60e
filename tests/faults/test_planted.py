"""F19: the planted bugs still fit the engine; `make faults-selftest` runs them all."""

import pytest

from tests.edge_ledger import ROOT
from tests.faults import selftest


@pytest.mark.parametrize("bug", sorted(selftest.HARNESSES))
def test_F19_a_planted_bug_still_applies(bug):
    assert selftest.apply(bug, ROOT, check=True) == ""


def test_F19_there_are_twelve_bugs_each_with_its_harness():
    patches = sorted(path.name[:3] for path in selftest.PLANTED.glob("*.patch"))

    assert patches == sorted(selftest.HARNESSES)
    assert len(patches) == 12


def test_F19_a_patch_that_does_not_fit_is_told(tmp_path):
    (tmp_path / "engine").mkdir()

    assert selftest.verdict("P01", tmp_path).startswith("does not apply")


def test_F19_the_processes_of_a_harness_run_the_copy_with_the_bug(tmp_path):
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").touch()
    child = selftest.Harness(("-P", "-c", "import engine; print(engine.__file__)"), "")

    code, told = selftest.run(child, tmp_path)

    assert (code, told.strip()) == (0, str(tmp_path / "engine" / "__init__.py"))
