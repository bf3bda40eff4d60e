"""S12: alerts in the console, and the same moves from the command line."""

from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from engine.channels.alerts.past import Past
from engine.channels.alerts.preview import condition_of, remark, untold
from engine.channels.alerts.replay import Heard
from engine.channels.alerts.suggested import SUGGESTED
from engine.channels.format.alerts import Alert, ErrorRate
from engine.channels.format.load import load_site
from engine.console.permissions import Permission
from engine.store import incidents, task_stays
from engine.store.incidents import Incident, Notice
from engine.store.task_stays import Stay
from engine.store.traffic import Point
from engine.store.watch_notes import Note
from tests.databases import empty_database
from tests.sites import site_with_doubt
from tests.stored import NOON, ask
from tests.web import SITE, Web

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OPEN = Incident(
    *("silent|adt|", "silent", "adt", "", "warning", "adt: nothing arrived for 41 min"),
    *(("oncall",), 1, 120, NOON - 41 * MINUTE, NOON, NOON - 39 * MINUTE),
)


@pytest.fixture
def store(tmp_path):
    database = empty_database("sqlite", tmp_path)
    refused = Notice(
        1, "begins", "oncall", "x", "warning", NOON, tries=1, trouble="email: refused"
    )
    with database.engine() as connection:
        incidents.keep(
            connection,
            [OPEN, replace(OPEN, key="disk||", sentence="the disk", ended_at=NOON)],
        )
        incidents.queue_notices(connection, [refused])
    return database


@pytest.fixture
def web(store):
    site = load_site(SITE.folder, variables={})
    settings = replace(SITE, contacts=site.settings.contacts)
    return Web(store, settings)


def seen(web, kind):
    known = web.signed_in()
    here, site = known.app.state, load_site(SITE.folder, variables={})
    here.surroundings = replace(here.surroundings, site=site)
    answer = known.browse("/alerts", f"kind={kind}")
    assert answer.status == 200
    return answer.text


def test_open_incidents_are_shown_with_whom_they_concern_and_who_refused(web):
    text = seen(web, "open")

    assert "adt: nothing arrived for 41 min" in text
    assert "email: refused" in text
    assert "the disk" not in text


def test_rules_say_how_often_they_would_have_fired(web):
    text = seen(web, "rules")

    assert "silent for 30 min" in text
    assert "would have fired 0 times" in text


def test_history_shows_what_is_over_and_who_was_told(web):
    text = seen(web, "history")

    assert "the disk" in text
    assert "begins: x" in text


def test_an_open_incident_stands_on_the_overview(web):
    assert OPEN.sentence in web.signed_in().browse("/").text


def test_who_does_not_see_a_channel_sees_nothing_of_its_incidents(web, store):
    other = web.signed_in(tags=["other"])

    assert OPEN.sentence not in other.browse("/alerts").text
    assert "email: refused" not in other.browse("/alerts").text
    assert other.submit("/alerts/incidents/1/acknowledge").status == 403
    assert other.submit("/alerts/maintenance", channel="adt").status == 403
    assert other.submit("/alerts/maintenance").status == 403
    assert ask(store, incidents.windows, NOON) == []


def test_incidents_are_a_list_for_programs(web):
    rows = web.allowed(Permission.VIEW_METADATA).get("/alerts.json").json()["items"]

    assert [row["sentence"] for row in rows] == [OPEN.sentence, "the disk"]
    assert web.allowed().get("/alerts.csv").status == 200
    assert web.signed_in().browse("/alerts", "kind=nothing").status == 200


def test_somebody_sees_to_an_incident_from_the_page(web, store):
    known = web.signed_in(name="ana")

    done = known.submit("/alerts/incidents/1/acknowledge", reason="calling the lab")
    later = known.submit("/alerts/incidents/1/snooze", minutes="30")

    assert (done.status, later.status) == (303, 303)
    [found] = ask(store, incidents.open_incidents)
    assert (found.acknowledged_by, found.note) == ("ana", "calling the lab")
    assert found.snoozed_until == NOON + 30 * MINUTE
    assert "calling the lab" in seen(web, "open")


