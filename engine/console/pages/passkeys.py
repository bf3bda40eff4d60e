"""Passkeys: a key in the browser, its device or a token, that proves who is there.

One that verifies its user is something held and something known or been: it needs no
password beside it. A challenge is answered once.

Spec:
    security.md S05; WebAuthn Level 2, 7.1 and 7.2.
"""

from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import unquote, urlsplit

import orjson
from fastapi import Body, Header
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from engine.console import entry
from engine.console.pages.account import own
from engine.console.session import sign_in
from engine.console.surroundings import address, caller, surroundings
from engine.store import factors
from engine.store.audit import Order
from engine.store.factors import Factor
from engine.store.words import FactorKind

NEW: Final = "new passkey"
ASKED: Final = "passkey"
_JSON: Final = "application/json"
_REQUIRED: Final = UserVerificationRequirement.REQUIRED
_MOST_LABEL: Final = 64
Credential = dict[str, Any]


def ask_new(request: Request) -> Response:
    """Return what the browser needs to make a passkey."""
    here, whose = surroundings(request), own(request).account
    has = entry.factors_of(request, whose)
    options = generate_registration_options(
        rp_id=_host(request),
        rp_name=f"Interop Engine {here.settings.site}",
        user_id=str(whose.id).encode(),
        user_name=whose.name,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_REQUIRED
        ),
        exclude_credentials=[
            PublicKeyCredentialDescriptor(base64url_to_bytes(each.handle))
            for each in has
            if each.kind is FactorKind.PASSKEY
        ],
    )
    content = {"challenge": bytes_to_base64url(options.challenge), "for": whose.id}
    shown = Response(options_to_json(options), media_type=_JSON)
    return entry.begin(request, NEW, content, shown)


def keep_new(
    request: Request,
    credential: Annotated[Credential, Body()],
    label: Annotated[str, Header(alias="x-label")] = "",
) -> Response:
    """Keep a passkey that the browser has made for this account."""
    here, whose = surroundings(request), own(request).account
    content = entry.under_way(request, NEW, once=True)
    if content is None or content["for"] != whose.id:
        raise HTTPException(HTTPStatus.CONFLICT, entry.REFUSED)
    try:
        made = verify_registration_response(
            credential=credential,
            expected_challenge=base64url_to_bytes(content["challenge"]),
            expected_rp_id=_host(request),
            expected_origin=address(request),
            require_user_verification=True,
        )
    except WebAuthnException as error:
        sentence = "the browser's answer does not fit: try again"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence) from error
    handle = bytes_to_base64url(made.credential_id)
    order = Order(caller(request).name, here.now(), "by oneself")
    with here.database.engine() as connection:
        sealer, key = here.database.sealer, made.credential_public_key
        named = unquote(label).strip()[:_MOST_LABEL]
        factors.add_passkey(connection, sealer, whose, handle, key, named, order)
    return _on("/account")


def ask(request: Request) -> Response:
    """Return a challenge for any passkey of this console."""
    options = generate_authentication_options(
        rp_id=_host(request), user_verification=_REQUIRED
    )
    content = {"challenge": bytes_to_base64url(options.challenge)}
    shown = Response(options_to_json(options), media_type=_JSON)
    return entry.begin(request, ASKED, content, shown)


def enter(request: Request, credential: Annotated[Credential, Body()]) -> Response:
    """Begin a session for who holds the passkey that has signed the challenge."""
    if entry.is_over(request):
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, entry.WAIT)
    content = entry.under_way(request, ASKED, once=True)
    found = _passkey(request, str(credential.get("id", "")))
    whose = found and entry.account_of(request, {"account": found.account})
    if not content or not found or not whose:
        return _refuse(request)
    try:
        count = _count(request, credential, content["challenge"], found)
    except WebAuthnException:
        return _refuse(request, whose.name)
    here = surroundings(request)
    with here.database.engine() as connection:
        factors.note_count(connection, found.id, count)
    return sign_in(request, whose, "passkey", _on("/"))


def _refuse(request: Request, name: str = "") -> Response:
    entry.count_failure(request, name)
    raise HTTPException(HTTPStatus.UNAUTHORIZED, entry.REFUSED)


def _passkey(request: Request, handle: str) -> Factor | None:
    here = surroundings(request)
    with here.database.reading() as connection:
        return factors.passkey(connection, here.database.sealer, handle)


def _count(
    request: Request, credential: Credential, challenge: str, found: Factor
) -> int:
    """Return how often the passkey has signed.

    Raises:
        WebAuthnException: it has not signed this challenge for this console.
    """
    return verify_authentication_response(
        credential=credential,
        expected_challenge=base64url_to_bytes(challenge),
        expected_rp_id=_host(request),
        expected_origin=address(request),
        credential_public_key=found.secret,
        credential_current_sign_count=max(found.used, 0),
        require_user_verification=True,
    ).new_sign_count


def _host(request: Request) -> str:
    return urlsplit(address(request)).hostname or ""


def _on(path: str) -> Response:
    return Response(orjson.dumps({"go": path}), media_type=_JSON)
