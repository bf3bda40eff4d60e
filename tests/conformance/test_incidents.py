"""What every database must do with incidents, notices and maintenance windows."""

from dataclasses import replace
from datetime import timedelta

from engine.store import audit, incidents
from engine.store.incidents import Incident, Notice, Window
from tests.stored import LATER, NOON, OPERATOR, SOON, ask

HOUR = timedelta(hours=1)
SILENT = Incident(
    *("silent|adt|", "silent", "adt", "", "warning", "nothing arrived"),
    *(("oncall", "lab"), 1, 120, NOON, NOON),
)
OPEN = replace(SILENT, opened_at=NOON)
TOLD = Notice(1, "begins", "oncall", "nothing arrived", "warning", NOON)


def keep(store, *changed):
    with store.engine() as connection:
        return incidents.keep(connection, changed)


def move(store, what, *args):
    with store.engine() as connection:
        return what(connection, store.sealer, *args)


def acts(store):
    with store.reading() as connection:
        rows = audit.rows(connection, store.sealer)
    return [row.act.action for row in rows]


def test_an_incident_keeps_its_number_until_it_is_over(store):
    [number] = keep(store, OPEN)

    [known] = ask(store, incidents.open_incidents)
    assert known == replace(OPEN, id=number)
    assert keep(store, replace(known, ended_at=LATER)) == [number]
    assert ask(store, incidents.unfinished) == []
    [ended] = ask(store, incidents.ended_incidents)
    assert (ended.id, ended.ended_at) == (number, LATER)
    assert ask(store, incidents.find, number) == ended
    assert ask(store, incidents.find, 99) is None


def test_what_never_opened_is_not_shown_and_forgotten_when_it_ends(store):
    [number] = keep(store, SILENT)
    [known] = ask(store, incidents.unfinished)
    assert ask(store, incidents.open_incidents) == []

    keep(store, replace(known, ended_at=LATER))

    assert ask(store, incidents.find, number) is None
    assert ask(store, incidents.ended_incidents) == []


def test_the_gravest_incident_stands_first(store):
    keep(store, OPEN, replace(OPEN, key="disk||", severity="critical"))

    assert [each.key for each in ask(store, incidents.open_incidents)] == [
        "disk||",
        "silent|adt|",
    ]


def test_somebody_sees_to_an_incident_or_wants_to_hear_of_it_later(store):
    [number] = keep(store, OPEN)

    assert move(store, incidents.acknowledge, number, OPERATOR)
    assert move(store, incidents.snooze, number, LATER, OPERATOR)

    [known] = ask(store, incidents.open_incidents)
    assert (known.acknowledged_by, known.note) == ("kim", OPERATOR.reason)
    assert known.snoozed_until == LATER
    assert {"incident.acknowledge", "incident.snooze"} <= set(acts(store))
    keep(store, replace(known, held_at=SOON))
    assert ask(store, incidents.open_incidents)[0].acknowledged_by == "kim"


def test_who_is_told_later_hears_of_it_now_and_of_its_end(store):
    [number] = keep(store, OPEN)

    assert move(store, incidents.escalate, number, "head", OPERATOR)

    [known] = ask(store, incidents.open_incidents)
    [due] = ask(store, incidents.due_notices, LATER)
    assert known.notify == (*OPEN.notify, "head")
    assert (due.contact, due.told, due.sentence) == ("head", "begins", OPEN.sentence)
    assert "incident.escalate" in acts(store)


def test_what_is_over_or_unknown_cannot_be_seen_to(store):
    [number] = keep(store, replace(OPEN, ended_at=LATER))

    assert not move(store, incidents.escalate, number, "head", OPERATOR)
    assert not move(store, incidents.escalate, 99, "head", OPERATOR)
    assert ask(store, incidents.due_notices, LATER) == []

    assert not move(store, incidents.acknowledge, number, OPERATOR)
    assert not move(store, incidents.snooze, 99, LATER, OPERATOR)


def test_a_notice_waits_until_it_is_sent(store):
    with store.engine() as connection:
        incidents.queue_notices(connection, [TOLD, replace(TOLD, due_at=LATER)])

    [due] = ask(store, incidents.due_notices, NOON)
    refused = replace(due, tries=1, trouble="email: refused", due_at=SOON)
    with store.engine() as connection:
        incidents.settle_notice(connection, refused)

    assert ask(store, incidents.due_notices, NOON) == []
    assert ask(store, incidents.refused_notices) == [refused]
    [again] = ask(store, incidents.due_notices, SOON)
    with store.engine() as connection:
        incidents.settle_notice(connection, replace(again, state="sent", sent_at=SOON))
    assert len(ask(store, incidents.due_notices, LATER)) == 1
    assert [each.state for each in ask(store, incidents.recent_notices)] == [
        "queued",
        "sent",
    ]


def test_a_window_is_open_for_its_time_and_can_end_sooner(store):
    window = Window("adt", NOON, NOON + HOUR, "ana", "new interface card")
    number = move(store, incidents.add_window, window, NOON)

    assert ask(store, incidents.windows, NOON) == [replace(window, id=number)]
    assert ask(store, incidents.windows, NOON + HOUR) == []
    assert move(store, incidents.end_window, number, OPERATOR)
    assert ask(store, incidents.windows, NOON) == []
    assert not move(store, incidents.end_window, number, OPERATOR)
    assert {"maintenance.add", "maintenance.end"} <= set(acts(store))