def test_an_incident_is_escalated_to_a_contact_there_is(web, store):
    known = web.signed_in(name="ana")
    contact = min(web.settings.contacts)

    none = known.submit("/alerts/incidents/1/escalate", contact="nobody")
    done = known.submit("/alerts/incidents/1/escalate", contact=contact)

    assert (none.status, done.status) == (404, 303)
    [found] = ask(store, incidents.open_incidents)
    assert contact in found.notify


def test_what_is_over_is_said_to_be(web):
    known = web.signed_in()

    assert known.submit("/alerts/incidents/2/acknowledge").status == 409
    assert known.submit("/alerts/incidents/9/snooze").status == 409
    assert known.submit("/alerts/incidents/1/snooze", minutes="0").status == 422


def test_a_maintenance_window_begins_and_ends_from_the_page(web, store):
    known = web.signed_in(name="ana")

    known.submit("/alerts/maintenance", channel="adt", minutes="90", reason="new card")

    [window] = ask(store, incidents.windows, NOON)
    assert (window.channel, window.author) == ("adt", "ana")
    assert "new card" in seen(web, "maintenance")
    known.submit(f"/alerts/maintenance/{window.id}/end")
    assert ask(store, incidents.windows, NOON) == []
    assert "No maintenance" in seen(web, "maintenance")


def test_a_test_is_told_to_a_contact_there_is(web, store):
    known = web.signed_in()

    assert known.submit("/alerts/test", contact="oncall").status == 303
    assert known.submit("/alerts/test", contact="nobody").status == 404
    assert ask(store, incidents.recent_notices)[0].told == "test"


def test_without_an_incident_or_a_rule_the_page_says_what_to_do(tmp_path):
    empty = Web(empty_database("sqlite", tmp_path)).signed_in()

    assert "Nothing is wrong" in empty.browse("/alerts").text
    assert "silent-for: learned" in empty.browse("/alerts", "kind=rules").text
    assert "No incident has ended" in empty.browse("/alerts", "kind=history").text


def test_who_may_not_act_sees_no_buttons(web):
    reader = web.signed_in(Permission.VIEW_METADATA)

    assert "Acknowledge" not in reader.browse("/alerts").text
    assert reader.submit("/alerts/incidents/1/acknowledge").status == 403


# ---- the preview


def came(*minutes, measure="received", amount=1):
    points = [
        Point(NOON - each * MINUTE, measure, "adt", "", "x", amount, NOON)
        for each in minutes
    ]
    return {"adt": points}


@pytest.mark.parametrize(
    ("minutes", "during", "times"),
    [
        ((200, 190, 100, 90, 10), None, 2),
        ((200, 190, 180), None, 1),  # and still silent
        ((10,), None, 0),
        ((), None, 0),
        ((200, 100, 10), (11 * 60 + 30, 12 * 60 + 30), 0),
    ],
)
def test_silence_of_the_past_is_counted_within_the_hours_of_the_rule(
    minutes, during, times
):
    rule = Alert(silent_for=30 * MINUTE, during=during)

    assert Past(NOON, UTC, came(*minutes)).times(rule, channel()) == times


def test_bursts_of_errors_of_the_past_are_counted_each_once():
    rule = Alert(errors_over=ErrorRate(count=5, within=10 * MINUTE))
    past = Past(NOON, UTC, came(99, 98, 50, 49, 48, measure="error", amount=3))

    assert past.times(rule, channel()) == 2
    assert past.times(replace(rule, after=8 * MINUTE), channel()) == 2
    assert past.times(replace(rule, after=9 * MINUTE), channel()) == 1  # 10:21 to 10:31
    assert past.times(replace(rule, after=10 * MINUTE), channel()) == 0
    assert past.times(replace(rule, during=(11 * 60, 12 * 60)), channel()) == 1
    assert past.times(Alert(parked_over=5), channel()) is None


def stay(since, until=None):
    end = None if until is None else NOON - until * HOUR
    return Stay("adt", NOON - since * HOUR, end)


@pytest.mark.parametrize(
    ("stays", "times"),
    [
        ([], 0),
        ([stay(3)], 0),
        ([stay(5)], 1),  # and still open
        ([stay(30, 20), stay(28, 21)], 1),  # one incident
        ([stay(30, 20), stay(15, 5)], 2),
        ([stay(9 * 24, 8 * 24)], 0),  # before the week
        ([stay(9 * 24), stay(30, 20)], 1),
    ],
)
def test_entries_that_were_overdue_together_are_one_time(stays, times):
    rule = Alert(worklist_over=4 * HOUR)

    assert Past(NOON, UTC, doubts=stays).times(rule, channel()) == times


