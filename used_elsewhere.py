"""Names that are used where vulture cannot see it, each group with the reason."""

# keys of configuration files: read by name, from the table of keys
_.TRIM
_.on_charset_mismatch
_.sequence_protocol
_.fragment_timeout
_.batch_ack
_.split_multi_msh
_.max_segments
_.max_repetitions
_.max_field
_.retry_every
_.on_identity_change
_.z
_.defaults
# read by pydantic; and what the API answers with
_.model_config
_.used_by
# columns that templates show
_.acknowledged_at
_.sent_at
_.source_rank
_.console_session_idle
_.console_session_max
_.console_mask_lists
_.console_small_cells
_.http_bind
_.retention_metadata
_.retention_audit
_.teams
_.oidc

# called by Alembic
_.down_revision

# read or called by SQLAlchemy, Jinja, Hypothesis, re2, http.server, Twisted, Starlette
_.lifespan_context
_.should_exit
_.__call__
_.impl
_.cache_ok
_.filters
_.log_errors
_.protocol_version
_.do_POST
_.daemon_threads
_.clientConnectionForTLS
_.die
_.the_store_knows_every_state_and_counts_them
_.enabled

# permissions whose pages come with sign-in
_.VIEW_CONFIDENTIAL

# columns and options that the console and later milestones show
_.former_addresses
_.changed_at
_.relates_to
_.z
# attributes of the standard library's objects that tests set
_.text_factory
