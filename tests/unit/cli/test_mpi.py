"""interop mpi: persons found, doubts decided, moves made and taken back."""

import json

import pytest
from sqlalchemy import update

from engine.cli.invocation import Exit
from engine.identity.enterprise_identifier import handle_of
from engine.store import audit, links, patient_tables
from engine.store.moves import person_of
from tests.sites import site_with_doubt

RECORD = patient_tables.record


@pytest.fixture
def site(tmp_path):
    return site_with_doubt(tmp_path)


def rows(result):
    assert result.exit_code == Exit.DONE, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def task(site):
    (found,) = rows(site.run("mpi", "tasks"))
    return found


def test_a_doubt_is_a_task_with_its_candidate(task):
    assert (task["category"], task["state"]) == ("duplicate", "open")
    assert task["candidates"][0]["person"] != task["person"]


def test_tasks_can_be_restricted_to_a_category(site, task):
    assert rows(site.run("mpi", "tasks", "--category", "duplicate")) == [task]
    assert not site.run("mpi", "tasks", "--category", "overlay").stdout
    unknown = site.run("mpi", "tasks", "--category", "mood")
    assert unknown.exit_code == Exit.USAGE


def test_a_task_shows_both_records_masked_unless_revealed(site, task):
    masked = site.run("mpi", "tasks", "--show", task["id"])
    revealed = site.run("mpi", "tasks", "--show", task["id"], "--reveal")

    assert {row["name"] for row in rows(masked)} == {"•••"}
    assert all(row["name"] != "•••" for row in rows(revealed))


def test_a_decision_needs_a_reason(site, task):
    result = site.run("mpi", "tasks", "--same", task["id"])

    assert result.exit_code == Exit.USAGE
    assert "--reason" in result.stderr


@pytest.mark.parametrize("ruling", ["same", "different"])
def test_a_task_is_decided_and_taken_back(site, task, ruling):
    words = ("mpi", "tasks", f"--{ruling}", task["id"], "--reason", "asked the ward")

    (decided,) = rows(site.run(*words))
    (undone,) = rows(site.run("mpi", "tasks", "--undo", task["id"], "--reason", "slip"))

    assert (decided["state"], decided["decision"]) == ("decided", ruling)
    assert undone["state"] == "undone"
    assert not site.run("mpi", "tasks").stdout


def test_who_decides_names_the_person_that_goes_on(site, task):
    why = ("--reason", "asked the ward", "--survivor", task["person"])

    nobody = site.run("mpi", "tasks", "--different", task["id"], *why)
    (decided,) = rows(site.run("mpi", "tasks", "--same", task["id"], *why))

    assert "a survivor is chosen where two are one person" in nobody.stderr
    assert decided["candidates"][0]["person"] == task["person"]


def test_persons_are_found_by_name(site, task):
    shown = rows(site.run("mpi", "tasks", "--show", task["id"], "--reveal"))
    family, given, *_ = shown[0]["name"].split()
    birth = next(row["birth"] for row in shown if row["birth"])

    found = rows(site.run("mpi", "search", family, given, "--birth", birth))

    assert found
    assert found[0]["score"] >= found[-1]["score"]
    starred = rows(site.run("mpi", "search", family[:3] + "*", "--limit", "50"))
    assert {each["person"] for each in found} <= {each["person"] for each in starred}
    assert not site.run("mpi", "search", "Nobody", "Known").stdout


def test_a_search_for_nobody_in_particular_is_refused(site):
    broad = site.run("mpi", "search", "--sex", "F")
    wrong = site.run("mpi", "search", "Doe", "--birth", "someday")

    assert (broad.exit_code, wrong.exit_code) == (Exit.USAGE, Exit.USAGE)
    assert "too many" in broad.stderr
    assert "someday" in wrong.stderr


def test_who_sees_confidential_persons_says_why(site):
    rows(site.run("mpi", "search", "Nobody", "Known", "--confidential", "a complaint"))

    database = site.database("worker")
    with database.reading() as connection:
        acts = [row.act for row in audit.rows(connection, database.sealer)]
    database.close()
    assert [each.detail for each in acts if each.action == "view"] == ["a complaint"]


def test_a_task_is_given_to_somebody_with_a_day(site, task):
    (given,) = rows(site.run("mpi", "assign", task["id"], "kim"))
    (due,) = rows(site.run("mpi", "due", task["id"], "2030-02-01"))
    (free,) = rows(site.run("mpi", "due", task["id"]))

    assert (given["assignee"], due["due_at"][:10]) == ("kim", "2030-02-01")
    assert (free["assignee"], free["due_at"]) == ("kim", None)


