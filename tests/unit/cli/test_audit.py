"""``interop audit``: searched, exported, verified."""

import json

from engine.cli.invocation import Exit
from engine.store import audit
from engine.store.audit import Act
from tests.sites import NOON, site_at

ASKED = '{"query": [["family", "Doe"]], "persons": ["P1"]}'


def busy(folder):
    """Return a site where somebody looked and somebody asked the index."""
    site = site_at(folder)
    database = site.database("console")
    acts = [
        Act(NOON, "ana", "view", "message 7"),
        Act(NOON, "kim", "message.discard", "message 7", "=old"),
        Act(NOON, "zoe", "query.pdqm", "patient index", ASKED),
    ]
    with database.engine() as connection:
        audit.write(connection, database.sealer, acts)
    database.close()
    return site


def rows(result):
    assert result.exit_code == Exit.DONE, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_acts_are_found_by_who_what_and_when(tmp_path):
    site = busy(tmp_path)

    found = rows(site.run("audit", "search", "--subject", "message 7"))
    by_action = rows(site.run("audit", "search", "--action", "view", "--limit", 1))
    earlier = site.run("audit", "search", "--until", "2029-12-31")
    wrong = site.run("audit", "search", "--since", "never")

    assert [each["actor"] for each in found] == ["kim", "ana"]
    assert [each["actor"] for each in by_action] == ["ana"]
    assert rows(earlier) == []
    assert wrong.exit_code == Exit.USAGE
    assert "2030-01-31" in wrong.stderr


def test_what_names_patients_is_revealed_by_order_and_that_is_written_down(tmp_path):
    site = busy(tmp_path)

    [covered] = rows(site.run("audit", "search", "--actor", "zoe"))
    [shown] = rows(site.run("audit", "search", "--actor", "zoe", "--reveal"))

    assert (covered["detail"], shown["detail"]) == ("(names patients)", ASKED)
    [act] = rows(site.run("audit", "search", "--action", "audit.export"))
    assert json.loads(act["detail"]) == {"as": "reveal", "of": {"actor": "zoe"}}


def test_an_export_holds_every_act_and_itself(tmp_path):
    site = busy(tmp_path)

    listing = site.run("audit", "export", "-o", "csv", "--actor", "kim")
    bundle = json.loads(site.run("audit", "export", "--fhir").stdout)

    assert listing.stdout.splitlines()[1].endswith("message.discard,message 7,'=old,")
    assert bundle["total"] == 5
    kinds = [each["resource"]["type"]["display"] for each in bundle["entry"]]
    assert kinds.count("Audit Log Used") == 2


def test_verify_tells_whether_the_trail_is_whole_and_where_it_was_cut(tmp_path):
    site = busy(tmp_path)

    whole = site.run("audit", "verify", "-o", "json")
    [told] = json.loads(whole.stdout)
    database = site.database("console")
    with database.engine() as connection:
        connection.exec_driver_sql("DROP TRIGGER engine.audit_delete")
        connection.exec_driver_sql("DELETE FROM engine.audit WHERE id >= 3")
    database.close()
    alone = site.run("audit", "verify")
    known = site.run("audit", "verify", "--head", told["head"])
    typo = site.run("audit", "verify", "--head", "three")

    assert (told["rows"], told["fault"]) == (3, "")
    assert alone.exit_code == Exit.DONE, "nothing in the store shows a tail cut off"
    assert known.exit_code == Exit.PROBLEMS
    assert typo.exit_code == Exit.USAGE
