"""What a person is shown of a document: everything it says, and nothing it can do."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from typing_extensions import override

from engine.transforms.ccda.reading import read_document
from engine.transforms.ccda.viewing import (
    ELEMENTS,
    STYLES,
    header_facts,
    to_html,
    to_lines,
)
from tests.ccda_facts import about, document, note, tree
from tests.ccda_person import everything
from tests.unit.transforms.ccda.test_document_ccda import full

H = "urn:hl7-org:v3"
ALLOWED = {
    *("html", "head", "meta", "title", "body", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("div", "pre", "br", "ol", "ul", "span"),
    *ELEMENTS.values(),
    *STYLES.values(),
}
LAYOUT = {"border", "cellspacing", "cellpadding"}
ATTRIBUTES = {"charset", "http-equiv", "content", "colspan", "rowspan", *LAYOUT}


class Page(HTMLParser):
    """Collects the elements, attributes and text a browser would see."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.said = set(), set(), []
        self.feed(html)

    @override
    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    @override
    def handle_data(self, data):
        self.said.append(data)


def narrative(inside):
    """A document whose one section has this text, markup of a document."""
    return (
        f'<ClinicalDocument xmlns="{H}"><title>T</title><component><structuredBody>'
        f"<component><section><title>S</title><text>{inside}</text></section>"
        "</component></structuredBody></component></ClinicalDocument>"
    ).encode()


def shown(inside):
    return to_html(read_document(narrative(inside)))


def test_every_value_of_our_documents_is_shown():
    root = read_document(full().document)

    page = Page(to_html(root))

    said = " ".join(" ".join(page.said).split())
    lines = "\n".join(line for _, line in to_lines(root))
    for cell in root.iter(f"{{{H}}}td"):
        for text in cell.itertext():
            words = " ".join(str(text).split())
            assert words in said
            assert words in lines
    assert {"Ann Doe", "1980-02-03", "Female"} <= set(page.said)


def test_the_narrative_of_cda_has_its_form():
    html = shown(
        '<list listType="ordered"><item>one</item></list><list><item>two</item></list>'
        '<content styleCode="Bold xRed">strong</content><content>plain</content>'
        '<table><caption>C</caption><tr><td colspan="2">wide</td></tr></table>'
        "a<br/>b<sub>c</sub><renderMultiMedia referencedObject='x'/>"
    )

    assert "<ol><li>one</li></ol><ul><li>two</li></ul>" in html
    assert "<strong>strong</strong><span>plain</span>" in html
    assert '<td colspan="2">wide</td>' in html
    assert "a<br>b<sub>c</sub>[picture]" in html


PAYLOADS = [
    "<script>alert(1)</script>",
    "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>",
    "<linkHtml href='javascript:alert(1)'>click</linkHtml>",
    "<linkHtml href='https://evil.example/?q=\"&gt;&lt;script&gt;'>go</linkHtml>",
    "<table onclick='alert(1)' style='background:url(//x)'><tr><td>x</td></tr></table>",
    "<td colspan='1 onload=alert(1)'>x</td>",
    "<content styleCode='x\" onmouseover=\"alert(1)'>x</content>",
    "<paragraph ID='\"&gt;&lt;img src=x onerror=alert(1)&gt;'>x</paragraph>",
    "<img src='x' onerror='alert(1)'/>",
    "<iframe src='//evil.example'/>",
    "<object data='//evil.example'/>",
    "<renderMultiMedia referencedObject='javascript:alert(1)'/>",
    "<style>@import '//evil.example'</style>",
    "<meta http-equiv='refresh' content='0;url=//evil.example'/>",
    "<base href='//evil.example'/>",
    "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&lt;img src=x onerror=alert(1)&gt;",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml-stylesheet href='//evil.example'?>",
    "<!-- <script>alert(1)</script> -->",
    "<form action='//evil.example'><input/></form>",
    "<paragraph>&#x202e;txt.exe</paragraph>",
]
PLACES = ("{}", "<table><tr><td>{}</td></tr></table>", "<list><item>{}</item></list>")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_in_a_document_can_run_load_or_lead_away(payload, place):
    page = Page(shown(place.format(payload)))

    assert page.tags <= ALLOWED
    assert page.attributes <= ATTRIBUTES


