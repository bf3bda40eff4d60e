"""F18: any bytes for every reader of bytes; the oracles are in `fuzzed.targets`.

Guided by coverage, for longer: ``make fuzz TARGET=deframe SECONDS=600``.
"""

import json
import re
from xml.etree.ElementTree import Element, tostring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.edge_ledger import ROOT
from tests.faults.fuzzed.targets import TARGETS, timed
from tests.faults.fuzzed.words import MEMBERS, TAGS, VALUES, WORDS

NAMES = st.sampled_from(MEMBERS)
TEXTS = st.sampled_from(VALUES) | st.text(max_size=4)
SCALARS = TEXTS | st.booleans() | st.none() | st.integers() | st.floats()
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6)
    ),
    max_leaves=30,
)


FHIR = "{http://hl7.org/fhir}"


def element(tag, marks, text, inner):
    made = Element(tag, marks)
    made.text, made.tail = text, text
    made.extend(inner)
    return made


PLAIN = st.from_regex(r"[\t\n -\ud7ff\ue000-\ufffd]{0,4}", fullmatch=True)
MARKS = st.dictionaries(
    st.sampled_from(["root", "extension", "value", "code", "use", "colSpan"]),
    st.sampled_from([*VALUES, "HP", "2", "urn:x"]),
)


def nodes(tags):
    """Return lists of XML elements, written one after the other."""
    named = st.sampled_from(tags)
    one = st.recursive(
        st.builds(element, named, MARKS, PLAIN, st.just([])),
        lambda inner: st.builds(
            element, named, MARKS, PLAIN, st.lists(inner, max_size=4)
        ),
        max_leaves=40,
    )
    return st.lists(one, max_size=4).map(lambda some: b"".join(map(tostring, some)))


WELL_FORMED = {
    "cda": nodes(TAGS),
    "fhir_xml": nodes([FHIR + name for name in MEMBERS if "#" not in name]),
    "fhir_json": st.builds(
        lambda tree, kind: json.dumps({**tree, "resourceType": kind}).encode(),
        st.dictionaries(NAMES, TREES, max_size=12),
        st.sampled_from(["Patient", "Patient", "Parameters", "Bundle"]),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_F18_no_bytes_break_a_reader(name):
    words = st.lists(st.sampled_from(WORDS[name]) | st.binary(max_size=8), max_size=40)
    target = TARGETS[name]

    @settings(max_examples=100 if name == "channel" else 300, deadline=None)
    @given(data=words.map(b"".join))
    def any_bytes(data):
        timed(target, data)

    any_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(WELL_FORMED))
def test_F18_nothing_well_formed_breaks_a_reader(name):
    @settings(max_examples=300, deadline=None)
    @given(data=WELL_FORMED[name])
    def any_tree(data):
        timed(TARGETS[name], data)

    any_tree()


def test_F18_every_target_is_fuzzed_at_night():
    [line] = re.findall(
        r"^FUZZED := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )

    assert line.split() == sorted(TARGETS)
