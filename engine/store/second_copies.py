"""Second copies of what stands in one place and no hash covers, for SQLite alone.

SQLite does not check the pages it reads. ``integrity_check`` compares every index with
its table, so an index over columns that nothing else proves names a damaged one. No
question is answered from these. Where rows are written with every message they cost
the most: what can be sealed with its row, or made anew by `engine.store.damage`, has no
second copy.

Spec:
    faults.md F12.
"""

from typing import Final

from sqlalchemy import Table

from engine.store import access_tables as access
from engine.store import config_tables as config
from engine.store import document_tables as documents
from engine.store import patient_tables as patients
from engine.store import tables, watch_tables
from engine.store.edited_tables import edited_copy
from engine.store.schema import second_copy
from engine.store.table_tables import missed, table_change

_COPIED: Final[dict[Table, str]] = {
    tables.batch: "channel control_id file_control_id declared found agrees "
    "received_at",
    tables.fragment: "place",
    tables.link_sequence: "number listener frozen",
    tables.comment: "at author",
    tables.delivery: "queued_at attempt ordinal event destination lane_id attempts "
    "not_before aside owner epoch content_type class code sentence note on_failure "
    "settled_at",
    tables.error_entry: "opened_at kind channel destination stage class code sentence "
    "group_key label assignee closed_at closed_by resolution",
    tables.corrected: "event",
    tables.error_group: "channel destination stage class code cause open first_at "
    "last_at",
    tables.held_person: "since",
    tables.hold_order: "channel actor asked_at",
    tables.lane_join: "until_id",
    tables.lease: "owner epoch until",
    tables.redo: "asked_at tries",
    tables.release: "message_id",
    tables.resource: "resource_type sent source_time message_id",
    tables.search_key: "message_id",
    tables.run_state: "state note changed_by changed_at",
    tables.table_miss: "channel table_name sender message_id",
    access.account: "grants tags password created_at disabled_at",
    access.ceremony: "kind expires_at",
    access.factor: "kind label used created_at",
    access.invitation: "account enrols expires_at",
    access.kept_answer: "digest",
    access.saved_query: "actor kept_at",
    access.session: "id means address began_at proved_at viewed_as masked glass_until",
    access.token: "name permissions tags created_at created_by expires_at revoked_at",
    config.config_file: "revision",
    config.config_revision: "actor state at",
    documents.document_order: "ordered_at",
    documents.document_round: "until",
    edited_copy: "message_id channel actor refusal gives_up asked_at",
    missed: "message_id",
    patients.record: "message authority kind happened confidential",
    patients.link_event: "at actor kind source target reason message task via undoes "
    "model",
    patients.decision: "message control_id outcome reasons candidate millibits levels "
    "model",
    patients.different: "low_identifying high_identifying",
    patients.identifiers_told: "digest",
    patients.placeholder: "trait record seen since",
    patients.record_version: "happened",
    patients.second_look: "kind first_at first_by first second_at second_by second",
    patients.task: "category reason state person held millibits model opened_at "
    "assignee decided_at decided_by decision due_at asked",
    patients.task_candidate: "millibits",
    patients.task_comment: "at author",
    table_change: "actor state decided_by version at",
    watch_tables.incident: "key kind channel place severity sentence notify parts "
    "after_seconds begun_at held_at opened_at acknowledged_at acknowledged_by note "
    "snoozed_until",
    watch_tables.maintenance: "channel begins_at author reason",
    watch_tables.notice: "incident told contact sentence severity due_at state tries "
    "trouble sent_at",
}

for _table, _columns in _COPIED.items():
    second_copy(f"{_table.name}_copy", *(_table.c[each] for each in _columns.split()))