def test_staged_decisions_are_carried_out_all_or_none(site, task, tmp_path):
    file = tmp_path / "decisions.jsonl"
    good = json.dumps({"task": task["id"], "ruling": "different"})
    staged = ("mpi", "decide", file, "--reason", "both charts seen")

    file.write_text(f"{good}\n{json.dumps({'task': 99, 'ruling': 'same'})}\n")
    assert site.run(*staged).exit_code != Exit.DONE
    assert rows(site.run("mpi", "tasks"))

    file.write_text(good + "\n")
    (done,) = rows(site.run(*staged))
    assert (done["state"], done["decision"]) == ("decided", "different")


def test_whether_two_persons_are_one_is_asked_once_and_joins_nobody(site, task):
    persons = task["person"], task["candidates"][0]["person"]
    words = ("mpi", "ask", *persons, "--reason", "one took the other's card")
    again = site.run(*words)
    told = site.run("mpi", "tasks", "--different", task["id"], "--reason", "seen")
    apart = site.run(*words)
    alone = site.run("mpi", "ask", persons[0], persons[0], "--reason", "x")
    site.run("mpi", "tasks", "--undo", task["id"], "--reason", "not seen")

    (asked,) = rows(site.run(*words))

    assert told.exit_code == Exit.DONE
    assert f"task {task['id']} asks that already" in again.stderr
    assert "different people" in apart.stderr
    assert "one person already" in alone.stderr
    assert asked["task"] > task["id"]


def test_a_move_is_staged_in_a_file_too(site, task, tmp_path):
    file, [candidate] = tmp_path / "decisions.jsonl", task["candidates"]
    words = ("mpi", "decide", file, "--reason", "entered wrongly")
    moved = {"task": task["id"], "link": [task["record"]], "to": candidate["person"]}

    file.write_text(json.dumps({"task": task["id"], "split": [task["record"]]}))
    alone = site.run(*words)
    file.write_text(json.dumps(moved))
    (done,) = rows(site.run(*words))

    assert "left without records" in alone.stderr
    assert done["state"] == "decided"


@pytest.mark.parametrize(
    "line",
    [
        *("same", "[]", '{"task": 1}', '{"ruling": "same"}'),
        *('{"task": 1, "split": "12"}', '{"task": 1, "link": [1]}'),
    ],
)
def test_a_staged_line_that_is_no_decision_is_named(site, tmp_path, line):
    file = tmp_path / "decisions.jsonl"
    file.write_text(line + "\n")

    refused = site.run("mpi", "decide", file, "--reason", "seen")

    assert refused.exit_code == Exit.USAGE
    assert "line 1" in refused.stderr


def test_a_site_lists_whom_nobody_has_identified(site):
    assert rows(site.run("mpi", "unidentified", "--days", "0")) == []


def test_a_site_lists_the_numbers_that_were_learned_to_mean_nobody(site):
    assert rows(site.run("mpi", "placeholders")) == []

    (source,) = rows(site.run("mpi", "quality"))
    assert source["learned_placeholders"] == {"ssn": 0, "phone": 0}


def test_persons_are_merged_and_unmerged(site, task):
    source, target = task["person"], task["candidates"][0]["person"]
    reason = ("--reason", "same person", "--yes")

    (merged,) = rows(site.run("mpi", "merge", source, target, *reason))
    together = rows(site.run("mpi", "show", source))
    rows(site.run("mpi", "unmerge", source, *reason))

    assert merged["target"] == target
    assert len(together) == 2
    assert len(rows(site.run("mpi", "show", source))) == 1


def test_records_are_linked_and_unlinked(site, task):
    target = task["candidates"][0]["person"]
    reason = ("--reason", "same person", "--yes")

    rows(site.run("mpi", "link", task["record"], target, *reason))
    linked = rows(site.run("mpi", "show", target))
    rows(site.run("mpi", "unlink", task["record"], *reason))

    assert len(linked) == 2
    assert len(rows(site.run("mpi", "show", target))) == 1


def test_a_dry_run_shows_the_move_and_makes_none(site, task):
    source, target = task["person"], task["candidates"][0]["person"]

    (shown,) = rows(
        site.run("mpi", "merge", source, target, "--reason", "x", "--dry-run")
    )

    assert shown["kind"] == "merge"
    assert len(rows(site.run("mpi", "show", target))) == 1


