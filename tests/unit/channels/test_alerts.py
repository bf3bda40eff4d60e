"""Alert rules, what is usual, and incidents: pure."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.channels.alerts import usual
from engine.channels.alerts.facts import Facts, Finding
from engine.channels.alerts.incidents import follow, grouped, spared
from engine.channels.alerts.rules import NodeRules, findings, peer_of, span
from engine.channels.alerts.usual import HOUR, Usual, expected, learn, same_hours
from engine.channels.format.alerts import Alert, ErrorRate
from engine.channels.format.channel import Channel, Destination, Source
from engine.channels.format.endpoints import (
    FhirDestination,
    FileDestination,
    MllpDestination,
    MllpSource,
)
from engine.store.incidents import Incident, Window
from engine.store.traffic import Point

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HIS = Destination(name="his", mllp=MllpDestination(host="his.example", port=2575))
FHIR = Destination(name="fhir", fhir=FhirDestination(url="http://u:p@fhir.example/r4"))
OUT = Destination(name="out", file=FileDestination(path="/x"))
FACTS = Facts(NOON, UTC, since=NOON - timedelta(days=99))
ADT, ALL = ("adt", "ADT^A01"), ("adt", "")
NOBODY = NodeRules()


def channel(*alerts, name="adt", destinations=(HIS, OUT), tls="none"):
    source = Source(mllp=MllpSource(port=2575, tls=tls))
    return Channel(
        name=name, source=source, destinations=destinations, alerts=tuple(alerts)
    )


def found(rule, facts, *, holidays=None, node=NOBODY, **fields):
    told = findings([channel(rule, **fields)], node, facts, holidays or {})
    return [each.sentence for each in told]


def point(at, amount, label="ADT^A01", measure="received"):
    return Point(at, measure, "adt", "", label, amount, at)


def busy(rate=60.0):
    """Return what is usual when so many messages come every hour of the day."""
    usual_now = Usual(rate * 0.9, rate, rate * 1.1)
    begin = NOON.replace(minute=0) - 24 * HOUR
    return {begin + n * HOUR: {ADT: usual_now, ALL: usual_now} for n in range(26)}


# ---- rules


def test_a_feed_is_silent_after_its_time():
    rule = Alert(silent_for=30 * MINUTE)

    assert found(rule, replace(FACTS, last={ALL: NOON - 29 * MINUTE})) == []
    assert found(rule, replace(FACTS, last={ALL: NOON - 41 * MINUTE})) == [
        "nothing arrived for 41 min"
    ]


def test_a_feed_never_heard_is_silent_since_counting_began():
    rule = Alert(silent_for=30 * MINUTE)

    assert found(rule, replace(FACTS, since=NOON - 10 * MINUTE)) == []
    assert found(rule, FACTS) == ["nothing arrived for 99 days"]
    assert found(rule, replace(FACTS, since=None)) == []


def test_a_channel_that_rests_is_not_silent():
    rule = Alert(silent_for=30 * MINUTE)

    assert found(rule, replace(FACTS, resting=frozenset({"adt"}))) == []


def test_the_time_that_a_channel_rested_is_no_silence():
    rule = Alert(silent_for=30 * MINUTE)
    quiet = replace(FACTS, last={ALL: NOON - 10 * HOUR})

    assert found(rule, replace(quiet, resumed={"adt": NOON - 5 * MINUTE})) == []
    assert found(rule, replace(quiet, resumed={"adt": NOON - 31 * MINUTE})) == [
        "nothing arrived for 31 min"
    ]


def test_the_rate_is_not_off_in_the_hour_after_a_channel_rested():
    rule = Alert(rate_off=50)
    slow = replace(FACTS, usual=busy(), received={ALL: 3})

    assert found(rule, slow) != []
    assert found(rule, replace(slow, resumed={"adt": NOON - HOUR})) != []
    assert found(rule, replace(slow, resumed={"adt": NOON - 59 * MINUTE})) == []


@pytest.mark.parametrize(
    ("during", "minutes", "fires"),
    [
        ((7 * 60, 19 * 60), 41, True),
        ((13 * 60, 19 * 60), 41, False),
        ((11 * 60 + 45, 19 * 60), 600, False),  # they began 15 minutes ago
        ((22 * 60, 13 * 60), 600, True),  # over midnight
    ],
)
def test_hours_limit_a_rule_and_what_it_counts_from(during, minutes, fires):
    rule = Alert(silent_for=30 * MINUTE, during=during)

    facts = replace(FACTS, last={ALL: NOON - minutes * MINUTE})

    assert bool(found(rule, facts)) is fires


def test_a_rule_rests_on_the_holidays_of_its_calendar():
    rule = Alert(silent_for=30 * MINUTE, calendar="hospital")

    assert found(rule, FACTS, holidays={"hospital": {date(2030, 1, 1)}}) == []
    assert found(rule, FACTS, holidays={"other": {date(2030, 1, 1)}}) != []


def test_learned_silence_needs_as_many_as_would_have_come():
    rule = Alert(silent_for="learned")
    facts = replace(FACTS, usual=busy())

    assert found(rule, replace(facts, last={ALL: NOON - 6 * MINUTE})) == []
    [told] = found(rule, replace(facts, last={ALL: NOON - 20 * MINUTE}))
    assert told == "nothing arrived for 20 min; usual now is 54-66 per hour"


def test_a_quiet_feed_is_not_silent_by_night():
    rule = Alert(silent_for="learned")
    facts = replace(FACTS, usual=busy(0.2), last={ALL: NOON - 3 * HOUR})

    assert found(rule, facts) == []


def test_one_type_may_stop_while_the_others_flow():
    rule = Alert(silent_for="learned")
    last = {ALL: NOON, ADT: NOON, ("adt", "ORU^R01"): NOON - 41 * MINUTE}
    oru = {at: {**hour, ("adt", "ORU^R01"): hour[ADT]} for at, hour in busy().items()}

    [told] = found(rule, replace(FACTS, usual=oru, last=last))

    assert told.endswith("; usual now is 54-66 per hour")
    assert told.startswith("ORU^R01 stopped 41 min ago while others flow")


def test_nothing_is_silent_before_something_is_usual():
    rule = Alert(silent_for="learned")

    assert found(rule, FACTS) == []


def test_a_rate_is_off_when_it_is_outside_of_what_is_usual():
    rule = Alert(rate_off=50.0)
    facts = replace(FACTS, usual=busy())

    assert found(rule, replace(facts, received={ALL: 40})) == []
    assert found(rule, replace(facts, received={ALL: 20})) == [
        "20 messages in an hour; usual is 60"
    ]
    assert found(rule, replace(facts, received={ALL: 200})) != []
    assert found(rule, replace(FACTS, usual=busy(3.0))) == []
    resting = frozenset({"adt"})
    assert found(rule, replace(facts, resting=resting)) == []


def test_the_oldest_delivery_may_not_be_older():
    rule = Alert(oldest_over=10 * MINUTE)
    place = "adt", "his"
    facts = replace(FACTS, oldest={place: NOON - 11 * MINUTE}, waiting={place: 7})

    assert found(rule, facts) == ["7 waiting, the oldest for 11 min"]
    assert found(rule, replace(facts, oldest={place: NOON - 9 * MINUTE})) == []


def test_errors_are_counted_within_their_time():
    rule = Alert(errors_over=ErrorRate(count=5, within=10 * MINUTE))
    old = point(NOON - 11 * MINUTE, 9, measure="error")
    new = point(NOON - 3 * MINUTE, 5, measure="error")
    more = point(NOON - MINUTE, 1, measure="failed")

    assert found(rule, replace(FACTS, failures=[old, new])) == []
    assert found(rule, replace(FACTS, failures=[old, new, more])) == [
        "6 errors within 10 min"
    ]


def test_parked_persons_and_old_doubts_are_told():
    parked, doubt = Alert(parked_over=5), Alert(worklist_over=4 * HOUR)

    assert found(parked, replace(FACTS, parked={"adt": 5})) == []
    assert found(parked, replace(FACTS, parked={"adt": 6})) == ["6 persons are parked"]
    assert found(doubt, replace(FACTS, doubts={"adt": NOON - 3 * HOUR})) == []
    assert found(doubt, replace(FACTS, doubts={"adt": NOON - 5 * HOUR})) == [
        "the oldest mismatch entry waits for 5 h"
    ]


def test_certificates_of_a_channel_are_those_it_names():
    rule = Alert(certificate_within=timedelta(days=60))
    ends = {"mllp": NOON + timedelta(days=50), "other": NOON}

    assert found(rule, replace(FACTS, certificates=ends), tls="mllp") == [
        "the certificate other has expired",
        "the certificate mllp ends in 50 days",
    ]


def test_the_node_is_watched_without_any_rule():
    node = NodeRules(notify=("oncall",))
    facts = replace(FACTS, missing=("worker of a",), disk_percent=91.0)

    told = findings([], node, facts, {})

    assert [(each.kind, each.severity, each.notify) for each in told] == [
        ("process", "critical", ("oncall",)),
        ("disk", "critical", ("oncall",)),
    ]


def test_where_the_edge_is_gone_silence_is_no_incident_of_its_own():
    rule = Alert(silent_for=30 * MINUTE)
    facts = replace(FACTS, missing=("edge of a",))

    told = findings([channel(rule), channel(rule, name="lab")], NOBODY, facts, {})

    assert [*grouped(told)] == ["process||edge of a"]


def test_one_host_down_is_one_incident_over_many_lanes():
    rule = Alert(oldest_over=MINUTE, notify=("lab",))
    channels = [channel(rule, name=f"c{n}") for n in range(40)]
    places = {(each.name, "his") for each in channels}
    facts = replace(
        FACTS,
        failing=frozenset(places),
        oldest=dict.fromkeys(places, NOON - HOUR),
        waiting=dict.fromkeys(places, 2),
    )

    told = grouped(findings(channels, NodeRules(notify=("oncall",)), facts, {}))

    assert [*told] == ["peer||his.example:2575"]
    [step] = follow([], told, NOON)
    assert step.incident.kind == "peer"
    assert step.incident.notify == ("oncall", "lab")
    assert step.incident.parts == 41
    assert "80 deliveries wait; and 40 more" in step.incident.sentence


@pytest.mark.parametrize(
    ("destination", "peer"),
    [(HIS, "his.example:2575"), (FHIR, "fhir.example"), (OUT, "")],
)
def test_a_peer_is_a_host_without_credentials(destination, peer):
    assert peer_of(destination) == peer


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=12), "12 s"),
        (119 * MINUTE, "119 min"),
        (3 * HOUR, "3 h"),
        (timedelta(days=2), "2 days"),
    ],
)
def test_a_length_of_time_is_told_in_words(length, words):
    assert span(length) == words


# ---- what is usual


def test_the_same_hour_of_the_week_is_by_the_clock_on_the_wall():
    detroit = ZoneInfo("America/Detroit")
    after = datetime(2030, 3, 12, 14, 30, tzinfo=UTC)  # 10:30 in summer time

    hours = same_hours(after, detroit, weeks=2)

    local = [hour.astimezone(detroit) for hour in hours]
    assert [(each.weekday(), each.hour) for each in local] == [(1, 10), (1, 10)]


@given(counts=st.lists(st.integers(0, 1000), min_size=3, max_size=8))
def test_what_is_usual_lies_within_what_was(counts):
    begins = [NOON - timedelta(weeks=week) for week in range(1, len(counts) + 1)]
    points = [point(at, n) for at, n in zip(begins, counts, strict=True) if n]

    learned = learn(points, begins, begins[-1])

    if any(counts):
        low, median, high = (
            getattr(learned[ADT], each) for each in ("low", "median", "high")
        )
        assert min(counts) <= low <= median <= high <= max(counts)
        assert learned[ALL] == learned[ADT]
    else:
        assert learned == {}


def test_two_weeks_are_too_few_to_learn_from():
    begins = same_hours(NOON, UTC, weeks=8)
    points = [point(at, 9) for at in begins]

    assert learn(points, begins, begins[1]) == {}
    assert learn(points, begins, None) == {}


@given(
    minutes=st.integers(0, 600),
    rate=st.floats(0, 1000),
    cut=st.floats(0, 1),
)
def test_what_is_expected_of_two_spans_adds_up(minutes, rate, cut):
    begin = NOON - minutes * MINUTE
    middle = begin + cut * (NOON - begin)
    hours = busy(rate)

    def median(since, until):
        found = expected(ALL, hours, since, until)
        assert found is not None
        return found.median

    whole = median(begin, NOON)
    assert whole == pytest.approx(median(begin, middle) + median(middle, NOON))
    assert whole == pytest.approx(rate * minutes / 60)


def test_nothing_is_expected_of_an_hour_nothing_is_known_of():
    assert expected(ALL, {}, NOON - MINUTE, NOON) is None
    assert [*usual.pieces(NOON, NOON)] == []


# ---- incidents


def finding(key="silent|adt|", **fields):
    values = {
        "kind": "silent",
        "channel": "adt",
        "place": "",
        "sentence": "nothing arrived",
        "severity": "warning",
        "notify": ("oncall",),
        "after": 2 * MINUTE,
        **fields,
    }
    return Finding(key, **values)


def play(*held, every=MINUTE):
    """Return what is told when a trouble is there or not at each look, and the end."""
    known: list[Incident] = []
    told = []
    for turn, there in enumerate(held):
        groups = grouped([finding()]) if there else {}
        steps = follow(known, groups, NOON + turn * every)
        told += [step.told for step in steps if step.told]
        changed = {step.incident.key: step.incident for step in steps}
        known = [
            each
            for each in ({one.key: one for one in known} | changed).values()
            if each.ended_at is None
        ]
    return told, known


def test_a_trouble_opens_after_it_has_held_and_ends_after_it_is_gone():
    assert play(1, 1)[0] == []
    assert play(1, 1, 1)[0] == ["begins"]
    assert play(1, 1, 1, 1, 0)[0] == ["begins"]
    assert play(1, 1, 1, 1, 0, 0)[0] == ["begins", "ends"]


def test_what_flaps_is_one_incident():
    assert play(1, 1, 1, 0, 1, 0, 1, 0, 1)[0] == ["begins"]


def test_a_trouble_that_did_not_hold_is_forgotten():
    told, known = play(1, 1, 0, 1, 1, 0)

    assert (told, known) == ([], [])


@given(held=st.lists(st.booleans(), max_size=30))
def test_one_message_when_it_begins_and_one_when_it_ends(held):
    told, known = play(*held)

    assert told == ["begins", "ends"][: len(told) % 2] or told == (
        ["begins", "ends"] * (len(told) // 2) + ["begins"] * (len(told) % 2)
    )
    assert len(known) <= 1
    assert len(told) % 2 == sum(each.opened_at is not None for each in known)


def test_a_snooze_that_is_over_is_told_once():
    [step] = follow([], grouped([finding(after=timedelta())]), NOON)
    snoozed = replace(step.incident, snoozed_until=NOON + HOUR)
    groups = grouped([finding()])

    [before] = follow([snoozed], groups, NOON + MINUTE)
    [after] = follow([before.incident], groups, NOON + HOUR)
    [later] = follow([after.incident], groups, NOON + 2 * HOUR)

    assert (before.told, after.told, later.told) == ("", "goes on", "")


def test_a_maintenance_window_covers_a_channel_or_everything():
    two = [finding(), finding(key="disk||", channel="", kind="disk")]

    def left(channel):
        return [each.kind for each in spared(two, [Window(channel, NOON, NOON, "ana")])]

    assert left("adt") == ["disk"]
    assert left("lab") == ["silent", "disk"]
    assert left("") == []
