"""Every page in a real browser: accessible, alone, and deaf to what messages say."""

import gzip
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe

from engine.channels.format.load import load_site
from engine.store import error_queue, journal
from engine.store.journal import Arrival
from tests.browser.conftest import Watched, served
from tests.builders import adt_a01
from tests.databases import empty_database
from tests.sites import NOON, busy_site, site_with_doubt

PAGES = (
    *("/", "/messages", "/messages?state=held", "/messages?state=eror", "/messages/1"),
    *("/messages/2", "/messages/1?tab=received", "/messages/1?tab=sent"),
    *("/messages/1?tab=history", "/messages/999", "/work", "/work?kind=mismatch"),
    *("/account", "/account/totp", "/account/confirm", "/account/emergency"),
    *("/users", "/users/ana", "/audit", "/audit?actor=nobody"),
    *("/work?kind=parked", "/work?kind=waiting", "/work/errors/{group}"),
    *("/alerts", "/alerts?kind=rules", "/alerts?kind=history"),
    "/alerts?kind=maintenance",
    *("/bench", "/bench?sample=Admit", "/tables", "/tables/sex?edit=F"),
    *("/tables/sex?tab=unmapped", "/tables/sex?tab=history"),
    *("/channels", "/channels/adt?tab=messages", "/channels/adt", "/?tv=1"),
    *("/system", "/system?tab=store", "/system?tab=settings"),
)
EMPTY = (
    "/",
    "/channels",
    "/messages",
    "/work",
    "/work?kind=mismatch",
    "/work?kind=parked",
)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<svg onload=alert(1)>",
    "<iframe src=https://evil.example/></iframe>",
    "javascript:alert(1)",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "<style>@import url(https://evil.example/x.css)</style>",
    "<a href=javascript:alert(1) autofocus onfocus=alert(1)>x</a>",
    "</pre><script>alert(1)</script>",
    "'-alert(1)-'",
)
MOST_BYTES = 100_000


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    database = busy_site(tmp_path_factory.mktemp("busy")).database("console")
    with served(database) as here:
        yield here


@pytest.fixture
def empty(tmp_path):
    with served(empty_database("sqlite", tmp_path)) as here:
        yield here


def browser_at(chromium, here, theme="light", **options):
    context = chromium.new_context(color_scheme=theme, **options)
    return Watched(context.new_page(), here.address)


def group_of(here):
    with here.database.reading() as connection:
        return error_queue.groups(connection)[0].key


def faults_of(page):
    found = Axe().run(page).response["violations"]
    return [(each["id"], [n["target"] for n in each["nodes"]]) for each in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_shuts_anybody_out_or_asks_another_host(chromium, busy, theme):
    watched = browser_at(chromium, busy, theme)
    watched.sign_in(busy.code())

    for path in PAGES:
        page = watched.visit(path.format(group=group_of(busy)))
        assert faults_of(page) == [], path
        assert page.locator("h1").count() == 1, path
        assert page.title().endswith("· Interop Engine"), path
        assert len(gzip.compress(page.content().encode())) < MOST_BYTES
    assert watched.complaints == []


def test_S05_a_passkey_is_made_and_lets_its_holder_in(chromium, empty):
    here = replace(empty, address=empty.address.replace("127.0.0.1", "localhost"))
    watched = browser_at(chromium, here)
    tools = watched.page.context.new_cdp_session(watched.page)
    tools.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
               "hasUserVerification": True, "isUserVerified": True}  # fmt: skip
    tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    watched.sign_in(here.code())
    page = watched.visit("/account")
    page.fill("#passkey-label", "my laptop")
    page.click("button[data-passkey=make]")
    page.wait_for_selector("td:text('my laptop')")
    page.click("text=Sign out")
    page.click("button[data-passkey=use]")
    page.wait_for_url(f"{here.address}/")

    assert watched.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_empty_page_says_why_and_what_to_do(chromium, empty, theme):
    watched = browser_at(chromium, empty, theme)
    watched.sign_in(empty.code())

    for path in EMPTY:
        page = watched.visit(path)
        assert faults_of(page) == [], path
    assert "interop send" in watched.visit("/").content()
    assert watched.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_part_of_a_channel_message_and_person_is_read_by_everybody(
    chromium, tmp_path, theme
):
    site = site_with_doubt(tmp_path)
    loaded = load_site(site.config, None, {})
    with served(site.database("console"), site=loaded) as here:
        watched = browser_at(chromium, here, theme)
        watched.sign_in(here.code())
        for tab in ("flow", "queues", "config", "tests", "contract", "connections"):
            page = watched.visit(f"/channels/hospital-adt?tab={tab}")
            assert faults_of(page) == [], tab
        page = watched.page
        for tab in ("fhir", "why&at=Patient.name", "trace", "edited", "answers"):
            page = watched.visit(f"/messages/1?tab={tab}")
            assert faults_of(page) == [], tab
        person = page.get_attribute("dd a[href^='/patients/']", "href")
        for tab in ("", "?tab=timeline", "?tab=links", "?tab=disclosures"):
            assert faults_of(watched.visit(f"{person}{tab}")) == [], tab
        assert faults_of(watched.visit("/patients")) == []
        watched.visit("/channels/hospital-adt")
        watched.page.keyboard.press("h")
        watched.page.wait_for_url("**tab=history")

    assert watched.complaints == []


