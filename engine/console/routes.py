"""Every route of the console in one table: what it answers, and who may ask."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from engine.console import assets, health, live, preferences, scrape
from engine.console.fhir_api import capability, match, patients, pixm
from engine.console.pages import (
    account,
    alerts,
    audit,
    bench,
    channel,
    edit,
    message,
    messages,
    mismatch,
    overview,
    passkeys,
    patient,
    provider,
    sign_in,
    system,
    tables,
    tour,
    users,
    welcome,
    work,
)
from engine.console.permissions import Permission


class Route(NamedTuple):
    """One route; ``permission`` None is open to everybody."""

    method: str
    path: str
    endpoint: Callable[..., Any]
    permission: Permission | None


_SEE: Final = Permission.VIEW_METADATA
_REPLAY: Final = Permission.REPLAY
_EDIT: Final = Permission.EDIT
_ADMINISTER: Final = Permission.ADMINISTER
_PHI: Final = Permission.VIEW_PHI

ROUTES: Final[Sequence[Route]] = (
    Route("GET", "/livez", health.livez, None),
    Route("GET", "/startupz", health.startupz, None),
    Route("GET", "/readyz", health.readyz, None),
    Route("GET", "/metrics", scrape.metrics, Permission.READ_METRICS),
    Route("GET", "/static/{name}", assets.static, None),
    Route("GET", "/sign-in", sign_in.form, None),
    Route("POST", "/sign-in", sign_in.enter, None),
    Route("GET", "/sign-in/second", sign_in.second_form, None),
    Route("POST", "/sign-in/second", sign_in.second, None),
    Route("GET", "/sign-in/enrol", welcome.factor_form, None),
    Route("POST", "/sign-in/enrol", welcome.factor, None),
    Route("POST", "/sign-in/passkey/ask", passkeys.ask, None),
    Route("POST", "/sign-in/passkey", passkeys.enter, None),
    Route("GET", "/sign-in/provider", provider.leave, None),
    Route("GET", "/sign-in/provider/back", provider.back, None),
    Route("GET", "/welcome", welcome.welcome, None),
    Route("POST", "/welcome", welcome.choose, None),
    *(
        Route(method, f"/account{path}", endpoint, _SEE)
        for method, path, endpoint in (
            ("GET", "", account.account),
            ("POST", "/password", account.password),
            ("GET", "/totp", account.totp_form),
            ("POST", "/totp", account.add_totp),
            ("POST", "/passkeys/ask", passkeys.ask_new),
            ("POST", "/passkeys", passkeys.keep_new),
            ("POST", "/recovery-codes", account.recovery_codes),
            ("POST", "/factors/{number}/remove", account.remove_factor),
            ("POST", "/end-others", account.end_others),
            ("GET", "/confirm", account.confirm_form),
            ("POST", "/confirm", account.confirm),
            ("POST", "/extend", account.extend),
            ("POST", "/mask", account.mask),
            ("POST", "/view-as", account.view_as),
            ("GET", "/emergency", account.glass_form),
            ("POST", "/emergency", account.break_glass),
            ("POST", "/emergency/end", account.mend_glass),
        )
    ),
    Route("GET", "/users", users.users, _ADMINISTER),
    Route("GET", "/users.{form}", users.users, _ADMINISTER),
    Route("POST", "/users", users.invite, _ADMINISTER),
    Route("GET", "/users/{name}", users.user, _ADMINISTER),
    Route("POST", "/users/{name}/roles", users.change_role, _ADMINISTER),
    Route("POST", "/users/{name}/code", users.new_code, _ADMINISTER),
    Route("POST", "/users/{name}/{what}", users.act, _ADMINISTER),
    Route("POST", "/tokens", users.new_token, _ADMINISTER),
    Route("POST", "/tokens/{number}/revoke", users.revoke_token, _ADMINISTER),
    Route("GET", "/audit", audit.trail, Permission.READ_AUDIT),
    Route("GET", "/audit.{form}", audit.trail, Permission.READ_AUDIT),
    Route("POST", "/audit/verify", audit.verify, Permission.READ_AUDIT),
    Route("POST", "/sign-out", sign_in.leave, _SEE),
    Route("POST", "/preferences", preferences.keep, _SEE),
    Route("GET", "/live/{name}.json", live.once, _SEE),
    Route("GET", "/live/{name}", live.stream, _SEE),
    Route("GET", "/", overview.overview, _SEE),
    Route("GET", "/channels", channel.channels, _SEE),
    Route("GET", "/channels.{form}", channel.channels, _SEE),
    Route("GET", "/channels/{name}", channel.channel, _SEE),
    Route("POST", "/channels/{name}/release", channel.release, _REPLAY),
    Route("POST", "/channels/{name}/{what}", channel.ask, _REPLAY),
    Route("GET", "/messages", messages.messages, _SEE),
    Route("GET", "/messages.{form}", messages.messages, _SEE),
    Route("POST", "/messages", messages.ask, _SEE),
    Route("GET", "/messages/{message_id}", message.message, _SEE),
    Route(
        "GET",
        "/messages/{message_id}/documents/{delivery_id}",
        message.document,
        Permission.VIEW_PHI,
    ),
    Route("GET", "/messages/{message_id}/edit", edit.form, _REPLAY),
    Route("POST", "/messages/{message_id}/edit", edit.look, _REPLAY),
    Route("POST", "/messages/{message_id}/edit/send", edit.send, _REPLAY),
    Route("POST", "/messages/{message_id}/{what}", message.move, _REPLAY),
    Route(
        "POST",
        "/messages/{message_id}/deliveries/{delivery_id}/{what}",
        message.move_delivery,
        _REPLAY,
    ),
    Route("GET", "/alerts", alerts.alerts, _SEE),
    Route("GET", "/alerts.{form}", alerts.alerts, _SEE),
    Route(
        "POST", "/alerts/incidents/{number}/acknowledge", alerts.acknowledge, _REPLAY
    ),
    Route("POST", "/alerts/incidents/{number}/snooze", alerts.snooze, _REPLAY),
    Route("POST", "/alerts/maintenance", alerts.maintain, _REPLAY),
    Route("POST", "/alerts/maintenance/{number}/end", alerts.end_maintenance, _REPLAY),
    Route("POST", "/alerts/test", alerts.try_contact, _REPLAY),
    Route("GET", "/patients", patient.patients, _PHI),
    Route("POST", "/patients", patient.ask, _PHI),
    Route("GET", "/patients/{eid}", patient.patient, _PHI),
    Route("GET", "/patients/{eid}/disclosures.{form}", patient.patient, _PHI),
    Route("POST", "/patients/{eid}/disclosures", patient.disclose, _PHI),
    Route("POST", "/patients/{eid}/release", patient.release, _REPLAY),
    Route("GET", "/system", system.system, _ADMINISTER),
    Route("POST", "/system/bundle", system.bundle, _ADMINISTER),
    Route("GET", "/work", work.work, _SEE),
    Route("GET", "/work.{form}", work.work, _SEE),
    Route("GET", "/work/mismatch", work.mismatches, Permission.WORK_IDENTITY),
    Route("GET", "/work/mismatch/{number}", mismatch.task, Permission.WORK_IDENTITY),
    Route(
        "POST",
        "/work/mismatch/{number}/{what}",
        mismatch.decide,
        Permission.WORK_IDENTITY,
    ),
    Route("GET", "/work/errors/{key}", work.group, _SEE),
    Route("POST", "/work/errors/{key}/assign", work.assign, _REPLAY),
    Route("POST", "/work/errors/{key}/comment", work.comment, _REPLAY),
    Route("POST", "/work/errors/{key}/{what}", work.act, _REPLAY),
    Route("GET", "/bench", bench.bench, _EDIT),
    Route("POST", "/bench", bench.run, _EDIT),
    Route("POST", "/bench/test", bench.run_tests, _EDIT),
    Route("POST", "/bench/what-if", bench.what_if, _EDIT),
    Route("POST", "/bench/share", bench.share, _EDIT),
    Route("GET", "/tour", tour.tour, _SEE),
    Route("POST", "/tour", tour.close, _SEE),
    Route("GET", "/tables", tables.tables, _SEE),
    Route("GET", "/tables.{form}", tables.tables, _SEE),
    Route("POST", "/tables/changes/{number}/{what}", tables.settle, _EDIT),
    Route("GET", "/tables/{name}", tables.table, _SEE),
    Route("GET", "/tables/{name}/rows.{form}", tables.rows, _SEE),
    Route("POST", "/tables/{name}/rows", tables.save, _EDIT),
    Route("POST", "/tables/{name}/retire", tables.retire, _EDIT),
    Route("POST", "/tables/{name}/take", tables.take, _EDIT),
    Route("POST", "/tables/{name}/give", tables.give, _EDIT),
    Route("GET", "/fhir/metadata", capability.metadata, Permission.VIEW_METADATA),
    Route("POST", "/fhir/Patient/$match", match.match, Permission.VIEW_PHI),
    Route("GET", "/fhir/Patient/$ihe-pix", pixm.cross_reference, Permission.VIEW_PHI),
    Route("GET", "/fhir/Patient", patients.search, Permission.VIEW_PHI),
    Route(
        "POST", "/fhir/Patient/_search", patients.search_by_form, Permission.VIEW_PHI
    ),
    Route("GET", "/fhir/Patient/{id}", patients.read, Permission.VIEW_PHI),
)
