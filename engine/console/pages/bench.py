"""S9 Test bench: what a message becomes, and what it would become by other rules.

What is typed here may be a patient's: it comes in the body of a form, never in an
address, and is kept nowhere unless somebody says so.

Spec:
    console.md S9; security.md S11.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Final

import orjson
from fastapi import Form, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.channels.bench_sending import bytes_for, reachable, send_now
from engine.channels.connection_trial import node_of
from engine.channels.format.channel import Channel
from engine.channels.saved_tests import NewTest, add_test, expectation
from engine.console.exposure import expect_to_see, note_opening
from engine.console.permissions import Permission
from engine.console.queries import drafts, samples
from engine.console.queries.drafts import Rules
from engine.console.rendering import page
from engine.console.surroundings import caller, surroundings
from engine.errors import ConfigurationError, ParseError
from engine.hl7 import parse
from engine.hl7.scrubbing import scrub
from engine.store import audit, journal, reports, saved_queries, search
from engine.store.audit import Act
from engine.store.search import MessageFilter

WHAT_IF: Final = 200
"""So many stored messages at a time; the command line does more."""

_SEES_PATIENTS: Final = "stored messages need the permission view-phi"
Text = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands on the bench; ``source`` says where the message came from."""

    rules: Rules
    text: str = ""
    source: str = ""
    number: int = 0
    complaint: str = ""
    faults: tuple[str, ...] = ()


def bench(
    request: Request, channel: str = "", message: int = 0, sample: str = "", s: str = ""
) -> Response:
    """Show the bench: empty, or with a stored, shared or sample message on it."""
    here = surroundings(request)
    here.trials.warm()
    if s:
        sheet = _shared(request, s)
    elif message:
        sheet = _stored(request, message)
    else:
        sheet = Sheet(_rules(request, channel), *_sample(request, sample))
    return shown_on(request, sheet, tried(request, sheet) if sheet.text else None)


def run(
    request: Request, channel: Text = "", text: Text = "", draft: Text = "",
    upload: UploadFile | None = None,
) -> Response:  # fmt: skip
    """Run what was typed or sent as a file, and show what became of it."""
    if upload is not None and upload.size:
        text = drafts.text_of(upload.file.read())
    sheet = sheet_of(request, channel, text, draft)
    if sheet.complaint:
        return shown_on(request, sheet, None, HTTPStatus.UNPROCESSABLE_ENTITY)
    return shown_on(request, sheet, tried(request, sheet) if text.strip() else None)


def run_tests(
    request: Request, channel: Text = "", text: Text = "", draft: Text = ""
) -> Response:
    """Run the channel's own tests, by the rules on the bench."""
    sheet = sheet_of(request, channel, text, draft)
    rules = sheet.rules
    found = surroundings(request).trials.test(rules.channel, rules.draft)
    return shown_on(request, sheet, None, tests=found)


def what_if(
    request: Request, channel: Text = "", text: Text = "", draft: Text = ""
) -> Response:
    """Run stored messages by the changed rules, and show what would differ."""
    here, sheet = surroundings(request), sheet_of(request, channel, text, draft)
    if not sheet.rules.draft:
        sentence = "Change a rule first: the draft is the channel as it runs."
        return shown_on(request, replace(sheet, complaint=sentence), None)
    wanted = MessageFilter(channel=sheet.rules.channel)
    sealer = here.database.sealer
    act = Act(here.now(), caller(request).name, "what-if", f"channel {channel}")
    with here.database.engine() as connection:
        audit.write(connection, sealer, [act])
    with here.database.reading() as connection:
        found = search.messages(connection, sealer, wanted, limit=WHAT_IF)
        ids = sorted(each.id for each in found)
        stored = [(n, journal.content(connection, sealer, n)) for n in ids]
    kept = [(number, data) for number, data in stored if data is not None]
    answer = here.trials.compare(sheet.rules.channel, sheet.rules.draft, kept)
    return shown_on(request, sheet, None, compared=answer)


def share(
    request: Request, channel: Text = "", text: Text = "", draft: Text = ""
) -> Response:
    """Keep what stands on the bench, sealed, and go to the address that shows it."""
    here, sheet = surroundings(request), sheet_of(request, channel, text, draft)
    content = orjson.dumps([channel, text, sheet.rules.draft]).decode()
    with here.database.engine() as connection:
        key = saved_queries.keep(
            connection, here.database.sealer, content, caller(request).name, here.now()
        )
    return RedirectResponse(f"/bench?s={key}", HTTPStatus.SEE_OTHER)


