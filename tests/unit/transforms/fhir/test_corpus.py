"""Every message of the shared corpus: accounted for, valid, clean at the gate."""

import csv
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Hl7Error, TransformError
from engine.hl7 import parse
from engine.transforms.fhir import (
    MapContext,
    map_message,
    transaction,
    write_json,
)
from engine.transforms.fhir.checks import check
from engine.transforms.fhir.groups import grow
from engine.transforms.fhir.mapping import MAPPERS, convert
from engine.transforms.fhir.plan import ANY_EVENT, PARENTS, PLANS
from tests.builders import er7
from tests.fhir_messages import msh
from tests.shared_data import shared

CONTEXT = MapContext(site="corpus")
SAMPLE = 1 if os.environ.get("INTEROP_TEST__SIZE") == "full" else 40
"""Every so manieth message also goes through the slow validator; at full size, all."""


def well_formed():
    folder = shared("corpora")
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if not row["malformed"] and row["file"].startswith("messages"):
                yield row["type"], row["event"], folder / row["file"]


def corpus():
    for kind, event, path in well_formed():
        if f"{kind}^{event}" in PLANS or kind in ANY_EVENT:
            yield path


def unaccounted(conversion):
    """Return populated fields that are neither read by a mapper nor listed."""
    listed = {loss.path for loss in conversion.mapped.losses}
    return [
        node.path(field)
        for node in conversion.tree.nodes
        for field in node.untaken()
        if node.path(field) not in listed
    ]


@pytest.mark.slow
def test_f5_messages_of_the_types_covered_convert_and_others_say_why_not():
    types = {name.partition("^")[0] for name in PLANS} | set(ANY_EVENT)
    taken = set(corpus())
    refused = []
    for kind, _, path in well_formed():
        if path not in taken:
            with pytest.raises(TransformError) as caught:
                map_message(parse(path.read_bytes()), CONTEXT)
            assert caught.value.code == "trigger-not-mapped"
            refused += [path.name] if kind in types else []

    assert len(taken) / (len(taken) + len(refused)) >= 0.99


@pytest.mark.slow
def test_f3_every_populated_field_is_mapped_or_listed():
    missing = {}
    for path in corpus():
        if found := unaccounted(convert(parse(path.read_bytes()), CONTEXT)):
            missing[path.name] = found

    assert missing == {}


@pytest.mark.slow
def test_f4_every_bundle_is_clean_in_two_checkers():
    fhirkit = pytest.importorskip("fhirkit")
    wrong = {}
    for path in corpus():
        found = transaction(map_message(parse(path.read_bytes()), CONTEXT).entries)
        issues = [str(one) for one in fhirkit.validate(write_json(found))]
        if issues or check(found):
            wrong[path.name] = issues or check(found)

    assert wrong == {}


@pytest.mark.slow
def test_f4_a_sample_is_clean_in_the_pydantic_models():
    models = pytest.importorskip("fhir.resources.R4B.bundle")

    for path in list(corpus())[::SAMPLE]:
        found = transaction(map_message(parse(path.read_bytes()), CONTEXT).entries)
        models.Bundle.model_validate_json(write_json(found))


def test_segments_the_map_knows_have_a_place_in_the_tree():
    assert set(MAPPERS) <= {*PARENTS, "PID", "SCH", "RF1", "NPU"}


WORDS = st.text('AB12 ^&~\\|."', max_size=12).map(lambda text: text.replace("|", ""))
KINDS = st.sampled_from(
    ["PID", "PV1", "PV2", "OBR", "ORC", "OBX", "NTE", "SPM", "DG1", "AL1", "IN1", "NK1",
     "GT1", "PR1", "MRG", "TXA", "ROL", "PRT", "PD1", "TQ1", "IN3", "ZZZ", "SFT", "RXA",
     "RXR", "SCH", "AIS", "AIG", "AIL", "AIP", "RXO", "RXE", "RXD", "RXC",
     "FT1", "PRB", "RF1", "PRD", "STF", "PRA", "LOC", "NPU", "MSA", "ERR"]
)  # fmt: skip
SEGMENTS = st.builds(
    lambda kind, fields: "|".join([kind, *fields]), KINDS, st.lists(WORDS, max_size=30)
)
EVENTS = st.sampled_from(
    [
        "ADT^A01",
        "ADT^A40",
        "ORU^R01",
        "MDM^T02",
        "ADT^A31",
        "VXU^V04",
        "SIU^S12",
        "OML^O33",
        "RDE^O11",
        "RAS^O17",
    ]
)


@given(event=EVENTS, segments=st.lists(SEGMENTS, max_size=8))
@settings(deadline=None, max_examples=200)
def test_any_message_of_a_known_event_is_mapped_and_clean(event, segments):
    data = er7(msh(event), *segments)

    made = map_message(parse(data), CONTEXT)

    found = transaction(made.entries)
    assert check(found) == []
    assert json.loads(write_json(found))["type"] == "transaction"


@given(segments=st.lists(SEGMENTS, max_size=8))
def test_no_segment_is_dropped_from_the_tree(segments):
    message = parse(er7(msh(), *segments))

    tree = grow(message, PARENTS, {})

    below = []
    waiting = list(tree.roots)
    while waiting:
        node = waiting.pop()
        below.append(node.position)
        waiting.extend(node.children)
    assert sorted(below) == list(range(len(message.segments)))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_message_fail_as_they_should(data):
    with pytest.raises((Hl7Error, TransformError)):
        map_message(parse(data), CONTEXT)
