"""What a message says, onto what a server has: nothing else of it changes."""

from hypothesis import given
from hypothesis import strategies as st

from engine.transforms.fhir.exchange import in_turn, narrowed, without
from engine.transforms.fhir.mapped import Element
from engine.transforms.fhir.partial import grafted, identity_of, said_by
from engine.transforms.fhir.update import Update, parts_of

TELECOM = st.lists(
    st.builds(
        lambda use, value: {"system": "phone", "use": use, "value": value},
        st.sampled_from(["home", "work", "mobile"]),
        st.sampled_from("12"),
    ),
    min_size=1,
    max_size=4,
)
PATIENTS = st.fixed_dictionaries(
    {"resourceType": st.just("Patient")},
    optional={
        "gender": st.sampled_from(["male", "female"]),
        "deceasedBoolean": st.booleans(),
        "telecom": TELECOM,
        "name": st.lists(st.fixed_dictionaries({"family": st.sampled_from("AB")}),
                         min_size=1, max_size=2),
    },
)  # fmt: skip
NAMES = st.sets(
    st.sampled_from(
        ["gender", "deceased", "name", "telecom#home|phone", "telecom#work|phone",
         "telecom#"]
    )
)  # fmt: skip


def is_said(name, said):
    return name in said or (name.startswith("telecom#") and "telecom#" in said)


@given(theirs=PATIENTS, ours=PATIENTS, said=NAMES)
def test_T19_only_what_is_said_changes(theirs, ours, said):
    found = parts_of(grafted(theirs, ours, said))

    have, new = parts_of(theirs), parts_of(ours)
    for name in have.keys() | new.keys() | found.keys():
        if not is_said(name, said):
            assert found.get(name) == have.get(name)
        elif name in said:
            assert found.get(name) == new.get(name)


@given(theirs=PATIENTS, ours=PATIENTS, said=NAMES)
def test_what_is_said_twice_changes_nothing_more(theirs, ours, said):
    once = grafted(theirs, ours, said)

    assert grafted(once, ours, said) == once


@given(theirs=PATIENTS)
def test_what_says_nothing_changes_nothing(theirs):
    assert parts_of(grafted(theirs, {"resourceType": "Patient"}, ())) == parts_of(
        theirs
    )


def test_parts_of_a_visit_stay_when_others_of_the_same_element_change():
    theirs: Element = {
        "resourceType": "Encounter",
        "status": "in-progress",
        "statusHistory": [{"status": "planned"}],
        "period": {"start": "2024-01-01"},
    }
    ours: Element = {
        "resourceType": "Encounter",
        "status": "finished",
        "statusHistory": [{"status": "planned"}, {"status": "in-progress"}],
        "period": {"start": "2024-01-02", "end": "2024-01-03"},
    }

    found = grafted(theirs, ours, {"status", "period.end"})

    assert found["status"] == "finished"
    assert found["statusHistory"] == ours["statusHistory"]
    assert found["period"] == {"start": "2024-01-01", "end": "2024-01-03"}


def test_a_message_speaks_of_what_it_says_and_takes_away_but_not_of_what_is_presumed():
    visit: Element = {
        "resourceType": "Encounter",
        "status": "unknown",
        "class": {"code": "I"},
    }
    update = Update(visit, presumed=("class",), nulls=("telecom", "priority"))

    assert said_by(update) == {"priority", "telecom#"}


def test_numbers_and_links_are_spoken_of_by_every_update():
    patient: Element = {
        "resourceType": "Patient",
        "gender": "male",
        "identifier": [{"system": "s", "value": "1"}],
        "link": [{"other": {"reference": "Patient/2"}}],
    }

    assert identity_of(patient) == {"identifier#s|1", "link#Patient/2"}


def entry(url, *refers):
    resource = {
        "resourceType": "Patient",
        "link": [{"other": {"reference": each}} for each in refers],
    }
    request = {"method": "PUT", "url": f"Patient?identifier=s|{url}"}
    return {"fullUrl": url, "resource": resource, "request": request}


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef"))))
def test_everything_gets_one_turn_after_what_it_refers_to_but_for_circles(graph):
    entries = [entry(url, *sorted(refers)) for url, refers in graph.items()]

    order = [str(one["fullUrl"]) for one in in_turn(entries, {})]

    assert sorted(order) == sorted(graph)
    for place, url in enumerate(order):
        for other in graph[url] & graph.keys() - set(order[: place + 1]):
            assert reaches(graph, other, url)


def reaches(graph, start, end):
    seen, waiting = set(), [start]
    while waiting:
        each = waiting.pop()
        if each == end:
            return True
        if each not in seen:
            seen.add(each)
            waiting += graph.get(each, ())
    return False


def test_a_chain_of_any_length_is_put_in_order():
    count = 3000
    entries = [entry(f"{at}", f"{at + 1}") for at in range(count)]

    order = [one["fullUrl"] for one in in_turn(entries, {})]

    assert order == [f"{at}" for at in reversed(range(count))]


def test_a_member_that_refers_to_what_is_not_there_is_left_out_whole():
    visit: Element = {
        "resourceType": "Encounter",
        "subject": {"reference": "a"},
        "partOf": {"reference": "b"},
        "diagnosis": [{"condition": {"reference": "a"}, "rank": 1},
                      {"condition": {"reference": "b"}}],
        "location": [{"location": {"reference": "a"}}],
    }  # fmt: skip

    assert without(visit, frozenset("a")) == {
        "resourceType": "Encounter",
        "partOf": {"reference": "b"},
        "diagnosis": [{"condition": {"reference": "b"}}],
    }


def test_entries_that_are_not_marked_stay_as_they_are():
    one = entry("a")
    before = dict(one["request"])

    assert narrowed({"entry": [one]}, {}) == []
    assert one["request"] == before