def scrubbed(
    request: Request, channel: Text = "", text: Text = "", draft: Text = "",
    original: Text = "", keep: Annotated[list[str] | None, Form()] = None,
) -> Response:  # fmt: skip
    """Put the message on the bench without its person, and tell each replacement.

    ``original`` is the message that was scrubbed before, for another choice of what
    text to ``keep``.
    """
    sealer = surroundings(request).database.sealer
    before = original or text
    sheet = sheet_of(request, channel, before, draft)
    try:
        message = parse(drafts.bytes_of(before))
    except ParseError as error:
        told = replace(sheet, complaint=f"This cannot be scrubbed: {error}")
        return shown_on(request, told, None, HTTPStatus.UNPROCESSABLE_ENTITY)
    after, replaced = scrub(message, sealer.pseudonym, keep or ())
    shown = replace(sheet, text=after.replace("\r", "\n").strip(), source="scrubbed")
    flow, kept = tried(request, shown), keep or ()
    return shown_on(request, shown, flow, replaced=replaced, original=before, kept=kept)


def save(
    request: Request, channel: Text = "", text: Text = "", draft: Text = "",
    name: Text = "", *, harmless: Annotated[bool, Form()] = False,
) -> Response:  # fmt: skip
    """Write the message on the bench beside its channel, as a test that passes now."""
    here, sheet = surroundings(request), sheet_of(request, channel, text, draft)
    try:
        file = _saved(request, sheet, name.strip(), harmless=harmless)
    except ConfigurationError as error:
        told = replace(sheet, complaint=str(error))
        return shown_on(request, told, None, HTTPStatus.UNPROCESSABLE_ENTITY)
    subject = f"channel {sheet.rules.channel}"
    act = Act(here.now(), caller(request).name, "test.save", subject, file)
    with here.database.engine() as connection:
        audit.write(connection, here.database.sealer, [act])
    found = here.trials.test(sheet.rules.channel)
    return shown_on(request, sheet, None, tests=found, saved=file)


def _saved(request: Request, sheet: Sheet, name: str, *, harmless: bool) -> str:
    """Return the file of the new test.

    Raises:
        ConfigurationError: it was not saved, and why.
    """
    here, channel = surroundings(request), sheet.rules.channel
    if sheet.complaint:
        raise ConfigurationError(sheet.complaint)
    if sheet.rules.draft:
        raise ConfigurationError(
            "a test holds for the channel as it runs: save it first"
        )
    if not harmless:
        raise ConfigurationError("say that the message names no real patient")
    flow = tried(request, sheet)
    if "state" not in flow:
        raise ConfigurationError("the message did not go through: nothing was saved")
    test = NewTest(name, drafts.bytes_of(sheet.text), expectation(flow))
    folder = here.settings.folder
    return add_test(folder, channel, test, lambda text: here.trials.test(channel, text))


def send(
    request: Request, channel: Text = "", text: Text = "", destination: Text = "",
    typed: Text = "", reason: Text = "",
) -> Response:  # fmt: skip
    """Send what the message became to one destination, outside the order of lanes.

    Written down before it goes, and again with the answer.
    """
    here, sheet = surroundings(request), sheet_of(request, channel, text, "")
    if not caller(request).may(Permission.REPLAY):
        raise HTTPException(HTTPStatus.FORBIDDEN, "sending needs the permission replay")
    flow = tried(request, sheet) if text.strip() else {}
    configured = _configured(request, sheet.rules)
    with here.database.reading() as connection:
        wanted = reports.run_states(connection)
    try:
        _expect_meant(destination, typed, reason)
        data = bytes_for(configured, destination, flow, wanted)
    except ConfigurationError as error:
        told = replace(sheet, complaint=f"Nothing was sent: {error}")
        return shown_on(request, told, flow, HTTPStatus.UNPROCESSABLE_ENTITY)
    _noted(request, channel, destination, f"{sha256(data).hexdigest()}: {reason}")
    node = node_of(here.settings, here.site.channels if here.site else ())
    sent = send_now(configured, destination, node, data)
    _noted(request, channel, destination, sent.says)
    return shown_on(request, sheet, flow, sent=sent)


def _expect_meant(destination: str, typed: str, reason: str) -> None:
    if not destination or typed.strip() != destination:
        raise ConfigurationError("type the name of the destination to confirm")
    if not reason.strip():
        raise ConfigurationError("give a reason")


def _noted(request: Request, channel: str, destination: str, said: str) -> None:
    here, subject = surroundings(request), f"channel {channel}/{destination}"
    act = Act(here.now(), caller(request).name, "bench.send", subject, said)
    with here.database.engine() as connection:
        audit.write(connection, here.database.sealer, [act])


def _configured(request: Request, rules: Rules) -> Channel | None:
    """Return the channel as it runs."""
    site = surroundings(request).site
    found = site.channels if site else ()
    return next((each for each in found if each.name == rules.channel), None)


