"""Sign-in at the site's identity provider: OpenID Connect, code flow with PKCE.

What an ID token must say is read in one place, so that a token of another kind, for
another client, of another sign-in or out of time opens nothing.

Spec:
    security.md S07; OpenID Connect Core 1.0, 3.1.3.7; RFC 7636.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from authlib.common.security import generate_token
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from httpx import HTTPError, request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from engine.console.permissions import grants_of
from engine.errors import ConfigurationError
from engine.settings import Settings

ALGORITHMS: Final = ["RS256", "PS256", "ES256"]
_LEEWAY: Final = 60
_TIMEOUT: Final = 5.0
_LONGEST: Final = 64
Claims = Mapping[str, Any]


class Refused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """The provider did not say who somebody is, or not in a way that counts."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Where people sign in, and what their groups stand for here.

    ``roles`` and ``tags`` go from the words of the claim ``groups`` to ours.
    """

    issuer: str
    client_id: str
    client_secret: str
    groups: str
    names: str
    scope: str
    roles: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the provider says somebody is, in our words."""

    external: str
    name: str
    grants: tuple[str, ...]
    tags: tuple[str, ...]


def provider_of(settings: Settings) -> Provider | None:
    """Return the provider of ``[oidc]``; None where there is none.

    Raises:
        ConfigurationError: something is missing, unsafe, or no role of ours.
    """
    told = settings.oidc
    if not told:
        return None
    missing = {"issuer", "client-id", "client-secret", "roles"} - told.keys()
    if missing:
        raise ConfigurationError(f"oidc: {', '.join(sorted(missing))} is missing")
    issuer = str(told["issuer"]).rstrip("/")
    if not _is_safe(issuer):
        raise ConfigurationError(f"oidc.issuer: {issuer} does not begin with https://")
    roles, tags = told["roles"], told.get("tags", {})
    if not isinstance(roles, dict) or not isinstance(tags, dict):
        raise ConfigurationError("oidc.roles and oidc.tags are tables: GROUP = ROLE")
    try:
        grants_of(map(str, roles.values()))
    except ValueError as error:
        raise ConfigurationError(f"oidc.roles: {error} is no role") from error
    return Provider(
        issuer,
        str(told["client-id"]),
        str(told["client-secret"]),
        str(told.get("groups", "groups")),
        str(told.get("name", "preferred_username")),
        str(told.get("scope", "openid profile")),
        roles,
        tags,
    )


def _is_safe(address: str) -> bool:
    parts = urlsplit(address)
    loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    return parts.scheme == "https" or (parts.scheme == "http" and loopback)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a sign-in began with; all of it comes back, or nothing is opened."""

    state: str
    nonce: str
    verifier: str


def begin(provider: Provider, back: str) -> tuple[str, Asked]:
    """Return the address to send a browser to, and what to keep meanwhile.

    Raises:
        Refused: the provider does not answer.
    """
    asked = Asked(*(generate_token(48) for _ in range(3)))
    place = _fetch(f"{provider.issuer}/.well-known/openid-configuration")
    address: str = prepare_grant_uri(
        str(place["authorization_endpoint"]),
        provider.client_id,
        "code",
        redirect_uri=back,
        scope=provider.scope,
        state=asked.state,
        nonce=asked.nonce,
        code_challenge=create_s256_code_challenge(asked.verifier),
        code_challenge_method="S256",
    )
    return address, asked


def end(
    provider: Provider, back: str, asked: Asked, code: str, now: datetime
) -> Identity:
    """Return who has signed in, for the code that a browser came back with.

    Raises:
        Refused: the provider does not answer, or what it says does not count.
    """
    place = _fetch(f"{provider.issuer}/.well-known/openid-configuration")
    keys = _fetch(str(place["jwks_uri"]))
    told = _fetch(
        str(place["token_endpoint"]),
        grant_type="authorization_code",
        code=code,
        redirect_uri=back,
        code_verifier=asked.verifier,
        auth=(provider.client_id, provider.client_secret),
    )
    claims = claims_of(provider, str(told.get("id_token", "")), keys, asked.nonce, now)
    return identity_of(provider, claims)


def _fetch(address: str, *, auth: tuple[str, str] | None = None, **form: str) -> Claims:
    """Return what the provider says at an address; with a form it is asked by POST."""
    if not _is_safe(address):
        raise Refused("the provider names an address without https")
    method = "POST" if form else "GET"
    try:
        answer = request(method, address, data=form, auth=auth, timeout=_TIMEOUT)
        answer.raise_for_status()
        found: Claims = answer.json()
    except (HTTPError, ValueError) as error:
        raise Refused("the identity provider does not answer") from error
    return found


def claims_of(
    provider: Provider, token: str, keys: Claims, nonce: str, now: datetime
) -> Claims:
    """Return what an ID token says, when all of it counts.

    Raises:
        Refused: signature, issuer, audience, time or nonce are not as they must be.
    """
    rules = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=_LEEWAY,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": provider.client_id},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        found = jwt.decode(
            token,
            KeySet.import_key_set(keys),  # type: ignore[arg-type]  # JSON of the provider
            algorithms=ALGORITHMS,
        )
        rules.validate(found.claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Refused("the provider's token does not count") from error
    audience, party = found.claims["aud"], found.claims.get("azp", provider.client_id)
    if audience not in (provider.client_id, [provider.client_id]) or (
        party != provider.client_id
    ):
        raise Refused("the provider's token is for another client too")
    return found.claims


def identity_of(provider: Provider, claims: Claims) -> Identity:
    """Return somebody's name, roles and tags in our words.

    Raises:
        Refused: none of the groups stands for a role here.
    """
    told = claims.get(provider.groups, [])
    groups = [told] if isinstance(told, str) else [str(each) for each in told]
    grants = grants_of(
        provider.roles[each] for each in groups if each in provider.roles
    )
    if not grants:
        raise Refused("none of your groups has a role here")
    tags = sorted({provider.tags[each] for each in groups if each in provider.tags})
    name = str(claims.get(provider.names) or claims["sub"])[:_LONGEST]
    external = f"{provider.issuer} {claims['sub']}"
    return Identity(external, name, tuple(grants), tuple(tags) or _all(provider))


def _all(provider: Provider) -> tuple[str, ...]:
    """Return every channel where groups say nothing of channels, else none."""
    return () if provider.tags else ("*",)