@pytest.mark.parametrize("payload", ["<script>alert(1)</script>", "\"'><img src=x>"])
def test_nothing_in_the_header_can_either(payload):
    person = {**everything()["urn:uuid:00000000-0000-5000-8000-000000000001"]}
    person["name"] = [{"family": payload, "given": [payload]}]
    root = read_document(document(person=person).document)
    for node in root.iter(f"{{{H}}}title"):
        node.text = payload
    for node in root.iter(f"{{{H}}}versionNumber"):
        node.set("value", payload)

    page = Page(to_html(root))

    assert page.tags <= ALLOWED
    assert page.attributes <= ATTRIBUTES


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(
        st.sampled_from(["script", "table", "td", "a", "content", "img", "linkHtml"]),
        min_size=1,
        max_size=6,
    ),
    value=st.text(
        alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))
    ),
)
def test_whatever_stands_in_the_narrative_is_text(names, value):
    root = read_document(narrative(""))
    [place] = root.iterfind(f".//{{{H}}}section/{{{H}}}text")
    for name in names:
        place = etree.SubElement(place, f"{{{H}}}{name}")
        place.set("onclick", value)
        place.set("href", value)
        place.text = value

    page = Page(to_html(root))

    assert page.tags <= ALLOWED
    assert page.attributes <= ATTRIBUTES


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"All <b>is</b> well.\nBye", "text/plain", "All <b>is</b> well."),
        (b"%PDF-1.4 x", "application/pdf", "[application/pdf, 10 bytes]"),
    ],
)
def test_embedded_text_is_shown_and_anything_else_named(data, kind, words):
    root = read_document(document("unstructured", note(data, kind)).document)

    page = Page(to_html(root))

    assert words in "".join(page.said)
    assert words in [line for _, line in to_lines(root)]
    assert "b" not in page.tags


def test_a_reference_in_place_of_content_is_not_followed():
    body = (
        f'<ClinicalDocument xmlns="{H}"><component><nonXMLBody>'
        '<text mediaType="application/pdf"><reference value="//evil.example/x"/></text>'
        "</nonXMLBody></component></ClinicalDocument>"
    )

    assert "[application/pdf elsewhere]" in to_html(read_document(body.encode()))


def test_controls_of_a_terminal_are_not_printed():
    root = read_document(narrative("a\u009b31mred\u202eexe"))

    assert [line for _, line in to_lines(root)] == ["a\ufffd31mred\ufffdexe"]


def test_sections_in_sections_are_shown_below_them():
    section = "<section><title>Inner</title><text>x</text></section>"
    inner = f"</text><component>{section}</component></section>".encode()
    whole = narrative("out").replace(b"</text></section>", inner)

    html = to_html(read_document(whole))

    assert re.search("<h2>S</h2>.*<h3>Inner</h3><div>x</div>", html)


def test_what_a_row_of_a_long_list_says_stands_on_a_line_of_its_own():
    allergy = about("AllergyIntolerance", code={"text": "nuts"})
    root = read_document(document("ccd", allergy).document)

    lines = [line for section, line in to_lines(root) if section.startswith("Allerg")]

    assert len(lines) == 2
    assert lines[1].startswith("nuts |")


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("1980", "1980"),
        ("198002", "1980-02"),
        ("198002030405", "1980-02-03 04:05"),
        ("19800203040506.25-0500", "1980-02-03 04:05:06.25 -05:00"),
        ("198002031", "198002031"),
    ],
)
def test_a_time_of_the_header_is_read_as_in_a_section(sent, read):
    root = tree(document().document)
    root.find(".//{*}birthTime").set("value", sent)

    assert dict(header_facts(root))["Born"] == read


def test_who_assigned_a_number_is_read_by_name_where_the_document_has_one():
    root = tree(document().document)
    number = root.find(".//{*}patientRole/{*}id")
    bare = dict(header_facts(root))["Patient id"]
    number.set("extension", "100482")
    number.set("assigningAuthorityName", "General Hospital")

    assert number.get("root") in bare
    assert "100482 of General Hospital" in [
        value for label, value in header_facts(root) if label == "Patient id"
    ]
