"""Every route of the API in one table: what it answers, with what, and who may ask."""

from collections.abc import Sequence
from typing import Final

from engine.console.api import (
    access,
    access_models,
    alerts,
    backups,
    codes,
    description,
    edits,
    messages,
    models,
    node,
    node_models,
    person_models,
    persons,
    queue,
    revisions,
    trail,
)
from engine.console.pages.revisions import export
from engine.console.permissions import Permission
from engine.console.problems import API_PATH
from engine.console.route import Route

_SEE: Final = Permission.VIEW_METADATA
_REPLAY: Final = Permission.REPLAY
_EDIT: Final = Permission.EDIT
_PHI: Final = Permission.VIEW_PHI
_WORK: Final = Permission.WORK_IDENTITY
_AUDIT: Final = Permission.READ_AUDIT
_KEEP: Final = Permission.ADMINISTER
_ISSUED: Final = access_models.Issued
_DONE: Final = models.Done

API: Final[Sequence[Route]] = tuple(
    Route(method, API_PATH + path, endpoint, permission, model)
    for method, path, endpoint, permission, model in (
        ("GET", "openapi.json", description.openapi, _SEE, None),
        ("GET", "status", node.status, _SEE, node_models.Status),
        ("GET", "channels", node.channels, _SEE, models.Listed[node_models.Channel]),
        ("GET", "channels/{name}", node.channel, _SEE, node_models.Channel),
        ("POST", "channels/{name}/try", node.attempt, _EDIT, node_models.Trial),
        ("POST", "channels/{name}/connect", node.connect, _REPLAY, node_models.Reached),
        (
            *("GET", "channels/{name}/history"),
            *(revisions.history, _SEE, revisions.Configurations),
        ),
        (
            *("GET", "channels/{name}/history/{number}"),
            *(revisions.compare, _SEE, node_models.Compared),
        ),
        (
            *("POST", "channels/{name}/history/{number}/rollback"),
            *(revisions.roll_back, Permission.DEPLOY, _DONE),
        ),
        ("GET", "channels/{name}/export", export, _SEE, None),
        ("POST", "channels/{name}/{what}", node.ask, _REPLAY, _DONE),
        ("GET", "messages", messages.messages, _SEE, messages.Rows),
        ("POST", "messages/search", messages.find, _SEE, messages.Rows),
        ("POST", "messages/move", messages.move_several, _REPLAY, _DONE),
        ("GET", "messages/{message_id}", messages.message, _SEE, models.Message),
        (
            *("POST", "messages/{message_id}/assign"),
            *(queue.assign_message, _REPLAY, _DONE),
        ),
        (
            *("POST", "messages/{message_id}/comment"),
            *(queue.comment_message, _REPLAY, _DONE),
        ),
        ("POST", "messages/{message_id}/edit/try", edits.look, _REPLAY, models.Edited),
        ("POST", "messages/{message_id}/edit", edits.send, _REPLAY, _DONE),
        ("POST", "messages/{message_id}/{what}", messages.move, _REPLAY, _DONE),
        ("GET", "deliveries", messages.deliveries, _SEE, messages.Deliveries),
        ("GET", "deliveries/{delivery_id}", messages.delivery, _SEE, models.Delivery),
        (
            *("GET", "deliveries/{delivery_id}/document"),
            *(messages.document, _PHI, models.Document),
        ),
        (
            *("POST", "deliveries/{delivery_id}/{what}"),
            *(messages.move_delivery, _REPLAY, _DONE),
        ),
        ("GET", "parked", messages.parked, _SEE, models.Listed[models.Parked]),
        ("POST", "parked/{eid}/release", messages.release, _REPLAY, _DONE),
        ("GET", "errors", queue.groups, _SEE, models.Listed[models.Group]),
        ("GET", "errors/{key}", queue.entries, _SEE, queue.Entries),
        ("POST", "errors/{key}/assign", queue.assign, _REPLAY, _DONE),
        ("POST", "errors/{key}/comment", queue.comment, _REPLAY, _DONE),
        ("POST", "errors/{key}/{what}", queue.act, _REPLAY, _DONE),
        ("GET", "tasks", persons.tasks, _WORK, persons.Tasks),
        ("GET", "tasks/{number}", persons.task, _WORK, person_models.Task),
        ("POST", "tasks/{number}/move", persons.move, _WORK, person_models.TaskRow),
        ("POST", "tasks/{number}/{what}", persons.decide, _WORK, person_models.TaskRow),
        ("POST", "persons/search", persons.find, _PHI, persons.Persons),
        ("POST", "persons/{eid}/ask", persons.ask, _WORK, person_models.TaskRow),
        ("GET", "persons/{eid}", persons.person, _PHI, person_models.Person),
        ("GET", "tables", codes.tables, _SEE, models.Listed[models.TableRow]),
        ("GET", "tables/{name}", codes.table, _SEE, models.Table),
        (
            *("PUT", "tables/{name}/rows/{code}"),
            *(codes.give, _EDIT, models.Saved),
        ),
        ("GET", "alerts", alerts.alerts, _SEE, models.Listed[models.Incident]),
        ("POST", "alerts/{number}/acknowledge", alerts.acknowledge, _REPLAY, _DONE),
        ("POST", "alerts/{number}/snooze", alerts.snooze, _REPLAY, _DONE),
        ("POST", "alerts/{number}/escalate", alerts.escalate, _REPLAY, _DONE),
        ("GET", "audit", trail.trail, _AUDIT, trail.Acts),
        ("POST", "audit/verify", trail.verify, _AUDIT, models.Verified),
        ("GET", "users", access.users, _KEEP, access.Users),
        ("POST", "users", access.create, _KEEP, _ISSUED),
        ("POST", "users/{name}/invite", access.invite, _KEEP, _ISSUED),
        ("POST", "users/{name}/roles", access.grant, _KEEP, _DONE),
        ("POST", "users/{name}/{what}", access.act, _KEEP, _DONE),
        ("GET", "tokens", access.issued, _KEEP, access.Tokens),
        ("POST", "tokens", access.issue, _KEEP, _ISSUED),
        ("POST", "tokens/{number}/revoke", access.revoke, _KEEP, _DONE),
        ("GET", "backups", backups.backups, _KEEP, backups.Backups),
        ("POST", "backups", backups.create, _KEEP, access_models.Backup),
        ("POST", "backups/{name}/verify", backups.verify, _KEEP, access_models.Looked),
    )
)
