"""Templates: values in, escaped HTML out.

Spec:
    console.md 2 (time, layout) and 5 (traps); security.md S26 and S37.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from engine.channels.processing.rendering import CDA_XML, FHIR_JSON, HL7
from engine.console import navigation
from engine.console.ages import age
from engine.console.differing import in_words, parts_of
from engine.console.permissions import Permission
from engine.console.queries.patient import said
from engine.console.surroundings import (
    caller,
    is_away,
    limits,
    session,
    surroundings,
)
from engine.identity.decision import MEANINGS, Reason
from engine.identity.enterprise_identifier import handle_of
from engine.store import sessions
from engine.store.sessions import Session

THEMES: Final = ("light", "dark")
THEME_COOKIE: Final = "theme"
TOUR_COOKIE: Final = "tour"
TOUR_CLOSED: Final = "closed"


def page(
    request: Request, template: str, status: int = HTTPStatus.OK, /, **values: object
) -> Response:
    """Return a template as an answer; a request of htmx gets its ``rows`` alone."""
    here = surroundings(request)
    context = {
        "request": request,
        "now": here.now(),
        "zone": here.settings.zone,
        "node": here.settings.node_name,
        "who": caller(request),
        "navigation": navigation.groups(caller(request), request.url.path),
        "theme": request.cookies.get(THEME_COOKIE, ""),
        "csrf": getattr(request.state, "csrf", ""),
        "session": session(request),
        "emergencies": _emergencies(request),
        "idle_seconds": int(here.settings.console_session_idle.total_seconds()),
        "live": "",
        "as_of": None,
        "tv": False,
        "tour": here.settings.console_tour
        and request.cookies.get(TOUR_COOKIE) != TOUR_CLOSED,
        **values,
    }
    found = _environment().get_template(template)
    if request.headers.get("hx-target") in found.blocks:
        block = found.blocks[request.headers["hx-target"]]
        return HTMLResponse("".join(block(found.new_context(context))), int(status))
    return HTMLResponse(found.render(context), int(status))


def _emergencies(request: Request) -> list[Session]:
    """Return who has emergency access, for those who answer for it (S12)."""
    here, who = surroundings(request), caller(request)
    if is_away(request):
        return []
    if not (who.may(Permission.ADMINISTER) or who.may(Permission.READ_AUDIT)):
        return []
    with here.database.reading() as connection:
        return sessions.emergencies(connection, limits(here), here.now())


def plain_page(
    request: Request, template: str, status: int = HTTPStatus.OK, /, **values: object
) -> Response:
    """Return a page for somebody we do not know yet."""
    theme = request.cookies.get(THEME_COOKIE, "")
    found = _environment().get_template(template)
    provider = bool(surroundings(request).settings.oidc)
    shown = found.render(theme=theme, provider=provider, **values)
    return HTMLResponse(shown, int(status))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("engine.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "moment": moment,
        "clock": clock,
        "day_of": day_of,
        "person": person,
        "issuer": issuer,
        "age": _age,
        "count": count,
        "plural": plural,
        "state": state,
        "words": words,
        "because": because,
        "form_of": form_of,
    }
    made.globals |= {"asset": asset, "cell": cell, "token": token, "said": said}
    made.globals |= {"parts_of": parts_of, "difference": in_words}
    return made


SYMBOLS: Final = {
    **dict.fromkeys(("running", "processed", "delivered", "decided"), ("✓", "ok")),
    **dict.fromkeys(("paused", "held", "silent"), ("⏸", "warn")),
    **dict.fromkeys(("error", "failed"), ("✕", "error")),
    **dict.fromkeys(("received", "queued", "open"), ("•", "")),
    "leased": ("→", ""),
    **dict.fromkeys(("stopped", "filtered", "discarded", "undone"), ("○", "")),
}
"""State: symbol and colour class; the word stands beside them, so colour is never
the only sign."""


_STATE: Final = Markup(
    '<span class="state %s"><span aria-hidden="true">%s</span>%s</span>'
)
_BECAUSE: Final = Markup("%s <code>%s</code>")
_PERSON: Final = Markup(
    '<span class="mono">%s</span> <span class="muted nowrap">%s</span>'
)
_FORMS: Final = {FHIR_JSON: "FHIR", HL7: "HL7 v2", CDA_XML: "C-CDA"}
_SKEW: Final = timedelta(seconds=1)
_CELL: Final = Markup('<span id="%s">%s</span>')
"""Filled in by ``%``: pages hold thousands, and `format` takes four times as long."""


def state(word: str) -> Markup:
    """Return a state as symbol, word and colour."""
    symbol, colour = SYMBOLS.get(word, ("•", ""))
    return _STATE % (colour, symbol, word)


@pass_context
def token(context: Context) -> Markup:
    """Return the hidden field that proves that a form came from our page."""
    if not context["csrf"]:
        return Markup()
    return Markup('<input type="hidden" name="csrf" value="{}">').format(
        context["csrf"]
    )


@pass_context
def cell(context: Context, name: str) -> Markup:
    """Return what may change while the page stands open, in an element of its own."""
    return _CELL % (name, context["cells"][name])


@pass_context
def moment(context: Context, at: datetime | None) -> Markup:
    """Return an instant in the site's time, UTC on hover, and its age."""
    if at is None:
        return Markup("-")
    local = at.astimezone(context["zone"])
    exact = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return Markup(
        '<time datetime="{}" title="{}">{}</time> <span class="muted">{}</span>'
    ).format(exact, exact, local.strftime("%Y-%m-%d %H:%M:%S"), _age(context, at))


