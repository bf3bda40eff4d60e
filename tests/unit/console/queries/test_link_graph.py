"""The drawing of a person's links: every record, and who they were with before."""

from datetime import UTC, datetime

from engine.console.queries import link_graph
from engine.identity.person import LinkEvent, LinkKind
from engine.identity.survivorship import SourceValues, golden
from engine.identity.traits import Traits
from engine.store.patient_views import PersonView

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def view(*numbers, retired=()):
    records = tuple(SourceValues(n, "HOSP", Traits(), "") for n in numbers)
    return PersonView("P1", retired, golden(records), records)


def event(number, kind, source, target):
    return LinkEvent(number, NOON, "ann", kind, (1,), source, target)


def test_records_and_other_persons_are_drawn_beside_the_person():
    merge = event(4, LinkKind.MERGE, "P2", "P1")
    unlink = event(5, LinkKind.UNLINK, "P1", "P3")

    drawn = link_graph.link_graph(view(1, 2, retired=("P2",)), [merge, unlink])

    assert [each.name for each in drawn.records] == ["record 1", "record 2"]
    others = [(each.name, each.says) for each in drawn.others]
    assert others == [("P2", "retired"), ("P3", "another person")]
    assert [each.name for each in drawn.edges] == ["merge 4", "unlink 5"]
    assert drawn.left_out == 0
    assert max(each.y for each in drawn.records) < drawn.height


def test_more_than_can_be_read_is_counted(monkeypatch):
    monkeypatch.setattr(link_graph, "MOST", 1)

    drawn = link_graph.link_graph(view(1, 2, 3, retired=("P2", "P3")), [])

    assert (len(drawn.records), len(drawn.others), drawn.left_out) == (1, 1, 3)


def test_a_person_without_a_past_stands_with_the_records_alone():
    drawn = link_graph.link_graph(view(1), [])

    assert (drawn.others, drawn.edges, drawn.height) == ((), (), link_graph.STEP)
