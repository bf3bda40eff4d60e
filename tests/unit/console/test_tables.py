"""Code tables in the console: rows, codes without one, history, a second person."""

import os
from dataclasses import replace
from urllib.parse import urlencode

import orjson
import pytest

from engine.channels import table_files, table_moves
from engine.channels.format.load import load_site
from engine.channels.processing.assemble import lines_of
from engine.cli.project import write_project
from engine.console.permissions import Permission
from engine.console.queries.samples import INVENTED
from engine.console.queries.unmapped import display_in
from engine.errors import ConfigurationError
from engine.hl7 import parse
from engine.store import error_queue, journal, reports, table_changes
from engine.store.audit import Order
from engine.store.journal import Arrival
from engine.transforms.table_sheet import Change
from tests.databases import empty_database
from tests.processing import process
from tests.stored import NOON
from tests.web import SITE, Web

ANALYST = (Permission.VIEW_METADATA, Permission.EDIT)
VARIABLES = {
    "ADT_PORT": "21",
    "LAB_PORT": "22",
    "RELAY_PORT": "23",
    "HIS_PORT": "24",
    "FHIR_BASE_URL": "http://127.0.0.1:9/fhir",
}
LOINC = "local-to-loinc"


@pytest.fixture
def config(tmp_path):
    write_project(tmp_path)
    return tmp_path / "config"


@pytest.fixture
def web(tmp_path, config):
    return Web(empty_database("sqlite", tmp_path), replace(SITE, folder=config))


def text_of(config, name=LOINC):
    return (config / "tables" / f"{name}.csv").read_text()


def row(config, code, name=LOINC):
    sheet = table_files.read_table(config, name).sheet
    return next(each for each in sheet.rows if each["from"] == code)


def cells(config, code, **changed):
    return list((row(config, code) | changed).values())


def post(web, path, cells=(), **fields):
    """Send a form whose cells come in the order of the columns."""
    pairs = [("cells", each) for each in cells] + [*fields.items(), ("csrf", web.csrf)]
    kind = "application/x-www-form-urlencoded"
    headers = [(b"sec-fetch-site", b"same-origin"), (b"accept", b"text/html")]
    return web.ask("POST", path, "", urlencode(pairs).encode(), kind, headers)


def two_persons(config):
    toml = (config / "interop.toml").read_text()
    (config / "interop.toml").write_text(
        f'{toml}\n[tables.{LOINC}]\napproval = "two"\n'
    )
    return {LOINC: {"approval": "two"}}


def stopped_results(web, config, *codes):
    """Process results with codes that may have no row."""
    for code in codes:
        text = INVENTED["Result"].replace("GLU^Glucose", code).replace("\n", "\r")
        arrival = Arrival("laboratory", "mllp", "lab", NOON, text.encode())
        with web.database.journal() as connection:
            journal.append(connection, web.database.sealer, [arrival])
    process(web.database, lines_of(load_site(config, None, VARIABLES)))


def entries(web):
    with web.database.reading() as connection:
        return [each.message_id for each in error_queue.entries(connection)]


def test_every_table_is_listed_with_who_uses_it_and_what_it_lacks(web, config):
    stopped_results(web, config, "ZZZ^Zinc")
    known = web.signed_in(*ANALYST)

    shown = known.browse("/tables")
    items = {each["table"]: each for each in known.get("/tables.json").json()["items"]}

    assert f'href="/tables/{LOINC}?tab=unmapped"' in shown.text
    assert items[LOINC]["used_by"] == ["laboratory"]
    assert items[LOINC]["unmapped"] == 1
    assert known.get("/tables.csv").text.startswith("table,rows,used_by")


def test_a_row_is_changed_in_the_file_and_the_change_is_kept(web, config):
    known, before = web.signed_in(*ANALYST), text_of(config)
    was = orjson.dumps(row(config, "GLU")).decode()

    form = known.browse(f"/tables/{LOINC}", "edit=GLU&since=")
    shown = post(
        known, f"/tables/{LOINC}/rows", cells(config, "GLU", to="9-9"),
        before=was, reason="new LOINC",
    )  # fmt: skip
    past = known.browse(f"/tables/{LOINC}", "tab=history")

    assert "Change this row" in form.text
    assert "Saved as version" in shown.text
    assert row(config, "GLU")["to"] == "9-9"
    assert len(text_of(config).splitlines()) == len(before.splitlines())
    assert "new LOINC" in past.text
    assert "ana" in past.text