def test_without_yes_a_move_is_asked_for(site, task):
    source, target = task["person"], task["candidates"][0]["person"]

    result = site.run("mpi", "merge", source, target, "--reason", "x", stdin="n\n")

    assert result.exit_code == Exit.PROBLEMS
    assert len(rows(site.run("mpi", "show", target))) == 1


@pytest.mark.parametrize(
    "words",
    [("merge", "one"), ("link", "word", "person"), ("different", "1")],
    ids=" ".join,
)
def test_a_move_with_wrong_words_is_wrong_usage(site, words):
    result = site.run("mpi", *words, "--reason", "x", "--yes")

    assert result.exit_code == Exit.USAGE


def test_an_unknown_person_is_a_problem(site):
    assert site.run("mpi", "show", "NOBODY").exit_code == Exit.PROBLEMS
    moved = site.run("mpi", "merge", "NOBODY", "NONE", "--reason", "x", "--yes")
    assert moved.exit_code == Exit.PROBLEMS


def test_a_person_is_shown_by_the_handle_people_say(site, task):
    (shown,) = rows(site.run("mpi", "show", task["handle"]))

    assert shown["person"] == task["person"]
    assert shown["handle"] == task["handle"] == handle_of(task["person"])


def test_of_persons_with_one_handle_all_are_shown(site, task):
    person, other = task["person"], task["candidates"][0]["person"]
    alike = person[:7] + other[7:]
    with site.database("console").engine() as connection:
        for table, column in ((patient_tables.person, "eid"), (RECORD, "person")):
            change = update(table).where(table.c[column] == other)
            connection.execute(change.values({column: alike}))

    result = site.run("mpi", "show", task["handle"])

    assert {row["person"] for row in rows(result)} == {person, alike}
    assert f"2 persons are called {task['handle']}" in result.stderr


def test_a_handle_shows_no_confidential_person(site, task):
    with site.database("console").engine() as connection:
        connection.execute(update(patient_tables.person).values(confidential=1))

    hidden = site.run("mpi", "show", task["handle"])

    assert hidden.exit_code == Exit.PROBLEMS
    assert "there is no person" in hidden.stderr


def test_the_export_has_a_line_for_each_message_that_touched_a_person(site, task):
    first, second = rows(site.run("mpi", "export"))

    assert (first["outcome"], second["outcome"]) == ("new", "doubt")
    assert second["candidate"] == first["control_id"]
    assert second["identifier"] == "•••"
    revealed = rows(site.run("mpi", "export", "--reveal"))
    assert revealed[0]["identifier"].isdecimal()


def test_the_index_is_scored_against_the_truth(site, task, tmp_path):
    first, second = rows(site.run("mpi", "export"))
    truth = tmp_path / "truth.csv"
    lines = [f"{row['control_id']},register,P1" for row in (first, second)]
    truth.write_text("\n".join(["control_id,event,person", *lines]) + "\n", "utf-8")

    (found,) = rows(site.run("mpi", "evaluate", "--truth", truth))

    assert (found["records"], found["missed_pairs"]) == (2, 1)
    assert found["doubts_per_100"] == 50.0


def test_a_feed_is_scored_in_a_store_of_its_own(site, tmp_path):
    folder = tmp_path / "made"
    site.run("generate", "adt", "--patients", "40", "--duplicates", "20%", "-O", folder)

    (found,) = rows(
        site.run(
            "mpi", "evaluate", "--truth", folder / "truth.csv",
            "--feed", folder / "feed.hl7",
        )
    )  # fmt: skip

    assert found["persons"] == 40
    assert (found["precision"], found["unseen"]) == (1.0, 0)
    assert found["recall"] > 0.5


def test_the_validity_of_traits_is_read_from_the_newest_messages(site):
    words = ("mpi", "quality", "--from", "2029-01-01", "--messages")
    (both,) = rows(site.run(*words, "10"))
    (none,) = rows(site.run(*words, "0"))

    assert both["validity"]["family"] == 1.0
    assert set(both["validity"].values()) <= {0.0, 0.5, 1.0}
    assert "validity" not in none


def test_the_quality_of_a_source_counts_its_doubts(site, task):
    (source,) = rows(site.run("mpi", "quality", "--from", "2029-01-01"))

    assert source["records"] == 2
    assert source["duplicate_rate"] == 1.0
    assert source["creation_rate"] == 0
    assert source["completeness"]["family"] == 1.0
    assert source["oldest_task_hours"] is not None


def test_a_confirmed_duplicate_counts_as_one_that_was_created(site, task):
    site.run("mpi", "tasks", "--same", task["id"], "--reason", "asked the ward")

    words = ("mpi", "quality", "--by-day", "--from", "2020-01-01", "--to", "2100-01-01")
    days = rows(site.run(*words))

    assert sum(day["confirmed_duplicates"] for day in days) == 1
    assert sum(day["registrations"] for day in days) == 2


