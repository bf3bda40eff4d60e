"""Which processes make a node, and how patiently they are started again."""

from itertools import pairwise
from pathlib import Path

from engine.channels.supervise import LONGEST_WAIT, programs_of, wait_before


def test_a_node_is_one_edge_and_its_workers():
    programs = programs_of(Path("/site"), "test", 2, Path("/bells"))

    assert [each.name for each in programs] == ["edge", "worker-0", "worker-1"]
    assert programs[0].command[1:4] == ("-P", "-m", "engine.channels.edge")
    assert programs[2].command[-2:] == ("--name", "worker-1")
    for each in programs:
        assert "/site" in each.command
        assert each.command[each.command.index("--environment") + 1] == "test"


def test_the_edge_stops_first():
    programs = programs_of(Path("/site"), None, 1, Path("/bells"))

    assert [each.order for each in programs] == [0, 1]


def test_a_program_that_keeps_ending_is_started_ever_more_slowly():
    waits = [wait_before(failures) for failures in range(20)]

    assert waits[0] == 0
    assert all(later >= sooner for sooner, later in pairwise(waits))
    assert waits[-1] == LONGEST_WAIT
