"""T29 to T32 and the output gate: identities, Provenance, Bundles, bytes."""

import copy
import json

import pytest

from engine.transforms.fhir import (
    MapContext,
    collection,
    message_bundle,
    transaction,
    write_json,
)
from engine.transforms.fhir.checks import check, check_resource
from tests.fhir_messages import (
    adt,
    bundle,
    mapped,
    msh,
    obx,
    oru,
    pid,
    pv1,
    resource,
    resources,
    segment,
)

BELONG_TO_ONE_MESSAGE = ("Provenance", "MessageHeader", "DocumentReference")


def urls(data, leave=()):
    return {e.full_url for e in mapped(data).entries if e.kind not in leave}


def test_t29_equal_messages_give_equal_bytes():
    one, two = (write_json(transaction(mapped(adt()).entries)) for _ in range(2))

    assert one == two


def test_t29_another_message_about_the_same_things_has_the_same_urls():
    one, two = oru(obx(), control="C1"), oru(obx(), control="C2")

    assert urls(one, BELONG_TO_ONE_MESSAGE) == urls(two, BELONG_TO_ONE_MESSAGE)
    assert urls(one) != urls(two)


def test_t29_two_sites_never_share_a_url():
    other = mapped(adt(), context=MapContext(site="south"))

    assert not urls(adt()) & {entry.full_url for entry in other.entries}


def test_t29_what_has_an_identifier_is_put_by_it_and_parties_are_only_created():
    rows = bundle(adt("A01", pid(), pv1(f7="7^Doc^Dora^^^^^^&1.2.9&ISO")))["entry"]
    requests = {row["resource"]["resourceType"]: row["request"] for row in rows}

    assert requests["Patient"] == {
        "method": "PUT",
        "url": "Patient?identifier=urn:oid:1.2.3|100482",
    }
    assert requests["Practitioner"] == {
        "method": "POST",
        "url": "Practitioner",
        "ifNoneExist": "identifier=urn:oid:1.2.9|7",
    }
    assert requests["Provenance"]["url"].startswith("Provenance/")


def test_t29_a_query_is_escaped():
    data = adt("A01", pid(f3="1 \\S\\2,3^^^&urn:id:x y&URI"), pv1())

    [entry] = mapped(data).all("Patient")

    assert " " not in entry.criteria
    assert "1%20%5E2%5C%2C3" in entry.criteria


def test_t29_what_has_no_number_gets_a_key_of_ours():
    allergy = segment("AL1", f1="1", f2="DA", f3="1^X^L")
    first, second = (
        mapped(adt("A01", pid(), pv1(), allergy)).all("AllergyIntolerance")[0]
        for _ in range(2)
    )

    assert first.full_url == second.full_url
    assert first.resource["identifier"][0]["system"] == "urn:id:north:key"


def test_t29_equal_results_of_one_order_stay_apart():
    assert len(resources(oru(obx(), obx()), "Observation")) == 2


def test_t30_provenance_names_who_when_and_from_what():
    source, ours = resources(oru(obx()), "Provenance")
    if "transformation" in json.dumps(source):
        source, ours = ours, source

    assert source["recorded"] == "2024-01-02T03:04:05-05:00"
    assert ours["activity"]["coding"][0]["code"] == "v2-fhir-transformation"
    assert ours["recorded"] == "1970-01-01T00:00:00+00:00"
    targets = {one["reference"] for one in source["target"]}
    made = mapped(oru(obx()))
    for kind in ("Patient", "Observation", "DiagnosticReport", "MessageHeader"):
        assert {entry.full_url for entry in made.all(kind)} <= targets


@pytest.mark.parametrize(("how", "key"), [("reference", "url"), ("inline", "data")])
def test_t30_the_message_is_a_document(how, key):
    document = resource(adt(), "DocumentReference", source_message=how)

    assert key in document["content"][0]["attachment"]
    assert document["masterIdentifier"]["value"] == "C1"


def test_t30_a_destination_may_do_without_the_message():
    assert not resources(adt(), "DocumentReference", source_message="none")


def test_the_receiver_is_the_facility_unless_an_organization_is_named():
    named = {f"f{at}": "" for at in range(13, 23)} | {"f23": "Other Clinic"}
    data = adt().replace(adt().partition(b"\r")[0], msh(**named).encode())

    firms = {each["name"] for each in resources(data, "Organization")}

    assert "Other Clinic" in firms
    assert "X" not in firms
    lost = {each.path: each.reason for each in mapped(data).losses}
    assert lost["MSH-6"] == "duplicate"
    assert "MSH-6" not in {each.path for each in mapped(adt()).losses}


def test_t31_a_final_result_has_the_identity_of_its_preliminary():
    one, two = (
        mapped(oru(obx(f11=status), control=status)).all("Observation")[0]
        for status in ("P", "F")
    )

    assert (one.full_url, one.criteria) == (two.full_url, two.criteria)