def test_a_day_that_is_none_is_refused(site):
    refused = site.run("mpi", "quality", "--from", "yesterday")

    assert refused.exit_code == Exit.USAGE


@pytest.mark.parametrize("word", ["unsure", "ask-source", "comment"])
def test_a_word_about_a_task_leaves_it_open(site, task, word):
    words = ("mpi", "tasks", f"--{word}", task["id"], "--reason", "asked the ward")

    (left,) = rows(site.run(*words))

    assert left["state"] == "open"
    shown = site.run("mpi", "tasks", "--show", task["id"], "--reveal")
    assert "asked the ward" in shown.stderr
    masked = site.run("mpi", "tasks", "--show", task["id"])
    assert "asked the ward" not in masked.stderr


def test_a_link_event_is_taken_back_by_its_number(site, task):
    source, target = task["person"], task["candidates"][0]["person"]
    merge = ("mpi", "merge", source, target, "--reason", "both charts", "--yes")
    (merged,) = rows(site.run(*merge))

    (undone,) = rows(site.run("mpi", "undo", merged["event"], "--reason", "slip"))

    assert undone["kind"] == "unmerge"
    assert undone["records"] == [task["record"]]


def test_confidential_persons_are_nowhere_without_a_reason(site, task):
    protected(site, task["candidates"][0]["record"])
    person, hidden = task["person"], task["candidates"][0]["person"]
    why = ("--confidential", "a complaint")
    shown = ("mpi", "tasks", "--show", task["id"])
    decided = ("mpi", "tasks", "--different", task["id"], "--reason", "two charts")

    for words in (("mpi", "show", hidden), shown, decided):
        assert "there is no" in site.run(*words).stderr
    assert not site.run("mpi", "tasks").stdout
    seen = {row["enterprise_id"] for row in rows(site.run("mpi", "export"))}
    assert seen == {person}

    assert [row["person"] for row in rows(site.run("mpi", "show", hidden, *why))]
    assert rows(site.run("mpi", "tasks", *why)) == [task]
    assert {row["person"] for row in rows(site.run(*shown, *why))} == {person, hidden}
    seen = {row["enterprise_id"] for row in rows(site.run("mpi", "export", *why))}
    assert seen == {person, hidden}
    assert rows(site.run(*decided, *why))[0]["state"] == "decided"


def protected(site, record):
    """Make the person of a record confidential, as its source would."""
    database = site.database()
    with database.engine() as connection:
        where = update(patient_tables.record).where(
            patient_tables.record.c.id == record
        )
        connection.execute(where.values(confidential=1))
        links.shield(connection, [person_of(connection, record)])
    database.close()


def test_two_people_read_a_doubt_and_their_agreement_is_printed(
    site, task, monkeypatch
):
    words = ("--reason", "both charts seen")
    (given,) = rows(site.run("mpi", "deal", "ann", "ben"))
    rows(site.run("mpi", "tasks", "--propose-same", task["id"], *words))
    alone = site.run("mpi", "tasks", "--same", task["id"], *words)
    monkeypatch.setattr("getpass.getuser", lambda: "ben")
    listed = site.run("mpi", "tasks")

    (done,) = rows(site.run("mpi", "tasks", "--same", task["id"], *words))

    assert (given["given"], rows(listed)[0]["assignee"]) == (1, "ann")
    assert "waits for somebody else" in alone.stderr
    assert "waiting for a second person: tasks" in listed.stderr
    assert (done["state"], done["decided_by"]) == ("decided", "ben")
    found = {row["name"]: row for row in rows(site.run("mpi", "reviewers"))}
    assert (found["ben"]["decisions"], found["ben"]["agreement"]) == (1, 1.0)


def test_who_reads_blind_sees_no_evidence(site, task, monkeypatch):
    (site.config / "identity.yaml").write_text("blind-share: 100%\n", "utf-8")
    words = ("--reason", "both charts seen")
    rows(site.run("mpi", "tasks", "--different", task["id"], *words))
    open_book = site.run("mpi", "tasks", "--show", task["id"])
    monkeypatch.setattr("getpass.getuser", lambda: "ben")

    blind = site.run("mpi", "tasks", "--show", task["id"])

    assert "decided" in open_book.stderr
    assert "decided" not in blind.stderr
    assert "record" in open_book.stderr
    assert "record" not in blind.stderr
