"""What rows of ``map`` carry over is not in the loss report; the rest stays there."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.hl7 import parse, parse_path
from engine.transforms.code_tables import read_csv, read_policy
from engine.transforms.expressions import compile_expression
from engine.transforms.fhir import MapContext, map_message
from engine.transforms.fhir.mapped import MapOptions
from engine.transforms.fhir.paths import FhirPath, parse_fhir_path
from engine.transforms.fhir_rows import (
    add_row,
    append_row,
    choose_row,
    for_each_row,
    remove_row,
    run_rows,
    set_row,
)
from engine.transforms.scope import EditContext, Loop, Scope
from tests.builders import adt_a01
from tests.channel_files import NOON, edited

LINE = "channels/adt.yaml:9"
SITE = 'Patient.extension["https://site.example/{}"].value{}'
SEX, _ = read_csv("from,to,display\n1,M,Male\n", "sex")


def path(text):
    found = parse_fhir_path(text)
    assert isinstance(found, FhirPath), found
    return found


def carrying(text, kind="String", *loops, name="word"):
    """Return a row that writes an extension of the patient."""
    return set_row(LINE, path(SITE.format(name, kind)), expression(text, *loops))


def expression(text, *loops):
    tables, policy = {"sex": SEX}, read_policy('default("U")')
    scope = Scope("map", tables, loops=tuple(map(Loop, loops)), policy=policy)
    found, faults = compile_expression(text, scope)
    assert found is not None, faults
    return found


def lost(*rows, segments=("ZPV|1|Y|A^B|20300102",)):
    """Return the Z fields listed as lost after the rows, in order."""
    message = parse(adt_a01(*segments))
    found = map_message(message, MapContext())
    run_rows(rows, found, EditContext(message, NOON, {}, {}))
    return [loss.path for loss in found.losses if loss.path.startswith("Z")]


ALL = ["ZPV-1", "ZPV-2", "ZPV-3", "ZPV-4"]


def without(*paths):
    return [each for each in ALL if each not in paths]


def test_a_field_that_a_row_carries_is_not_lost():
    assert lost() == ALL
    assert lost(carrying("ZPV-2")) == without("ZPV-2")
    assert lost(carrying("trim(ZPV-2)")) == without("ZPV-2")
    assert lost(carrying('coalesce(ZPV-9, ZPV-2, "?")')) == without("ZPV-2")
    assert lost(carrying('ZPV-2 if exists(ZPV-4) else "?"')) == without("ZPV-2")
    assert lost(carrying("number(ZPV-1)", "Decimal")) == without("ZPV-1")
    assert lost(carrying("date(ZPV-4)", "Date")) == without("ZPV-4")


def test_of_a_field_that_is_carried_in_part_the_other_components_are_lost():
    first, second = carrying("ZPV-3"), carrying("ZPV-3.2", name="other")

    assert lost(first) == ["ZPV-1", "ZPV-2", "ZPV-3.2", "ZPV-4"]
    assert lost(first, second) == without("ZPV-3")


def test_repetitions_subcomponents_and_nulls_that_no_row_reads_are_lost():
    rows = carrying("ZPV-1"), carrying("ZPV-2", name="a"), carrying("ZPV-3", name="b")

    left = lost(*rows, segments=['ZPV|A~B^C|A&B|A^""'])

    assert left == ["ZPV-1[2].1", "ZPV-1[2].2", "ZPV-2.1", "ZPV-3.2"]


def test_what_is_only_compared_joined_or_cut_stays_lost():
    assert lost(carrying('"x" if ZPV-2 == "Y" else ZPV-9')) == ALL
    assert lost(carrying('concat(ZPV-2, "!")')) == ALL
    assert lost(carrying("left(ZPV-4, 4)")) == ALL
    assert lost(carrying("ZPV-2"), segments=["ZPV||"]) == []
    assert lost(carrying("ZPV-2"), segments=["PV2||x"]) == []


def test_a_time_of_day_that_is_not_written_stays_lost():
    row = carrying("datetime(ZPV-1)", "DateTime")

    assert lost(row, segments=["ZPV|20300102103000+0100"]) == []
    assert lost(row, segments=["ZPV|20300102103000"]) == ["ZPV-1"]


def test_a_code_that_equals_a_text_is_told_by_true_and_not_by_false():
    row = carrying('ZPV-2 == "Y"', "Boolean")
    either = carrying('"Y" == ZPV-2 or ZPV-1 == "1"', "Boolean")

    assert lost(row) == without("ZPV-2")
    assert lost(row, segments=["ZPV||False"]) == ["ZPV-2"]
    assert lost(carrying("ZPV-2 == ZPV-2", "Boolean")) == ALL
    assert lost(either) == ALL


def test_a_code_is_carried_where_its_table_has_it_and_not_where_it_has_not():
    row = carrying('table("sex", ZPV-1, "display")')

    assert lost(row) == without("ZPV-1")
    assert lost(row, segments=["ZPV|2"]) == ["ZPV-1"]
    assert lost(carrying('"Male" if mapped("sex", ZPV-1) else ZPV-9')) == ALL


def test_what_later_rows_take_out_or_write_over_is_lost():
    row, place = carrying("ZPV-2"), path(SITE.format("word", "String"))

    assert lost(row, remove_row(LINE, place)) == ALL
    assert lost(row, remove_row(LINE, path("Patient"))) == ALL
    assert lost(row, set_row(LINE, place, "else")) == ALL
    assert lost(row, set_row(LINE, place, "Y")) == without("ZPV-2")


def test_each_segment_of_a_loop_is_carried_by_itself():
    segments = ["ZAL|A", "ZAL|B^C", "ZAL|D~E"]
    one = append_row(LINE, path("Patient.name[0].given"), expression("ZAL-1", "ZAL"))
    flag = add_row(
        LINE, "Flag", [(path("Flag.code.text"), expression("ZAL-1", "ZAL"))], "site"
    )
    every = ["ZAL[2]-1.2", "ZAL[3]-1[2].1"]

    assert lost(for_each_row(LINE, "ZAL", [one]), segments=segments) == every
    assert lost(for_each_row(LINE, "ZAL", [flag]), segments=segments) == every
    chosen = choose_row(LINE, [(expression('ZAL-1 == "B"', "ZAL"), [flag])])
    left = lost(for_each_row(LINE, "ZAL", [chosen]), segments=segments)
    assert left == ["ZAL-1", "ZAL[2]-1.2", "ZAL[3]-1"]


def test_of_a_field_whose_part_became_an_extension_the_rest_is_lost():
    rule = {"url": "https://site.example/way", "type": "string"}
    coded = {**rule, "type": "CodeableConcept"}
    message = parse(adt_a01("ZPV|A^B|C^D^L~E", "ZPV|F"))
    options = MapOptions(z={"ZPV-1.2": rule, "ZPV-2": coded})

    found = map_message(message, MapContext(options=options)).losses

    z = [(loss.path, loss.reason) for loss in found if loss.path[0] == "Z"]
    assert ("ZPV-1.1", "z-segment") in z
    assert ("ZPV-2.1", "z-segment") in z  # of the second repetition
    assert [each for each, _ in z] == ["ZPV-1.1", "ZPV-2.1", "ZPV[2]-1"]


def lost_after(steps, *rows, segments=("PV1|1|I", "ZPV|1|Y|A^B|20300102")):
    """Return the Z fields listed as lost after steps of ``edit`` and rows."""
    context, _ = edited(steps, adt_a01(*segments))
    found = map_message(context.message, MapContext())
    run_rows(rows, found, context)
    return [loss.path for loss in found.losses if loss.path.startswith("Z")]


def test_what_a_step_copies_out_of_a_site_segment_is_carried_where_it_is_mapped():
    assert lost_after("[{set: PV1-10, to: trim(ZPV-2)}]") == without("ZPV-2")
    assert lost_after("[{copy: ZPV-3, to: PV1-10}]") == without("ZPV-3")
    assert lost_after("[{copy: ZPV-3.2, to: PV1-10}]") == [
        "ZPV-1", "ZPV-2", "ZPV-3.1", "ZPV-4",
    ]  # fmt: skip
    assert lost_after("[{move: ZPV-3, to: PV1-10}]") == without("ZPV-3")


def test_what_a_step_copies_where_nothing_takes_it_or_in_part_stays_lost():
    assert lost_after("[{copy: ZPV-3, to: PV1-30}]") == ALL
    assert lost_after("[{copy: ZPV-3, to: PV1-10.1}]") == ALL
    assert lost_after('[{set: PV1-10, to: "left(ZPV-4, 4)"}]') == ALL
    assert lost_after("[{set: PV1-10, to: ZPV-2}, {clear: PV1-10}]") == ALL
    assert lost_after("[{set: PV2-3, to: ZPV-2}, {copy: ZPV-2, to: PV2-3}]") == ALL
    assert lost_after("[{set: PV1-10, to: ZPV-2}, {remove-segment: ZPV}]") == []
    assert lost_after("[{set: PV1-10, to: ZPV-2}, {remove-segment: PV1}]") == ALL


def test_what_a_step_copies_from_site_segment_to_site_segment_a_row_can_carry():
    step, row = "[{copy: ZPV-3, to: ZPV-9}]", carrying("ZPV-9.2")

    assert lost_after(step) == [*ALL, "ZPV-9"]
    assert lost_after(step, row) == [*ALL, "ZPV-9.1"]
    assert lost_after(step, row, carrying("ZPV-9", name="b")) == without("ZPV-3")


WORDS = st.text("AB^&~", max_size=8)
PLACES = st.sampled_from(
    [
        f"ZZZ{number}-{field}{repetition}{part}"
        for number in ("", "[2]")
        for field in (1, 2)
        for repetition in ("", "[2]")
        for part in ("", ".1", ".2", ".1.2")
    ]
)


@given(
    fields=st.lists(WORDS, min_size=4, max_size=4),
    places=st.lists(PLACES, unique=True, max_size=6),
)
@settings(deadline=None, max_examples=60)
def test_every_leaf_of_a_site_segment_is_carried_or_listed(fields, places):
    segments = [f"ZZZ|{fields[0]}|{fields[1]}", f"ZZZ|{fields[2]}|{fields[3]}"]
    rows = [carrying(each, name=f"n{at}") for at, each in enumerate(places)]
    message = parse(adt_a01(*segments))

    listed = lost(*rows, segments=segments)

    read = set(map(_leaf, places))
    for leaf, text in _leaves(message):
        covered = any(_covers(each, leaf) for each in listed)
        assert covered or (text and leaf in read), (leaf, listed)


def _leaf(written):
    """Return the numbers of segment, field, repetition and below that a path reads."""
    found = parse_path(written)
    field, component, below, repetition = found.leaf
    return found.occurrence or 1, field, repetition, component, below


def _leaves(message):
    for number, segment in enumerate(message.all("ZZZ"), 1):
        for field in segment.populated():
            for repetition, found in enumerate(segment.positions(field), 1):
                for component in range(1, found.component_count + 1):
                    for below, text in enumerate(found.sub(component), 1):
                        if text:
                            yield (number, field, repetition, component, below), text


def _covers(listed, leaf):
    """Whether a path of the loss report is that of a leaf, or of what it is in."""
    number, field, repetition, component, _ = leaf
    head = f"ZZZ{f'[{number}]' if number > 1 else ''}-{field}"
    return listed in (head, f"{head}.{component}", f"{head}[{repetition}].{component}")
