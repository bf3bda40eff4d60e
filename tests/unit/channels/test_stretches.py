"""Stretches of time: the hours of rules looked at backwards."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from engine.channels.alerts.facts import Facts
from engine.channels.alerts.rules import NodeRules, findings
from engine.channels.alerts.stretches import applying, both, joined, times, without
from engine.channels.format.alerts import Alert
from engine.channels.format.channel import Channel, Source

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
CHANGES = datetime(2029, 10, 28, 12, tzinfo=UTC)  # the clocks went back in the night
WITHIN = CHANGES - 3 * DAY, CHANGES + 3 * DAY
minutes = st.integers(0, 24 * 60 - 1)


def at(*ago):
    return [(CHANGES + a * MINUTE, CHANGES + b * MINUTE) for a, b in ago]


@given(
    during=st.none() | st.tuples(minutes, minutes),
    feasts=st.sets(st.integers(-3, 3), max_size=3),
    looked=st.integers(-3 * 24 * 60, 3 * 24 * 60 - 1),
)
def test_a_rule_applies_in_the_past_when_the_watch_would_have_asked_it(
    during, feasts, looked
):
    days = {(CHANGES + n * DAY).date() for n in feasts}
    rule = Alert(worklist_over=MINUTE, during=during, calendar="feasts")
    now = CHANGES + looked * MINUTE
    adt = Channel(name="adt", source=Source(), alerts=(rule,))
    facts = Facts(now, BERLIN, doubts={"adt": now - DAY})

    found = applying(rule, days, WITHIN, BERLIN)

    asked = bool(findings([adt], NodeRules(), facts, {"feasts": days}))
    assert any(begin <= now < end for begin, end in found) == asked


def test_what_touches_is_one_stretch_and_small_gaps_may_be_bridged():
    assert joined(at((5, 9), (0, 5), (12, 13), (1, 2))) == at((0, 9), (12, 13))
    assert joined(at((0, 9), (12, 13)), 3 * MINUTE) == at((0, 13))
    assert joined(at((3, 3), (5, 4))) == []


def test_stretches_are_cut_by_others_and_with_others():
    assert both(at((0, 9), (12, 20)), at((5, 15))) == at((5, 9), (12, 15))
    assert without(at((0, 9), (12, 20)), at((5, 15), (18, 30))) == at((0, 5), (15, 18))
    assert without(at((0, 9)), []) == at((0, 9))


def test_what_held_for_long_enough_counts_and_what_flaps_counts_once():
    assert times(at((0, 2), (10, 14), (16, 20), (30, 34)), 2 * MINUTE) == 2
