"""Schematron rules judged by XPath: what holds, what does not, what is not read."""

import importlib
import random

import pytest
from lxml import etree

from engine.errors import ConfigurationError
from engine.transforms.ccda.schematron import Schematron
from tests.ccda_facts import document, validator
from tests.ccda_faults import CLASSES
from tests.ccda_person import everything
from tests.shared_data import shared

HEAD = '<schema xmlns="http://purl.oclc.org/dsdl/schematron"><ns prefix="h" uri="u"/>'
NEWER = f"{HEAD}</schema>".replace("schema ", 'schema queryBinding="xslt2" ').encode()
WORDS = b'<codes xmlns="u"><code value="a"/><code value="b"/></codes>'
RULES = "ccda-r2.1-cg4.1.sch"


def rules(*patterns, phase=""):
    inside = "".join(
        f'<pattern id="p{n}">{each}</pattern>' for n, each in enumerate(patterns)
    )
    return Schematron(f"{HEAD}{phase}{inside}</schema>".encode(), {"voc.xml": WORDS})


def failed(rules, text):
    found = rules.failures(etree.fromstring(f'<r xmlns="u">{text}</r>'))
    return [each.rule for each in found]


def said(context, test, name="a1"):
    return f'<rule context="{context}"><assert id="{name}" test="{test}"/></rule>'


def test_a_node_is_judged_by_the_first_rule_of_a_pattern_that_matches_it():
    first, second = said("h:x[@k]", "false()", "one"), said("h:x", "false()", "two")

    assert failed(rules(first + second), '<x k="1"/><x/>') == ["one", "two"]
    assert failed(rules(first, second), '<x k="1"/>') == ["one", "two"]


def test_a_rule_extends_one_of_another_pattern():
    abstract = '<rule abstract="true" id="r"><assert id="own" test="@k"/></rule>'
    using = '<rule context="h:x"><extends rule="r"/><assert id="b" test="@l"/></rule>'

    assert failed(rules(abstract, using), "<x/>") == ["own", "b"]


def test_only_the_patterns_of_the_phase_of_errors_count():
    phase = '<phase id="errors"><active pattern="p1"/></phase>'
    both = said("h:x", "false()", "one"), said("h:x", "false()", "two")

    assert failed(rules(*both, phase=phase), "<x/>") == ["two"]


def test_alternatives_attributes_vocabularies_and_the_node_itself_can_be_named():
    bars = said("h:x[@k='|'] | h:y", "false()")
    let = '<rule context="h:x"><let name="k" value="@k"/>'
    let += '<assert id="a1" test="../h:y[@k=$k] and not($k=1)"/></rule>'
    words = said("h:x", "@k=document('voc.xml')/h:codes/h:code/@value")
    itself = said("h:x", "//h:y[@k=current()/@k]")

    assert failed(rules(bars), '<x k="|"/><x k="a"/><y/>') == ["a1", "a1"]
    assert failed(rules(let), '<x k="2"/><y k="2"/>') == []
    assert failed(rules(let), '<x k="2"/><y k="3"/><x/>') == ["a1", "a1"]
    assert failed(rules(words), '<x k="a"/><x k="c"/>') == ["a1"]
    assert failed(rules(itself), '<x k="a"/><y k="a"/><x k="b"/>') == ["a1"]


def test_a_number_is_true_unless_it_is_zero():
    assert failed(rules(said("h:x", "count(h:y)")), "<x/><x><y/></x>") == ["a1"]


def test_a_vocabulary_with_another_root_holds_nothing():
    words = said("h:x", "@k=document('voc.xml')/h:other/h:code/@value")

    assert failed(rules(words), '<x k="a"/>') == ["a1"]


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ('<rule context="h:x"><report test="1"/></rule>', "report is not known here"),
        (said("h:x", "matches(@k, 'a')"), "no function matches"),
        (said("h:x", "@k ="), "is no XPath 1.0"),
        (said("h:x", "document('other.xml')/h:codes"), "other.xml: it is missing"),
        (said("h:x", "document(@href)/h:codes"), "in a way not known"),
        ('<rule context="h:x"><extends rule="no"/></rule>', "no rule no to extend"),
        ('<rule context="h:x"><let name="n" value="count(h:y)"/></rule>', "let can"),
        ('<let name="n" value="@k"/>', "let can name an attribute"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_is_judged(pattern, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        rules(pattern)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"<schema", "not well-formed"),
        (b"<schema/>", "no Schematron"),
        (NEWER, "XPath 1.0"),
    ],
)
def test_a_file_of_another_kind_is_refused(text, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        Schematron(text, {})


@pytest.fixture(scope="module")
def published():
    vocabulary = {"voc.xml": shared("cda", "sch", "voc.xml").read_bytes()}
    rules = shared("cda", "sch", RULES).read_bytes()
    return Schematron(rules, vocabulary)


@pytest.fixture(scope="module")
def written():
    return document("ccd", *list(everything().values())[1:]).document


SPOILED = (
    *("drop a header element", "drop a required section", "drop a status"),
    *("drop a time", "drop an id", "wrong section code", "another template extension"),
)
"""The classes of faults that the rules see; schema and own checks see the others."""


@pytest.mark.parametrize("name", SPOILED)
def test_an_independent_reader_of_the_rules_finds_the_same(name, published, written):
    root = etree.fromstring(written)
    CLASSES[name](root, random.Random(7))  # noqa: S311 - which place is spoiled

    theirs, _ = validator().schematron("r2.1cg").validate(root.getroottree())

    ours = published.failures(root)
    assert sorted(each.rule for each in ours) == sorted(each.check for each in theirs)


def test_lxml_s_own_style_sheets_find_the_same(written):
    schema = etree.fromstring(shared("cda", "sch", RULES).read_bytes())
    about_ccd = {
        pattern.get("id")
        for pattern in schema.iter("{*}pattern")
        if any("10.20.22.1.2'" in r.get("context", "") for r in pattern.iter("{*}rule"))
    }
    for phase in schema.iter("{*}phase"):
        for each in list(phase):  # a sheet of all of them takes seconds to make
            if each.get("pattern") not in about_ccd:
                phase.remove(each)
    root = etree.fromstring(written)
    CLASSES["drop a required section"](root, random.Random(3))  # noqa: S311
    ours = Schematron(etree.tostring(schema), {"voc.xml": b"<none/>"})

    isoschematron = importlib.import_module("lxml.isoschematron")  # it has no types
    sheets = isoschematron.Schematron(
        schema, validate_schema=False, phase="errors", store_report=True
    )

    assert not sheets.validate(root)
    failed = sheets.validation_report.iter("{*}failed-assert")
    theirs = sorted(each.get("id", "") for each in failed)
    assert sorted(each.rule for each in ours.failures(root)) == theirs
