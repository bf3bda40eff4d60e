"""Who asks: the caller behind a request, known by a token or by a session.

Spec:
    security.md S01, S08, S09 and S13.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from typing import Final, NamedTuple

import structlog
from starlette.requests import Request
from starlette.responses import Response

from engine.channels.alerts.emergencies import raise_alarm
from engine.console.masking import seen_by
from engine.console.permissions import (
    Caller,
    Permission,
    Role,
    as_role,
    channels_of,
    in_this_light,
    permitted,
)
from engine.console.surroundings import Surroundings, limits, surroundings
from engine.hl7.masking_profile import NOTHING, MaskingProfile
from engine.store import audit, sessions, tokens
from engine.store.accounts import Account
from engine.store.audit import Act
from engine.store.sessions import Arrival, Session

BEARER: Final = b"bearer "
COOKIE: Final = "__Host-session"
EMERGENCY: Final = "sign-in.emergency"
"""A local account was used although there is an identity provider."""

UNATTENDED: Final = "/live"
"""What a page asks by itself: it keeps nobody signed in."""

_log = structlog.get_logger()
Headers = Iterable[tuple[bytes, bytes]]


class Known(NamedTuple):
    """Somebody we know; ``csrf`` is what their forms must carry, empty for a token."""

    caller: Caller
    csrf: str = ""
    session: Session | None = None


def known_by(headers: Headers, path: str, here: Surroundings) -> Known | None:
    """Return who sent these headers; None where nobody we know did.

    It reads the store, so it runs in a thread.
    """
    sent = list(headers)
    bearer = [value for name, value in sent if name == b"authorization"]
    if bearer:
        return _by_token(bearer, here)
    held = session_in(sent)
    return _by_session(held, path, here) if held else None


def _by_token(sent: list[bytes], here: Surroundings) -> Known | None:
    if len(sent) != 1 or sent[0][: len(BEARER)].lower() != BEARER:
        return None
    secret = sent[0][len(BEARER) :].strip().decode("latin-1")
    given = here.settings.metrics_token
    if given and compare_digest(secret.encode(), given.encode()):
        return Known(Caller("metrics.token", frozenset({Permission.READ_METRICS})))
    with here.database.reading() as connection:
        token = tokens.holder(connection, secret, here.now())
    if token is None:
        return None
    channels = channels_of(token.tags, here.tags)
    name = f"token {token.id} {token.name}"
    seen = seen_by(token.permissions, here.settings)
    return Known(Caller(name, permitted(token.permissions), channels, seen))


def _by_session(held: str, path: str, here: Surroundings) -> Known | None:
    now = here.now()
    with here.database.reading() as connection:
        found = sessions.holder(connection, held, limits(here), now)
    if found is None:
        return None
    session, in_use = found
    if in_use and not path.startswith(UNATTENDED):
        with here.database.engine() as connection:
            sessions.touch(connection, held, now)
    return Known(_caller(session, here, now), csrf_of(held), session)


def _caller(session: Session, here: Surroundings, now: datetime) -> Caller:
    """Return what somebody may do now: as themselves, as a role, in an emergency."""
    role = Role(session.viewed_as) if session.viewed_as else None
    seen = as_role(permitted(session.account.grants), role)
    glass = role is None and has_glass(session, now)
    permissions = in_this_light(seen, glass=glass, masked=session.masked)
    channels = channels_of(session.account.tags, here.tags)
    profile = _profile(session, here, role)
    return Caller(session.account.name, permissions, channels, profile)


def _profile(session: Session, here: Surroundings, role: Role | None) -> MaskingProfile:
    """Return what somebody sees of masked messages; a role's view shows no more."""
    grants = session.account.grants
    if session.masked:
        return NOTHING
    if role is None:
        return seen_by(grants, here.settings)
    may = Permission.VIEW_PHI in permitted(grants)
    return seen_by({role}, here.settings) if may else NOTHING


def has_glass(session: Session, now: datetime) -> bool:
    """Whether emergency access is open."""
    return session.glass_until is not None and now < session.glass_until


def sign_in(request: Request, whose: Account, means: str, answer: Response) -> Response:
    """Begin a session and hand it to the browser with this answer."""
    here = surroundings(request)
    arrival = Arrival(means, address_of(request), here.now())
    with here.database.engine() as connection:
        held = sessions.begin(
            connection, here.database.sealer, whose, limits(here), arrival
        )
        if here.settings.oidc and not whose.external:
            act = Act(here.now(), whose.name, EMERGENCY, f"user {whose.name}", means)
            audit.write(connection, here.database.sealer, [act])
            sentence = f"{whose.name} signed in past the identity provider"
            what = f"sign-in of {whose.name}"
            raise_alarm(connection, here.settings, what, sentence, here.now())
            _log.warning("emergency_sign_in", user=whose.name)
    answer.set_cookie(COOKIE, held, secure=True, httponly=True, samesite="strict")
    return answer


def address_of(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client else ""


def session_in(headers: Headers) -> str:
    """Return what the browser holds, or nothing."""
    return cookie_in(headers, COOKIE)


def cookie_in(headers: Headers, name: str) -> str:
    """Return a cookie's value, or nothing."""
    text = "; ".join(v.decode("latin-1") for kind, v in headers if kind == b"cookie")
    try:
        found = SimpleCookie(text).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def csrf_of(held: str) -> str:
    """Return what the forms of a session carry: it tells nothing of the session."""
    return hashlib.sha256(b"csrf|" + held.encode()).hexdigest()