WEEK = timedelta(weeks=1)


def hourly(amount, label="x", weeks=9):
    """Return a feed that sends every hour of these weeks as much."""
    begins = [NOON - each * HOUR for each in range(weeks * 168)]
    return [
        Point(at, "received", "adt", "", label, amount, at + 59 * MINUTE)
        for at in begins
    ]


def minutely(*quiet, amount=1):
    """Return messages in each minute as it is read, but in these hours before noon."""
    ago = [
        n
        for n in range((7 * 24 + 1) * 60)
        if not any(a >= n / 60 > b for a, b in quiet)
    ]
    return [
        Point(NOON - n * MINUTE, "received", "adt", "", "x", amount, NOON - n * MINUTE)
        for n in ago
    ]


def heard(points, weeks=9):
    return Heard(points, hourly(60, weeks=weeks), NOON - weeks * WEEK)


def channel():
    return replace(load_site(SITE.folder, variables={}).channels[0], name="adt")


LEARNED = Alert(silent_for="learned")


@pytest.mark.parametrize(
    ("rule", "points", "times"),
    [
        (LEARNED, minutely(), 0),
        (LEARNED, minutely((30, 26)), 1),
        (LEARNED, minutely((80, 70), (30, 26)), 2),
        (LEARNED, minutely((4, 0)), 1),  # and still silent
        (Alert(silent_for="learned", after=5 * HOUR), minutely((30, 26)), 0),
        (Alert(silent_for="learned", during=(0, 60)), minutely((30, 26)), 0),
        (Alert(rate_off=50.0), minutely(), 0),
        (Alert(rate_off=50.0), minutely((80, 70)), 1),
        (Alert(rate_off=50.0), minutely(amount=2), 1),
    ],
)
def test_what_was_usual_is_gone_through_again(rule, points, times):
    adt = channel()
    past = Past(NOON, UTC, heard={"adt": heard(points)})

    assert past.times(rule, adt) == times


def test_without_weeks_to_learn_from_nothing_would_have_fired():
    adt = channel()
    past = Past(NOON, UTC, heard={"adt": heard(minutely((30, 26)), weeks=2)})

    assert past.times(LEARNED, adt) == 0


def test_what_was_usual_of_other_channels_is_not_gone_through():
    assert Past(NOON, UTC).times(LEARNED, channel()) is None


FEAST = {"feasts": {(NOON - 30 * HOUR).date()}}


@pytest.mark.parametrize(
    ("rule", "past"),
    [
        (LEARNED, {"heard": {"adt": heard(minutely((30, 26)))}}),
        (Alert(silent_for=HOUR), {"points": came(*range(60 * 26), 60 * 30)}),
        (Alert(worklist_over=HOUR), {"doubts": [stay(31, 26)]}),
        (
            Alert(errors_over=ErrorRate(count=5, within=HOUR)),
            {"points": came(60 * 30, measure="error", amount=9)},
        ),
    ],
)
def test_holidays_of_a_calendar_as_it_is_now_are_left_out(rule, past):
    known = Past(NOON, UTC, holidays=FEAST, **past)
    kept = replace(rule, calendar="feasts")

    assert known.times(rule, channel()) == 1
    assert known.times(replace(rule, calendar="others"), channel()) == 1
    assert known.times(kept, channel()) == 0
    assert remark(kept, known) == "by the holidays of feasts as they are now"


@pytest.mark.parametrize(
    ("rule", "past"),
    [
        (LEARNED, {"heard": {"adt": heard(minutely((30, 26)))}}),
        (Alert(rate_off=50.0), {"heard": {"adt": heard(minutely((30, 26)))}}),
        (Alert(silent_for=HOUR), {"points": came(*range(60 * 26), 60 * 30)}),
    ],
)
def test_the_silence_of_a_channel_that_rested_does_not_count(rule, past):
    def rested(*ago):
        rests = [(NOON - begin * HOUR, NOON - end * HOUR) for begin, end in ago]
        return Past(NOON, UTC, rested={"adt": rests}, **past).times(rule, channel())

    assert rested() == 1
    assert rested((31, 26)) == 0
    assert rested((31, 29)) == 1  # and then it was silent all the same
    assert rested((100, 90)) == 1


