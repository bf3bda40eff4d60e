"""Columns of the store that stand in one place, and what proves them, or why none does.

Everything else is repeated by an index, which SQLite compares with its table.
"""


def _each(why, columns):
    return dict.fromkeys(columns.split(), why)


_SEALED = "sealed"
_BOUND = "bound to what is sealed beside it, while that is kept"
_CHAIN = "links of the audit chain"
_ANEW = "made anew from records and link events"
_HELD = "held against what repeats it"
_INDEX = "in an index over the rows that have it"
PROVEN_OTHERWISE = {
    "journal.dedupe": _each(_HELD, "ack_code message_id"),
    "journal.fragment": _each(_INDEX, "awaits"),
    "journal.intake": _each(_HELD, "messages"),
    "journal.message": _each(
        _BOUND,
        "listener peer control_id message_type trigger_event size sha256 verdict cause "
        "ack_code findings batch content",
    ),
    "engine.attempt": _each(
        _BOUND,
        "message_id attempt state revision stage code reason person processed_at "
        "duration_us report",
    ),
    "engine.audit": _each(_CHAIN, "id at actor action subject detail hash patient"),
    "engine.block": _each(_ANEW, "key record"),
    "engine.ceremony": _each(_SEALED, "content"),
    "engine.comment": _each(_SEALED, "content"),
    "engine.config_revision": _each(_SEALED, "content"),
    "engine.config_text": _each(_SEALED, "sha256 content"),
    "engine.counter": _each(_HELD, "count"),
    "engine.delivery": _each(_HELD, "channel state sha256") | _each(_SEALED, "answer"),
    "engine.document": _each(_SEALED, "content"),
    "engine.edited_copy": _each(_SEALED, "content reason"),
    "engine.factor": _each(_SEALED, "secret"),
    "engine.family_name": _each(_SEALED, "name"),
    "engine.family_record": _each(_ANEW, "key record"),
    "engine.given_name": _each(_SEALED, "name"),
    "engine.identifier": _each(_ANEW, "authority type value"),
    "engine.kept_answer": _each(_SEALED, "content"),
    "engine.key_use": _each(_SEALED, "number since"),
    "engine.message": _each(
        _HELD,
        "id channel state attempt revision stage code reason person processed_at",
    )
    | _each(_INDEX, "behind"),
    "engine.name_count": _each(_ANEW, "key records"),
    "engine.person": _each(_ANEW, "eid state survivor confidential"),
    "engine.progress": _each(_HELD, "last_id"),
    "engine.record": _each(_HELD, "identifying") | _each(_SEALED, "traits"),
    "engine.record_version": _each(_SEALED, "traits"),
    "engine.rendered": _each(_SEALED, "delivery_id name content"),
    "engine.resource": _each(_HELD, "hash") | _each(_SEALED, "content"),
    "engine.saved_query": _each(_SEALED, "content"),
    "engine.site": _each("opened at every start", "value"),
    "engine.table_change": _each(_SEALED, "content"),
    "engine.table_miss": _each(_SEALED, "code"),
    "engine.task": _each(_SEALED, "evidence note"),
    "engine.task_comment": _each(_SEALED, "content"),
}
_SHOWN = "a count or a time that is shown, and that nothing is decided by"
_NUMBERS = "larger, it leaves a gap; smaller, it meets the row that has the number"
UNPROVEN = {
    "journal.dedupe": _each(_SHOWN, "repeats"),
    "journal.intake": _each(_SHOWN, "last_at repeats"),
    "journal.sequence": _each(_NUMBERS, "value"),
    "engine.authority": _each(_SHOWN, "seen_at"),
    "engine.document": _each(_SHOWN, "made_at"),
    "engine.process": _each(
        "written anew every two seconds", "pid started_at seen_at detail"
    ),
    "engine.progress": _each(
        "how messages are begun: at worst one by one, or as poison, told so",
        "started_to trying_id tries",
    ),
    "engine.sequence": _each(_NUMBERS, "value"),
    "engine.session": _each("written anew with every request", "seen_at"),
    "engine.table_miss": _each(_SHOWN, "count last_at"),
    "engine.traffic": _each(
        _SHOWN, "span at measure channel place label count last_at"
    ),
}