# ---- what stands on the bench ----


def _rules(request: Request, channel: str) -> Rules:
    """Return the rules of a channel; of the first where none is named."""
    folder = surroundings(request).settings.folder
    name = channel or next(iter(_channels(request)), "")
    if name and not caller(request).sees(name):
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no channel {name!r}")
    try:
        return drafts.rules_of(folder, name) if name else Rules("")
    except ConfigurationError as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from error


def _channels(request: Request) -> list[str]:
    """Return the channels that the caller may see."""
    files = drafts.channel_files(surroundings(request).settings.folder)
    return [name for name in files if caller(request).sees(name)]


def sheet_of(request: Request, channel: str, text: str, draft: str) -> Sheet:
    """Return what was typed, with why it cannot be tried where it cannot."""
    rules = _rules(request, channel)
    try:
        folder = surroundings(request).settings.folder
        return Sheet(drafts.rules_of(folder, rules.channel, draft), text)
    except ConfigurationError as error:
        typed = replace(rules, draft=draft)
        return Sheet(typed, text, complaint=str(error), faults=error.faults)


def _sample(request: Request, name: str) -> tuple[str, str]:
    """Return the text of a sample and what to call it; nothing for no name."""
    if name in samples.INVENTED:
        return samples.INVENTED[name], f"sample {name}"
    files = samples.of_site(surroundings(request).settings.folder)
    if name in files:
        return drafts.text_of(files[name].read_bytes()), f"tests/{name}"
    if name:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such sample")
    return "", ""


def _stored(request: Request, number: int) -> Sheet:
    """Put a stored message on the bench; that is written down first."""
    here, who = surroundings(request), caller(request)
    if not who.may(Permission.VIEW_PHI):
        raise HTTPException(HTTPStatus.FORBIDDEN, _SEES_PATIENTS)
    with here.database.reading() as connection:
        found = search.message(connection, number)
    if found is None or not who.sees(found.channel):
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no message {number}")
    expect_to_see(request, found)
    subject, why = f"message {number}", "on the test bench"
    note_opening(request, "view", subject, why, patients=[found.person])
    with here.database.reading() as connection:
        data = journal.content(connection, here.database.sealer, number)
    if data is None:
        raise HTTPException(HTTPStatus.GONE, "its content was removed by retention")
    known = found.channel in drafts.channel_files(here.settings.folder)
    rules = _rules(request, found.channel if known else "")
    return Sheet(rules, drafts.text_of(data), f"message {number}", number)


def _shared(request: Request, key: str) -> Sheet:
    """Put what somebody shared on the bench; it may be a patient's."""
    here, who = surroundings(request), caller(request)
    if not who.may(Permission.VIEW_PHI):
        raise HTTPException(HTTPStatus.FORBIDDEN, _SEES_PATIENTS)
    with here.database.engine() as connection:
        content = saved_queries.kept(connection, here.database.sealer, key)
        act = Act(here.now(), who.name, "view", "a shared test bench")
        audit.write(connection, here.database.sealer, [act])
    try:
        channel, text, draft = orjson.loads(content or "")
    except ValueError:
        sentence = "this was not shared, or is kept no more"
        raise HTTPException(HTTPStatus.NOT_FOUND, sentence) from None
    return replace(sheet_of(request, channel, text, draft), source="shared")


def tried(request: Request, sheet: Sheet) -> Mapping[str, object]:
    """Return what becomes of the message; see `Trials.attempt`."""
    trials = surroundings(request).trials
    data = drafts.bytes_of(sheet.text)
    return trials.attempt(sheet.rules.channel, data, sheet.rules.draft)


def shown_on(
    request: Request,
    sheet: Sheet,
    flow: Mapping[str, object] | None,
    status: int = HTTPStatus.OK,
    **found: object,
) -> Response:
    """Return the page with a sheet on it, and what was found of it."""
    folder = surroundings(request).settings.folder
    nothing = dict.fromkeys(
        ("tests", "compared", "replaced", "original", "saved", "sent")
    )
    shown = {"flow": flow, "kept": (), **nothing, **found}
    return page(
        request,
        "bench.html",
        status,
        sheet=sheet,
        channels=_channels(request),
        invented=list(samples.INVENTED),
        files=list(samples.of_site(folder)),
        lines=drafts.bytes_of(sheet.text).decode("utf-8", "replace").split("\r"),
        may_open=caller(request).may(Permission.VIEW_PHI),
        may_send=caller(request).may(Permission.REPLAY),
        reachable=[e.name for e in reachable(_configured(request, sheet.rules))],
        **shown,
    )