@pass_context
def clock(context: Context, at: datetime) -> str:
    """Return the time of day of an instant, in the site's time."""
    return at.astimezone(context["zone"]).strftime("%H:%M")


@pass_context
def day_of(context: Context, at: datetime) -> str:
    """Return the day of an instant, in the site's time."""
    return at.astimezone(context["zone"]).strftime("%Y-%m-%d")


@pass_context
def issuer(context: Context, key: str) -> str:
    """Return an assigning authority by the name the site knows it by, else its URI."""
    spoken = surroundings(context["request"]).directory.spoken
    name, _ = spoken.get(key, ("", ""))
    return name or key


def person(eid: str) -> Markup:
    """Return an enterprise identifier with the handle people say, or a hyphen."""
    return _PERSON % (eid, handle_of(eid)) if eid else Markup("-")


def because(reason: str) -> str:
    """Return a reason in words, its code beside; what a person wrote as it is."""
    known = reason in set(Reason)
    return _BECAUSE % (MEANINGS[Reason(reason)], reason) if known else reason


def form_of(content_type: str) -> str:
    """Return the form of a document as people call it.

    Examples:
        >>> form_of("application/fhir+json"), form_of("text/plain")
        ('FHIR', 'text/plain')
    """
    return _FORMS.get(content_type, content_type)


@pass_context
def _age(context: Context, at: datetime | None) -> str:
    if at is None:
        return "-"
    now = context["now"]
    return f"in {age(now, at)}" if at > now + _SKEW else f"{age(at, now)} ago"


def count(number: int) -> str:
    """Return a number as people read it.

    Examples:
        >>> count(12345)
        '12,345'
    """
    return f"{number:,}"


def plural(number: int, one: str, many: str = "") -> str:
    """Return a count and its noun.

    Examples:
        >>> plural(1, "message"), plural(3, "entry", "entries")
        ('1 message', '3 entries')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


@cache
def asset(name: str) -> str:
    """Return the address of a static file; it changes with its content."""
    content = files("engine.console").joinpath("static", name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


def words(values: Iterable[str]) -> str:
    """Return values as a sentence lists them.

    Examples:
        >>> words(["one", "two", "three"])
        'one, two and three'
    """
    *first, last = values
    return f"{', '.join(first)} and {last}" if first else last
