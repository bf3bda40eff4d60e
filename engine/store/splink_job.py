"""Splink's training, on DuckDB in place or as a program of its own on Spark.

This file imports nothing of the engine, so that ``interop mpi train-job`` can hand it
to a cluster as it is: ``python job.py FOLDER``. FOLDER holds ``records.csv`` and
``settings.json``; ``model.json`` is written beside them.

Spec:
    identity.md 13, Splink.
"""

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

STRANGERS: Final = 2_000_000
"""How many pairs drawn at random tell what strangers share."""
_FOUND: Final = 0.9
"""Which share of the pairs of one person the rules are taken to find."""
_SEED: Final = 1


def fitted(
    api: Any,  # noqa: ANN401 - Splink's DuckDBAPI or SparkAPI
    table: Any,  # noqa: ANN401 - what its `register` takes
    settings: dict[str, Any],
    rules: Sequence[Sequence[str]],
    strangers: int = STRANGERS,
) -> dict[str, Any]:
    """Return Splink's settings with the probabilities of each level that was seen.

    Nobody has to label pairs: what strangers share comes from pairs drawn at random,
    what one person's records share from expectation maximisation over the pairs of
    each rule. A rule that finds too few pairs is left out; what only it would have told
    keeps the weights it had.

    Returns:
        Beside Splink's own keys ``same_pairs`` and ``stranger_pairs``: how many pairs
        the probabilities rest on.
    """
    from splink import Linker, block_on  # noqa: PLC0415 - an extra
    from splink.internals.exceptions import EMTrainingException  # noqa: PLC0415

    logging.getLogger("splink").setLevel(logging.CRITICAL)
    frame = api.register(table)
    [counted] = frame.query_sql("SELECT count(*) AS n FROM {this}").as_record_list()
    linker = Linker(frame, settings, log_level=None)
    records = int(counted["n"])
    training, blocks = linker.training, [block_on(*rule) for rule in rules]
    training.estimate_probability_two_random_records_match(blocks, recall=_FOUND)
    training.estimate_u_using_random_sampling(
        strangers, seed=_SEED, min_count_per_level=None, num_chunks=1
    )
    for block in blocks:
        try:
            training.estimate_parameters_using_expectation_maximisation(block)
        except EMTrainingException:
            continue
    model: dict[str, Any] = linker.misc.save_model_to_json()
    share = model["probability_two_random_records_match"]
    pairs = round(share * records * (records - 1) / 2)
    return {**model, "same_pairs": pairs, "stranger_pairs": strangers}


def main(folder: Path, strangers: int = STRANGERS) -> None:
    """Fit the model of a folder that ``interop mpi train-job`` wrote, on Spark."""
    from pyspark.sql import SparkSession  # noqa: PLC0415 - the cluster has it
    from splink import SparkAPI  # noqa: PLC0415
    from splink.backends.spark import similarity_jar_location  # noqa: PLC0415

    asked = json.loads((folder / "settings.json").read_text("utf-8"))
    session = SparkSession.builder.appName("interop mpi train-job")
    spark = session.config("spark.jars", similarity_jar_location()).getOrCreate()
    table = spark.read.csv(str(folder / "records.csv"), header=True)
    api = SparkAPI(spark_session=spark, break_lineage_method="persist")
    model = fitted(api, table, asked["settings"], asked["rules"], strangers)
    (folder / "model.json").write_text(json.dumps(model), "utf-8")
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
