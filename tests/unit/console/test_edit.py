"""S4, edit and resend: what is typed over a message, tried, and ordered."""

import re
from dataclasses import replace

import pytest

from engine.channels.format.load import load_site
from engine.channels.trials import Trials
from engine.cli.project import write_project
from engine.console.permissions import Permission
from engine.console.queries.edits import edit_of, is_editable, text_of
from engine.store import audit, edited_copies, journal
from tests.builders import adt_a01, er7, msh
from tests.sites import site_with_doubt
from tests.stored import NOON, ask
from tests.web import Web

MAY = (Permission.VIEW_METADATA, Permission.VIEW_PHI, Permission.REPLAY)
PORTS = ("ADT_PORT", "LAB_PORT", "RELAY_PORT", "HIS_PORT")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return site_with_doubt(tmp_path_factory.mktemp("edit"))


@pytest.fixture(scope="module")
def trials(site):
    with pytest.MonkeyPatch.context() as patch:
        for number, name in enumerate(PORTS, 21):
            patch.setenv(name, str(number))
        patch.setenv("FHIR_BASE_URL", "http://127.0.0.1:9/fhir")
        made = Trials(site.config)
        yield made
        made.close()


@pytest.fixture
def web(tmp_path, trials):
    own = site_with_doubt(tmp_path)
    site = load_site(own.config, None, {})
    return Web(own.database("console"), site=site, trials=trials)


def content(web, number=1):
    with web.database.reading() as connection:
        return journal.content(connection, web.database.sealer, number)


def copies(web, number=1):
    return ask(web.database, edited_copies.copies, web.database.sealer, number)


def seen(page):
    _, _, rest = page.text.partition('name="seen" value="')
    return rest[:64]


def changed(web):
    return text_of(content(web)).replace("|F|", "|U|").replace("|M|", "|U|")


def test_what_would_become_of_an_edit_is_shown_before_anything_is_sent(web):
    known = web.signed_in(*MAY)

    empty = known.browse("/messages/1/edit")
    shown = known.submit("/messages/1/edit", text=changed(web))

    assert text_of(content(web)).partition("\n")[0][:3] in empty.text
    assert "PID-8" in shown.text
    assert "<ins>U</ins>" in shown.text
    assert "Flow" in shown.text, re.findall("role=.alert.*", shown.text)
    assert "control id (MSH-10) is as before" in shown.text
    assert copies(web) == []


def test_a_copy_for_a_channel_that_is_gone_is_not_offered_to_be_sent(web, tmp_path):
    write_project(tmp_path / "other")
    folder = tmp_path / "other" / "config"
    (folder / "channels" / "hospital-adt.yaml").unlink()
    bare = replace(web, trials=Trials(folder))

    shown = bare.signed_in(*MAY).submit("/messages/1/edit", text=changed(web))
    bare.trials.close()

    assert "It cannot be sent: " in shown.text
    assert "Send the edited copy" not in shown.text


def test_what_was_looked_at_is_sent_with_its_reason_and_both_pages_say_so(web):
    known, text = web.signed_in(*MAY), changed(web)
    looked = known.submit("/messages/1/edit", text=text)

    sent = known.submit(
        "/messages/1/edit/send", text=text, reason="sex was wrong", seen=seen(looked)
    )

    [copy] = copies(web)
    assert sent.status == 303
    assert (copy.origin, copy.actor, copy.reason) == (1, "ana", "sex was wrong")
    assert "No edge has stored it yet" in known.browse("/messages/1").text
    with web.database.engine() as connection:
        sealer = web.database.sealer
        edited_copies.journaled(connection, sealer, copy.id, 2, NOON)
    assert "/messages/2" in known.browse("/messages/1").text
    assert "An edited copy of" in known.browse("/messages/2").text


