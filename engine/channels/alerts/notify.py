"""Telling people: by e-mail and by signed webhook. No patient data ever gets here.

Spec:
    console.md S12 (targets).
"""

import hashlib
import hmac
import smtplib
import ssl
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Final
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson
import structlog
from typing_extensions import override

from engine.channels.alerts.settings import AlertSettings, Mail, Target
from engine.store.incidents import Notice

PATIENCE_SECONDS: Final = 10
MOST_TRIES: Final = 12
"""Of one notice: with waits that double up to an hour, half a day."""

_FIRST_WAIT: Final = timedelta(minutes=1)
_LONGEST_WAIT: Final = timedelta(hours=1)
SIGNATURE: Final = "Interop-Signature"
"""``t=UNIX SECONDS,v1=HEX``: HMAC-SHA256 of the seconds, a dot and the body."""

_log = structlog.get_logger()
_WORDS: Final = {"begins": "", "ends": "Over: ", "goes on": "Still: ", "test": "Test: "}
REFUSALS: Final = (OSError, smtplib.SMTPException, URLError, ValueError)


def tell(notice: Notice, settings: AlertSettings, now: datetime) -> Notice:
    """Tell a contact, target after target until one takes it; return how it ended.

    What none of them takes is due again later, at last no more.
    """
    refused: list[str] = []
    for target in settings.targets.get(notice.contact, ()):
        try:
            send(notice, target, settings, now)
        except REFUSALS as error:
            reason = type(error).__name__
            refused.append(f"{target.kind} {target.address}: {reason}")
            _log.warning("notice_refused", contact=notice.contact, error=reason)
        else:
            trouble = "; ".join(refused)
            return replace(notice, state="sent", sent_at=now, trouble=trouble)
    trouble = "; ".join(refused) or "the contact has no target"
    tries = notice.tries + 1
    if tries >= MOST_TRIES:
        return replace(notice, state="failed", tries=tries, trouble=trouble)
    wait = min(_FIRST_WAIT * 2 ** (tries - 1), _LONGEST_WAIT)
    return replace(notice, tries=tries, trouble=trouble, due_at=now + wait)


def send(
    notice: Notice, target: Target, settings: AlertSettings, now: datetime
) -> None:
    """Tell one target.

    Raises:
        OSError: (and the others of `REFUSALS`) it was not told.
    """
    if target.kind == "email":
        _mail(message_of(notice, target, settings), settings.mail)
    else:
        _post(notice, target, settings, now)


def message_of(notice: Notice, target: Target, settings: AlertSettings) -> EmailMessage:
    """Return the e-mail that tells of an incident."""
    message = EmailMessage()
    subject = f"[{settings.site}] {_WORDS[notice.told]}{notice.sentence}"
    message["Subject"] = " ".join(subject.split())[:200]
    message["From"] = settings.mail.sender
    message["To"] = target.address
    if notice.incident:
        thread = f"<incident-{notice.incident}@{settings.site}>"
        message["References" if notice.told != "begins" else "Message-ID"] = thread
    message.set_content(
        f"{_WORDS[notice.told]}{notice.sentence}\n\n"
        f"Severity: {notice.severity}\nIncident: {notice.incident}\n"
        f"Site: {settings.site}\n\n"
        "The console shows it under Alerts; so does: interop alerts list\n"
    )
    return message


def _mail(message: EmailMessage, mail: Mail) -> None:
    if not mail.host:
        raise ValueError("no mail server: set server under [smtp] in interop.toml")
    context = ssl.create_default_context()
    made = (
        smtplib.SMTP_SSL(
            mail.host, mail.port, timeout=PATIENCE_SECONDS, context=context
        )
        if mail.security == "tls"
        else smtplib.SMTP(mail.host, mail.port, timeout=PATIENCE_SECONDS)
    )
    with made as server:
        if mail.security == "starttls":
            server.starttls(context=context)
        if mail.user:
            server.login(mail.user, mail.password)
        server.send_message(message)


class _Stay(HTTPRedirectHandler):
    """What is said to one host goes to no other."""

    @override
    def redirect_request(self, *_: object) -> None:
        """Follow nowhere."""


def body_of(notice: Notice, settings: AlertSettings) -> bytes:
    """Return what a webhook is told, as JSON."""
    return orjson.dumps(
        {
            "site": settings.site,
            "incident": notice.incident,
            "event": notice.told,
            "severity": notice.severity,
            "text": f"{_WORDS[notice.told]}{notice.sentence}",
        }
    )


def signature(secret: str, body: bytes, at: datetime) -> str:
    """Return what proves to whoever knows the secret that a body is ours, and when."""
    seconds = int(at.timestamp())
    signed = f"{seconds}.".encode() + body
    mark = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={mark}"


def _post(
    notice: Notice, target: Target, settings: AlertSettings, now: datetime
) -> None:
    body = body_of(notice, settings)
    headers = {"Content-Type": "application/json"}
    if target.secret:
        headers[SIGNATURE] = signature(target.secret, body, now)
    request = Request(target.address, body, headers)  # noqa: S310 - http or https
    with build_opener(_Stay).open(request, timeout=PATIENCE_SECONDS):
        pass