def test_a_row_somebody_else_changed_is_shown_and_nothing_is_saved(web, config):
    known = web.signed_in(*ANALYST)
    was = orjson.dumps(row(config, "GLU")).decode()
    mine = cells(config, "GLU", to="1-1")
    path = config / "tables" / f"{LOINC}.csv"
    path.write_text(text_of(config).replace("2345-7", "7-7") + "NEW,5-5\n")

    clash = post(known, f"/tables/{LOINC}/rows", mine, before=was)
    other = post(
        known, f"/tables/{LOINC}/rows", cells(config, "K", to="2-2"),
        before=orjson.dumps(row(config, "K")).decode(),
    )  # fmt: skip

    assert clash.status == 409
    assert "7-7" in clash.text
    assert "1-1" in clash.text
    assert other.status == 200
    assert row(config, "GLU")["to"] == "7-7"
    assert row(config, "NEW")["to"] == "5-5"


def test_what_would_be_no_table_is_not_saved(web, config):
    known, before = web.signed_in(*ANALYST), text_of(config)

    twice = post(known, f"/tables/{LOINC}/rows", cells(config, "GLU"))
    was = orjson.dumps(row(config, "GLU")).decode()
    wrong = post(known, f"/tables/{LOINC}/retire", before=was, day="tomorrow")
    nothing = post(known, f"/tables/{LOINC}/rows", ["", "x"])
    odd = post(known, f"/tables/{LOINC}/retire", before="no JSON", day="2026-01-01")

    assert "Nothing was different" in twice.text
    assert wrong.status == 422
    assert "2024-01-31" in wrong.text
    assert (nothing.status, odd.status) == (422, 422)
    assert text_of(config) == before


def test_a_row_is_retired_with_its_last_day(web, config):
    was = orjson.dumps(row(config, "GLU")).decode()

    post(
        web.signed_in(*ANALYST), f"/tables/{LOINC}/retire", before=was, day="2029-12-31"
    )

    assert row(config, "GLU")["valid-to"] == "2029-12-31"
    assert "retired" in web.signed_in(*ANALYST).browse(f"/tables/{LOINC}").text


@pytest.mark.parametrize(
    "pasted",
    [
        "from,to\nNAZ,2951-2\n",
        "from\tto\nNAZ\t2951-2\n",
        "NAZ,2951-2",
        (
            '{"resourceType":"ConceptMap","group":[{"element":[{"code":"NAZ",'
            '"target":[{"code":"2951-2","equivalence":"equivalent"}]}]}]}'
        ),
    ],
)
def test_rows_come_from_spreadsheets_and_concept_maps_and_others_stay(
    web, config, pasted
):
    before = len(text_of(config).splitlines())

    post(web.signed_in(*ANALYST), f"/tables/{LOINC}/take", text=pasted)

    assert row(config, "NAZ")["to"] == "2951-2"
    assert len(text_of(config).splitlines()) == before + 1


def test_what_is_no_table_is_not_taken(web, config):
    known, before = web.signed_in(*ANALYST), text_of(config)

    for text in ("{no json", '{"resourceType":"Patient"}', "from,meaning\nA,B"):
        assert post(known, f"/tables/{LOINC}/take", text=text).status == 422
    assert text_of(config) == before


def test_a_table_goes_out_as_csv_json_and_concept_map(web, config):
    known = web.signed_in(*ANALYST)

    assert known.get(f"/tables/{LOINC}/rows.csv").text == text_of(config)
    assert known.get(f"/tables/{LOINC}/rows.json").json()["items"][0]["from"]
    made = known.get(f"/tables/{LOINC}/rows.fhir").json()
    assert made["resourceType"] == "ConceptMap"
    assert known.get(f"/tables/{LOINC}/rows.xml").status == 404
    assert known.browse("/tables/nowhere").status == 404


def test_a_code_gets_its_row_and_exactly_the_messages_it_stopped_go_again(web, config):
    stopped_results(web, config, "ZGL^Glucose", "ZXX^Unheard of", "ZGL^Glucose")
    known = web.signed_in(*ANALYST, Permission.REPLAY)
    assert entries(web) == [1, 2, 3]

    shown = known.browse(f"/tables/{LOINC}", "tab=unmapped")
    given = post(
        known, f"/tables/{LOINC}/give", code="ZGL", to="2345-7", display="Glucose",
        again="1",
    )  # fmt: skip
    process(web.database, lines_of(load_site(config, None, VARIABLES)))

    assert "2 messages stopped for it" in shown.text
    assert '<button name="to" value="2345-7">' in shown.text
    assert "2 messages go again" in given.text
    assert entries(web) == [2]
    given_row, own = row(config, "ZGL"), row(config, "GLU")
    assert {**given_row, "from": "GLU"} == own
    assert "ZGL" not in known.browse(f"/tables/{LOINC}", "tab=unmapped").text