def test_a_copy_that_was_not_taken_is_told_with_its_cause(web):
    known = web.signed_in(*MAY)
    text = changed(web)
    looked = known.submit("/messages/1/edit", text=text)
    known.submit("/messages/1/edit/send", text=text, reason="x", seen=seen(looked))
    with web.database.engine() as connection:
        sealer = web.database.sealer
        edited_copies.refuse(connection, sealer, copies(web)[0].id, "version", NOON)

    assert "<code>version</code>" in known.browse("/messages/1").text


def test_what_nobody_looked_at_is_not_sent(web):
    known, text = web.signed_in(*MAY), changed(web)
    looked = known.submit("/messages/1/edit", text=text)

    sent = known.submit(
        "/messages/1/edit/send", text=text + "\nNTE|1", reason="x", seen=seen(looked)
    )

    assert sent.status == 422
    assert "changed since" in sent.text
    assert copies(web) == []


def test_an_edit_without_a_reason_or_twice_is_refused(web):
    known, text = web.signed_in(*MAY), changed(web)
    mark = seen(known.submit("/messages/1/edit", text=text))
    path = "/messages/1/edit/send"

    bare = known.submit(path, text=text, seen=mark)
    known.submit(path, text=text, reason="x", seen=mark)
    again = known.submit(path, text=text, reason="x", seen=mark)

    assert (bare.status, again.status) == (409, 409)
    assert "needs a reason" in bare.text
    assert "waits already" in again.text


def test_editing_is_for_those_who_see_patients_and_opening_is_written_down(web):
    blind = web.signed_in(Permission.VIEW_METADATA, Permission.REPLAY, name="bo")
    weak = web.signed_in(Permission.VIEW_METADATA, Permission.VIEW_PHI, name="cy")

    assert blind.browse("/messages/1/edit").status == 403
    assert weak.browse("/messages/1/edit").status == 403
    assert weak.submit("/messages/1/edit/send", text="x").status == 403
    assert "Edit and resend" not in weak.browse("/messages/1").text
    web.signed_in(*MAY).browse("/messages/1/edit")
    rows = ask(web.database, audit.rows, web.database.sealer, subject="message 1")
    assert ("ana", "to edit a copy") in [(r.act.actor, r.act.detail) for r in rows]


def test_a_message_that_is_not_there_cannot_be_edited(web):
    assert web.signed_in(*MAY).browse("/messages/99/edit").status == 404


def test_bytes_that_would_not_come_back_are_left_to_the_command_line():
    twice = er7(msh(f18="ISO IR87"), "NTE|1||\x1b(B\x1b(Bx")
    odd = er7(msh(f18="UNICODE UTF-8"), "PID|1") + b"NTE|1||\xe9\xff\r\n\x1c"

    assert not is_editable(twice)
    assert is_editable(odd)
    assert edit_of(odd, text_of(odd)).complaint == "Nothing is changed yet."


def test_untouched_bytes_stay_as_they_came():
    latin = adt_a01().replace(b"Doe", "Dö".encode("latin-1"))
    edit = edit_of(latin, text_of(latin).replace("Ann", "Anna"))

    assert edit.data == latin.replace(b"Ann", b"Anna")
    assert [each.path for each in edit.differences] == ["PID-5.2"]


def test_a_changed_character_set_is_what_the_copy_is_written_in():
    plain = er7(msh(), "PID|1||1||Doe")
    text = text_of(plain).replace("2.5.1", "2.5.1||||||8859/1").replace("Doe", "Dö")

    assert b"D\xf6" in edit_of(plain, text).data


def test_a_character_that_the_set_does_not_have_is_told():
    edit = edit_of(er7(msh(), "PID|1"), text_of(er7(msh(), "PID|1")) + "Ω")

    assert "does not fit MSH-18" in edit.complaint


def test_what_is_no_message_can_be_made_one():
    edit = edit_of(b"XSH|broken\r", text_of(adt_a01()))

    assert (edit.data, edit.complaint, edit.differences) == (adt_a01(), "", ())
