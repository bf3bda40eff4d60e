"""Weights that Splink fitted, as a model of ours; the job a cluster runs for it.

Spec:
    identity.md 13, Splink.
"""

import csv
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from os import O_CREAT, O_EXCL, O_WRONLY
from os import open as open_file
from pathlib import Path
from typing import Any, Final, TextIO

from engine.errors import ConfigurationError
from engine.identity.estimation import Group, Tally
from engine.identity.index import SourceRecord
from engine.identity.similarity import Nicknames
from engine.store import splink_job
from engine.store.splink_levels import COLUMNS, RULES, rows, settings

_OURS_ALONE: Final = 0o600
_FEWEST: Final = 100
"""Of fewer records nothing can be learned."""


def tallied_by_splink(
    records: Iterable[SourceRecord],
    nicknames: Nicknames,
    strangers: int = splink_job.STRANGERS,
) -> Tally:
    """Return the levels of an index's pairs, as Splink on DuckDB counts them.

    Nothing is written to disk: what does not fit into memory fails.

    Raises:
        ConfigurationError: the extra ``interop-engine[training]`` is not installed.
    """
    try:
        import duckdb  # noqa: PLC0415 - an extra
        import pyarrow as pa  # noqa: PLC0415
        from splink import DuckDBAPI  # noqa: PLC0415
    except ImportError as error:
        sentence = "fitting with Splink needs interop-engine[training]"
        raise ConfigurationError(sentence) from error
    found = list(rows(records, nicknames))
    if len(found) < _FEWEST:
        return Tally()
    types = pa.schema([(name, pa.string()) for name in COLUMNS])
    table = pa.Table.from_pylist(found, schema=types)
    api = DuckDBAPI(duckdb.connect(config={"temp_directory": ""}))
    model = splink_job.fitted(api, table, settings("duckdb"), RULES, strangers)
    return tally_of(model)


def tally_of(model: Mapping[str, Any]) -> Tally:
    """Return what Splink fitted as counts of pairs, of one person and of strangers.

    Splink knows no households and no twins: their weights stay what they were.

    Raises:
        KeyError, TypeError, ValueError: it is no model that `splink_job.fitted` gave.
    """
    tally = Tally()
    for group, probability in (
        (Group.SAME, "m_probability"),
        (Group.STRANGER, "u_probability"),
    ):
        pairs = int(model[f"{group.name.lower()}_pairs"])
        tally.pairs[group] = pairs
        for comparison in model["comparisons"]:
            trait = comparison["output_column_name"]
            for level in comparison["comparison_levels"]:
                share = level.get(probability)
                if isinstance(share, float):
                    found = (group, trait, level["label_for_charts"])
                    tally.levels[found] += round(share * pairs)
    return tally


def write_job(
    folder: Path, records: Iterable[SourceRecord], nicknames: Nicknames
) -> int:
    """Write what Splink on Spark needs into a folder; return how many records.

    Confidential persons are left out. The files are readable by their owner alone.

    Raises:
        FileExistsError: one of them is there already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with _new(folder / "records.csv") as file:
        lines = csv.DictWriter(file, COLUMNS)
        lines.writeheader()
        open_to_all = (each for each in records if not each.confidential)
        for row in rows(open_to_all, nicknames):
            lines.writerow(row)
            count += 1
    with _new(folder / "settings.json") as file:
        json.dump({"settings": settings("spark"), "rules": RULES}, file)
    with _new(folder / "job.py") as file:
        file.write((files("engine.store") / "splink_job.py").read_text("utf-8"))
    return count


def _new(path: Path) -> TextIO:
    made = open_file(path, O_CREAT | O_EXCL | O_WRONLY, _OURS_ALONE)
    return open(made, "w", encoding="utf-8", newline="")  # noqa: PTH123 - a descriptor
