"""What a demographics query asks for, and who fits."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.identity.blocking import asked_texts, key_texts
from engine.identity.cleaning import plain
from engine.identity.criteria import Criteria, cleaned, pattern_of
from engine.identity.grading import posterior
from engine.identity.traits import Traits

WORDS = st.sampled_from(["", "ann", "bo", "doe", "garcia lopez", "li", "x1"])
PEOPLE = st.builds(
    Traits,
    given=WORDS,
    middle=WORDS,
    family=WORDS,
    birth=st.sampled_from(["", "19800229", "19610615"]),
    ssn=st.sampled_from(["", "219111222"]),
    phone=st.sampled_from(["", "5035550101"]),
)


@given(person=PEOPLE, names=st.sets(st.sampled_from(["given", "family", "birth"])))
def test_whoever_fits_exact_values_has_one_of_the_keys_asked_for(person, names):
    wanted = {name: getattr(person, name) for name in names}
    assume(all(wanted.values()))
    criteria = Criteria(wanted)

    asked = asked_texts(criteria)

    assert criteria.fits(person)
    assert not asked or set(asked.items()) & set(key_texts(person, {}))


@given(person=PEOPLE)
def test_whoever_fits_a_number_has_its_key(person):
    for trait in ("ssn", "phone"):
        value = getattr(person, trait)
        if value:
            asked = asked_texts(Criteria({trait: value}))
            assert asked.items() <= set(key_texts(person, {}))


@given(name=st.text(max_size=12), place=st.integers(0, 12))
def test_a_name_fits_itself_with_a_star_anywhere(name, place):
    known = plain(name.replace("*", ""))
    wanted = cleaned("family", known[:place] + "*" + known[place:])

    assume(known and wanted)
    assert wanted is not None
    assert Criteria({"family": wanted}).fits(Traits(family=known))


@given(wanted=st.text("ab*", max_size=8), name=st.text("ab", max_size=8))
def test_a_star_stands_for_any_letters(wanted, name):
    def fits(wanted, name):
        if not wanted:
            return not name
        head, rest = wanted[0], wanted[1:]
        if head == "*":
            return any(fits(rest, name[place:]) for place in range(len(name) + 1))
        return name[:1] == head and fits(rest, name[1:])

    if wanted.strip("*"):
        assert bool(pattern_of(wanted).fullmatch(name)) == fits(wanted, name)


@pytest.mark.parametrize(
    ("trait", "text", "found"),
    [
        ("family", " O'Bri* ", "obri*"),
        ("family", "van *", "van *"),
        ("family", "* lopez", "* lopez"),
        ("family", "***", "***"),
        ("family", "'", None),
        ("birth", "1980-02-29", "19800229"),
        ("birth", "198002", "198002*"),
        ("birth", "1980*", "1980*"),
        ("birth", "*", None),
        ("birth", "Smith", None),
        ("birth", "19x0*", None),
        ("birth", "1980-02-30", None),
        ("sex", "female", "F"),
        ("sex", "A", None),
        ("ssn", "219-11-1222", "219111222"),
        ("phone", "+1 503 555 0101", "5035550101"),
        ("email", "Ann@X.org", "ann@x.org"),
        ("zip5", "97301", "97301"),
    ],
)
def test_wanted_values_are_cleaned_as_the_index_cleans_its_own(trait, text, found):
    assert cleaned(trait, text) == found


def test_a_birth_date_may_lie_between_two_days():
    between = Criteria(born=("19800101", "19801231"))

    assert between.fits(Traits(birth="19800229"))
    assert not between.fits(Traits(birth="19810101"))
    assert not between.fits(Traits(birth="19791231"))
    assert not between.fits(Traits())
    assert Criteria(born=("", "19801231")).fits(Traits(birth="19000102"))
    assert not Criteria(born=("", "19801231")).fits(Traits())


def test_what_is_wanted_exactly_is_what_is_scored():
    wanted = Criteria({"family": "doe", "given": "a*", "ssn": "219111222"})

    assert wanted.as_traits() == Traits(family="doe", ssn="219111222", last_four="1222")


def test_bits_become_a_probability():
    assert posterior(6) == pytest.approx(0.9846, abs=1e-4)
    assert posterior(-5000) == 0.0