def test_what_is_typed_at_the_bench_is_painted_as_text_and_never_as_markup(
    chromium, empty
):
    watched = browser_at(chromium, empty, "light")
    watched.sign_in(empty.code())
    page = watched.visit("/bench")
    typed = 'MSH|^~\\&|A\nPID|1||""|<img src=x onerror=alert(1)>\\F\\~b'
    page.fill("#text", typed)

    assert page.text_content("#paint") == typed + "\n"
    assert page.locator("#paint .segment").all_text_contents() == ["MSH", "PID"]
    assert page.locator("#paint .null").all_text_contents() == ['""']
    assert page.locator("#paint .escape").all_text_contents() == ["\\F\\"]
    assert watched.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_doubt_is_read_and_decided_by_everybody(chromium, tmp_path, theme):
    with served(site_with_doubt(tmp_path).database("console")) as here:
        watched = browser_at(chromium, here, theme)
        watched.sign_in(here.code())
        page = watched.visit("/work/mismatch/1?preview=same")
        faults = faults_of(page)
        page.fill("main input[name=reason]", "same passport")
        page.click("text=Same person >> nth=-1")
        page.wait_for_selector("text=Undo this decision")

    assert faults == []
    assert watched.complaints == []


def test_work_is_done_without_a_script(chromium, empty):
    watched = browser_at(chromium, empty, java_script_enabled=False)
    watched.sign_in(empty.code())

    page = watched.visit("/messages")
    page.fill("#query", "patient:100482")
    page.click("main button")
    assert "/messages?q=" in page.url
    assert "100482" not in page.url
    page.click("text=Sign out")
    assert page.url.endswith("/sign-in")


def test_the_keyboard_leads_from_the_overview_to_the_failing_message(chromium, busy):
    watched = browser_at(chromium, busy)
    watched.sign_in(busy.code())
    page = watched.visit("/")

    for key in ("g", "w"):
        page.keyboard.press(key)
    page.wait_for_url("**/work")
    for key in ("j", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("**/work/errors/*")
    for key in ("j", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("**/messages/*")
    page.keyboard.press("?")

    assert page.locator("dialog[open]").count() == 1
    assert watched.complaints == []


def test_a_message_is_chosen_with_the_keyboard_and_held_from_the_list(
    chromium, tmp_path
):
    with served(busy_site(tmp_path).database("console")) as here:
        watched = browser_at(chromium, here)
        watched.sign_in(here.code())
        page = watched.visit("/messages")
        for key in ("j", "j", "x"):
            page.keyboard.press(key)
        assert page.locator("input:checked").get_attribute("value") == "2 error 1"
        assert faults_of(page) == []

        page.fill("main input[name=reason]", "the ward asks")
        page.click("button:text('Hold')")

        assert "Is held for ana" in watched.visit("/messages/2").content()
        assert watched.complaints == []


def test_arrows_walk_the_stops_of_a_drawn_flow(chromium, tmp_path):
    own = site_with_doubt(tmp_path)
    found = load_site(own.config, None, {})
    with served(own.database("console"), site=found) as here:
        watched = browser_at(chromium, here)
        watched.sign_in(here.code())
        stops = watched.visit("/channels/hospital-adt").locator("svg.drawn a")

        stops.first.focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
            watched.page.keyboard.press(key)

        assert stops.nth(1).evaluate("stop => stop === document.activeElement")
        assert watched.complaints == []


@pytest.mark.parametrize("width", [375, 1280])
def test_what_to_do_with_a_delivery_is_in_sight(chromium, busy, width):
    watched = browser_at(chromium, busy, viewport={"width": width, "height": 900})
    watched.sign_in(busy.code())

    button = watched.visit("/messages/3").locator("button:text('Send again')")

    place = button.bounding_box()
    assert place["x"] + place["width"] < width


def test_the_widest_address_fits_into_its_box(chromium, tmp_path):
    own = site_with_doubt(tmp_path)
    found = load_site(own.config, None, {})
    [adt] = [each for each in found.channels if each.name == "hospital-adt"]
    assert adt.source.mllp is not None
    wide = replace(adt.source.mllp, host="255.255.255.255", port=65535)
    adt = replace(adt, source=replace(adt.source, mllp=wide))
    with served(own.database("console"), site=replace(found, channels=(adt,))) as here:
        watched = browser_at(chromium, here)
        watched.sign_in(here.code())
        source = watched.visit("/channels/hospital-adt").locator("svg .stop").first

        box = source.locator("rect").bounding_box()
        said = source.locator("text:has-text('255.255.255.255:65535')").bounding_box()

    assert box["x"] < said["x"]
    assert said["x"] + said["width"] < box["x"] + box["width"]


def test_S26_nothing_a_message_says_is_run(chromium, tmp_path):
    database = empty_database("sqlite", tmp_path)
    segments = "".join(f"NTE|{n}||{text}\r" for n, text in enumerate(HOSTILE))
    contents = [adt_a01() + segments.encode(), *map(str.encode, HOSTILE[1:])]
    arrivals = [
        Arrival("adt", "mllp", "peer", NOON, data, control_id=text, message_type=text)
        for text, data in zip(HOSTILE, contents, strict=True)
    ]
    with database.journal() as connection:
        journal.append(connection, database.sealer, arrivals)
    with served(database) as here:
        watched = browser_at(chromium, here)
        watched.sign_in(here.code())
        watched.visit("/messages")
        for number in range(1, len(arrivals) + 1):
            watched.visit(f"/messages/{number}")
            watched.visit(f"/messages/{number}?tab=received")

    assert watched.complaints == []