def test_t32_entries_have_a_fixed_order():
    rows = bundle(adt())["entry"]
    order = [(row["resource"]["resourceType"], row["fullUrl"]) for row in rows]

    assert order == sorted(order)


def test_t32_a_message_bundle_begins_with_its_header_and_has_no_requests():
    found = json.loads(write_json(message_bundle(mapped(adt()).entries)))

    assert found["type"] == "message"
    assert found["entry"][0]["resource"]["resourceType"] == "MessageHeader"
    assert not any("request" in row for row in found["entry"])


def test_t32_a_collection_is_plain():
    found = json.loads(write_json(collection(mapped(adt()).entries)))

    assert (found["type"], "request" in found["entry"][0]) == ("collection", False)


def test_what_is_no_json_is_a_defect():
    with pytest.raises(TypeError):
        write_json({"resourceType": object()})


def test_the_gate_is_open_for_what_the_map_makes():
    assert check(transaction(mapped(adt()).entries)) == []


def broken(change):
    document = copy.deepcopy(json.loads(json.dumps(bundle(adt()))))
    change({row["resource"]["resourceType"]: row for row in document["entry"]})
    return {finding.code for finding in check(document)}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda rows: rows["Patient"].update(fullUrl=rows["Encounter"]["fullUrl"]),
         "full_url_twice"),
        (lambda rows: rows["Patient"]["resource"].update(gender="F"),
         "code_not_in_binding"),
        (lambda rows: rows["Patient"]["resource"]["name"][0].update(use="legal"),
         "code_not_in_binding"),
        (lambda rows: rows["Patient"]["resource"].update(language=""), "empty_value"),
        (lambda rows: rows["Patient"]["resource"].update(contact=[]), "empty_value"),
        (lambda rows: rows["Patient"]["resource"].update(language='""'), "empty_value"),
        (lambda rows: rows["Encounter"]["resource"].update(
            subject={"reference": "urn:uuid:0"}), "reference_dangles"),
        (lambda rows: rows["Patient"]["resource"]["identifier"][0].update(system="MR"),
         "system_not_absolute"),
        (lambda rows: rows["Encounter"]["resource"].update(
            type=[{"coding": [{"code": "E"}]}]), "system_not_absolute"),
        (lambda rows: rows["Patient"]["resource"].update(animal={}), "not_r4"),
        (lambda rows: rows["Patient"]["resource"].update(name={"text": "A"}), "not_r4"),
        (lambda rows: rows["Patient"]["resource"].update(gender=["male"]), "not_r4"),
        (lambda rows: rows["Patient"]["resource"].update(maritalStatus="M"), "not_r4"),
        (lambda rows: rows["Patient"]["resource"].update(
            _name={"extension": []}), "not_r4"),
        (lambda rows: rows["Patient"]["resource"].update(
            _gender={"value": "x"}), "not_r4"),
        (lambda rows: rows["Patient"]["resource"].update(
            _gender={"extension": [{"url": "urn:x:y", "valueInteger64": 1}]}),
         "not_r4"),
        (lambda rows: rows["Patient"]["resource"].update(
            contained=[{"resourceType": "NutritionIntake"}]), "not_r4"),
    ],
)  # fmt: skip
def test_the_gate_closes_for(change, code):
    assert code in broken(change)


def test_a_resource_of_its_own_may_refer_anywhere():
    found: dict[str, object] = {
        "resourceType": "Encounter",
        "subject": {"reference": "Patient/1"},
    }

    assert check_resource(found) == []
    assert check({"resourceType": "Bundle", "type": "collection"}) == []


def test_an_extension_of_a_primitive_may_have_gaps():
    name = {"given": ["A", "B"], "_given": [None, {"id": "b"}]}

    assert check_resource({"resourceType": "Patient", "name": [name]}) == []


def test_changing_what_one_message_made_leaves_the_next_alone():
    before = write_json(transaction(mapped(adt()).entries))
    found = mapped(adt())

    for entry in found.entries:
        blank(found.own(entry))

    assert write_json(transaction(mapped(adt()).entries)) == before


def blank(value):
    """Overwrite every text in a JSON tree, but not a Reference."""
    if isinstance(value, dict) and "reference" not in value:
        for name, inner in value.items():
            value[name] = "changed" if isinstance(inner, str) else inner
            blank(inner)
    if isinstance(value, list):
        for inner in value:
            blank(inner)


def test_a_resource_of_ones_own_still_follows_its_references():
    found = mapped(adt())
    [visit], [patient] = found.all("Encounter"), found.all("Patient")
    found.own(visit)

    patient.move("urn:uuid:new", "")

    assert visit.resource["subject"] == {"reference": "urn:uuid:new"}