def test_a_silence_that_was_not_looked_for_is_not_called_none():
    rule = Alert(silent_for=HOUR)

    past = Past(NOON, UTC, listened=["lab"], since=NOON - 9 * WEEK)

    assert past.times(rule, channel()) is None
    assert "the chosen one's messages are gone through" in untold(rule, past)


def test_a_channel_that_was_silent_all_the_time_was_so_once():
    rule = Alert(silent_for=HOUR)

    assert Past(NOON, UTC, since=NOON - 9 * WEEK).times(rule, channel()) == 1
    assert Past(NOON, UTC, since=NOON - MINUTE).times(rule, channel()) == 0
    early = Past(NOON, UTC, came(*range(120)), since=NOON - 9 * WEEK)
    assert early.times(rule, channel()) == 1


def noted(what, *minutes, amount=700, place="his"):
    return [Note(NOON - each * MINUTE, what, "adt", place, amount) for each in minutes]


@pytest.mark.parametrize(
    ("notes", "times"),
    [
        ([], 0),
        (noted("oldest", 5, 4), 0),  # not held for long enough
        (noted("oldest", 5, 4, 3), 1),
        (noted("oldest", 9, 8, 7, 5, 4, 3), 1),  # what flaps is one incident
        (noted("oldest", 29, 28, 27, 5, 4, 3), 2),
        (noted("oldest", 5, 4, 3, amount=600), 0),
        (noted("oldest", 5, 4, place="his") + noted("oldest", 3, place="out"), 1),
        (noted("parked", 5, 4, 3), 0),
    ],
)
def test_what_the_watch_noted_of_queues_is_counted(notes, times):
    rule = Alert(oldest_over=10 * MINUTE)
    known = Past(NOON, UTC, noted={"adt": notes}, noted_since=NOON - 9 * WEEK)

    assert known.times(rule, channel()) == times
    assert remark(rule, known) == ""


def test_persons_parked_are_counted_since_it_is_noted():
    rule, others = Alert(parked_over=5), Alert(parked_over=6)
    notes = {"adt": noted("parked", 9, 8, 7, amount=6, place="")}
    known = Past(NOON, UTC, noted=notes, noted_since=NOON - HOUR)

    assert (known.times(rule, channel()), known.times(others, channel())) == (1, 0)
    assert remark(rule, known) == "noted since 2030-01-01 11:00"
    assert replace(known, noted_since=None).times(rule, channel()) is None
    assert replace(known, noted={}).times(rule, channel()) is None


def test_what_the_past_does_not_tell_has_a_reason():
    past = Past(NOON, UTC)
    for rule in (*(each.rule for each in SUGGESTED), Alert(rate_off=50.0)):
        assert untold(rule, past) or past.times(rule, channel()) is not None
    assert "each minute" in untold(Alert(parked_over=5), past)
    assert "chosen" in untold(Alert(parked_over=5), replace(past, noted_since=NOON))


@pytest.mark.parametrize(
    ("during", "stays", "times"),
    [
        ((8 * 60, 18 * 60), [stay(30, 20)], 1),  # from 10:00, over from 14:00
        ((5 * 60, 9 * 60), [stay(30, 21)], 0),
        ((8 * 60, 18 * 60), [stay(40, 10)], 1),
        ((8 * 60, 18 * 60), [stay(80, 10)], 3),  # each day anew
        ((22 * 60, 6 * 60), [stay(40, 10)], 2),  # until six, and over midnight
    ],
)
def test_entries_are_overdue_in_the_hours_of_the_rule(during, stays, times):
    rule = Alert(worklist_over=4 * HOUR, during=during)

    assert Past(NOON, UTC, doubts=stays).times(rule, channel()) == times


def test_stays_are_of_entries_that_stood_lately(tmp_path):
    site = site_with_doubt(tmp_path)
    with site.database("console").engine() as connection:
        [found] = task_stays.stays(connection, NOON)

    assert (found.channel, found.until) == ("hospital-adt", None)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Alert(silent_for="learned"), "silent for longer than usual"),
        (Alert(rate_off=50.0), "rate off the usual by more than 50 %"),
        (Alert(parked_over=5), "more than 5 persons parked"),
        (Alert(), ""),
    ],
)
def test_a_rule_is_told_in_words(rule, words):
    assert condition_of(rule) == words