def test_retrying_is_for_those_who_may(web, config):
    stopped_results(web, config, "ZGL^Glucose")
    known = web.signed_in(*ANALYST)

    assert (
        post(known, f"/tables/{LOINC}/give", code="ZGL", to="1", again="1").status
        == 403
    )
    assert post(known, f"/tables/{LOINC}/give", code="ZGL", to=" ").status == 422
    assert post(known, f"/tables/{LOINC}/give", code="ZGL", to="1").status == 200
    assert post(known, f"/tables/{LOINC}/give", code="ZGL", to="2").status == 422
    assert entries(web) == [1]


def test_a_second_person_agrees_where_the_policy_wants_it(web, config):
    web = replace(web, settings=replace(web.settings, tables=two_persons(config)))
    first, second = web.signed_in(*ANALYST), web.signed_in(*ANALYST, name="bo")
    before = text_of(config)

    told = post(first, f"/tables/{LOINC}/rows", ["ZGL", "2345-7"])
    own = post(first, "/tables/changes/1/agree")
    unsaved = text_of(config)
    agreed = post(second, "/tables/changes/1/agree", reason="checked")
    again = post(second, "/tables/changes/1/refuse")

    assert "a second person must agree" in told.text
    assert own.status == 409
    assert unsaved == before
    assert agreed.status == 303
    assert row(config, "ZGL")["to"] == "2345-7"
    assert again.status == 409
    assert post(second, "/tables/changes/9/agree").status == 409
    assert post(second, "/tables/changes/9/forget").status == 404


def test_a_refused_change_and_one_overtaken_change_nothing(web, config):
    settings = replace(web.settings, tables=two_persons(config))
    order = Order("ana", NOON)
    change = [Change(None, {"from": "ZGL", "to": "1"})]
    for _ in range(2):
        table_moves.save(web.database, settings, LOINC, change, order)
    web = replace(web, settings=settings)
    second = web.signed_in(*ANALYST, name="bo")

    post(second, "/tables/changes/1/refuse", reason="wrong")
    refused = text_of(config)
    path = config / "tables" / f"{LOINC}.csv"
    path.write_text(refused + "ZGL,7\n")
    clash = post(second, "/tables/changes/2/agree")

    assert "ZGL" not in refused
    assert clash.status == 409
    with web.database.reading() as connection:
        past = table_changes.history(connection, web.database.sealer, LOINC)
    assert [each.state for each in past] == ["proposed", "refused"]


def test_the_engine_of_this_node_is_told_to_read_a_saved_table(web, monkeypatch):
    told = []
    monkeypatch.setattr(os, "kill", lambda pid, number: told.append(pid))
    with web.database.engine() as connection:
        for node, pid in (("here", 11), ("there", 12)):
            sent = reports.Report(node, "worker", f"w{pid}", pid, NOON, NOON)
            reports.report(connection, sent)

    assert table_moves.use(web.database, "here", NOON) == 1
    assert told == [11]


def test_a_table_that_cannot_be_read_says_so(config):
    (config / "tables" / "odd.csv").write_bytes(b"from,to\n\xff,1\n")

    with pytest.raises(ConfigurationError, match="not UTF-8"):
        table_files.read_table(config, "odd")


def test_a_file_is_never_half_written(config, monkeypatch):
    before = text_of(config)

    def fail(_):
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", fail)
    file = table_files.planned(
        config, LOINC, [Change(None, {"from": "X", "to": "1"})]
    ).file
    with pytest.raises(OSError, match="no space"):
        table_files.write(config, file)

    assert text_of(config) == before
    assert [each.name for each in (config / "tables").glob(".*")] == []


def test_the_text_of_a_code_comes_from_coded_fields_alone():
    text = INVENTED["Admit"].replace("\n", "\r") + "\rDG1|1||J18^Pneumonia^I10"
    message = parse(text.encode())

    assert display_in(message, "J18") == "Pneumonia"
    assert display_in(message, "1002") == ""


def test_a_site_without_tables_says_how_to_begin(tmp_path):
    (tmp_path / "config").mkdir()
    settings = replace(SITE, folder=tmp_path / "config")
    known = Web(empty_database("sqlite", tmp_path), settings).signed_in(*ANALYST)

    assert "from,to,display" in known.browse("/tables").text


def test_an_empty_table_and_a_search_without_hits_say_so(web, config):
    (config / "tables" / "ward.csv").write_text("from,to\n")
    known = web.signed_in(*ANALYST)

    assert "No rows." in known.browse("/tables/ward").text
    assert "No row has" in known.browse(f"/tables/{LOINC}", "find=nothing-like-it").text
    assert "2345-7" in known.browse(f"/tables/{LOINC}", "find=glucose").text
    assert "Every code seen" in known.browse("/tables/ward", "tab=unmapped").text
    assert (
        "Nothing was changed here" in known.browse("/tables/ward", "tab=history").text
    )
