"""F12: what of the store may read differently without a word, and that it is little."""

import pytest
from sqlalchemy import LargeBinary

from engine.store import key_tables, second_copies
from engine.store.schema import ENGINE, JOURNAL
from tests.faults.unproven import PROVEN_OTHERWISE, UNPROVEN

TABLES = {
    str(table): table for each in (JOURNAL, ENGINE) for table in each.sorted_tables
}


def in_one_place(table):
    """Return the plain columns that no index repeats.

    Where a table is its primary key's tree, other indexes repeat the key.
    """
    whole = [each for each in table.indexes if not _is_partial(each)]
    seen = {column.name for index in whole for column in index.columns}
    key = [column.name for column in table.primary_key]
    in_the_tree = not table.dialect_options["sqlite"]["with_rowid"]
    row_id = len(key) == 1 and not isinstance(table.c[key[0]].type, LargeBinary)
    row_id = row_id and not in_the_tree and "INT" in str(table.c[key[0]].type).upper()
    if whole or not (in_the_tree or row_id):
        seen.update(key)
    return {column.name for column in table.columns} - seen


def _is_partial(index):
    return index.dialect_options["sqlite"]["where"] is not None


@pytest.mark.parametrize("name", TABLES)
def test_F12_each_column_has_a_second_copy_a_proof_or_a_reason(  # noqa: N802
    name,
):
    told = {**PROVEN_OTHERWISE.get(name, {}), **UNPROVEN.get(name, {})}

    assert second_copies.__doc__
    assert key_tables.__doc__
    assert in_one_place(TABLES[name]) == told.keys()
    assert all(told.values())
