"""Post a document to an HTTP server, and read its answer as an engine does.

Spec:
    protocol.md section 5, the HTTP statuses of each retry class.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from engine.channels.dial import Place
from engine.channels.http_client import HttpAnswer, HttpClient
from engine.errors import (
    CredentialsError,
    DeliveryError,
    NotNowError,
    PermanentError,
    TransientError,
)

LONGEST_RETRY_AFTER: Final = 3600.0
_TRANSIENT: Final = frozenset({408, 425, 429})
_CREDENTIALS: Final = frozenset({401, 403})
_LOCKED: Final = 409
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """One URL, taken apart once."""

    place: Place
    path: str
    host: str

    @classmethod
    def of(cls, url: str) -> "Target":
        """Return what ``url`` says; it has a scheme and a host."""
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
        host = parts.hostname or ""
        shown = parts.netloc.rpartition("@")[2]
        path = parts.path.rstrip("/")
        return cls(
            Place(parts.scheme, host, port),
            path + (f"?{parts.query}" if parts.query else ""),
            shown,
        )


@dataclass(frozen=True, slots=True)
class Poster:
    """Posts to one target with the headers that belong to it."""

    client: HttpClient
    target: Target
    headers: Mapping[str, str] = field(default_factory=dict)

    async def send(
        self,
        content: bytes,
        content_type: str,
        may_leave: Callable[[], None],
        *,
        method: str = "POST",
        below: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Return the answer, whatever its status.

        Raises:
            DeliveryError: there was no answer, or ``may_leave`` raised it at the last
                moment.
        """
        named = {
            "Host": self.target.host,
            "Content-Type": content_type,
            "Content-Length": str(len(content)),
            **self.headers,
            **(headers or {}),
        }
        path = (self.target.path + below) or "/"
        lines = [f"{method} {path} HTTP/1.1"]
        lines += [f"{name}: {_one_line(value)}" for name, value in named.items()]
        head = "\r\n".join(lines).encode("latin-1", "replace")
        request = head + b"\r\n\r\n" + content
        return await self.client.exchange(request, may_leave)


def _nothing(_body: bytes) -> str:
    return ""


def failure_of(
    answer: HttpAnswer, read: Callable[[bytes], str] = _nothing
) -> DeliveryError | None:
    """Return the error an answer stands for; None when the document was taken.

    Args:
        answer: a whole HTTP answer.
        read: gives what the body of a refusal says, in words without patient data.
    """
    status = answer.status
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP success
        return None
    wait = _retry_after(answer)
    return classify(status, read(answer.body), retry_after_seconds=wait)


def classify(
    status: int, told: str = "", *, retry_after_seconds: float = 0.0
) -> DeliveryError:
    """Return the error that an HTTP status other than 2xx stands for."""
    sentence = f"HTTP {status}" + (f": {told}" if told else "")
    code = f"http-{status}"
    if status in _CREDENTIALS:
        return CredentialsError(sentence, code, status=status)
    if status in _TRANSIENT or status >= 500:  # noqa: PLR2004 - HTTP server errors
        return TransientError(
            sentence, code, status=status, retry_after_seconds=retry_after_seconds
        )
    if status == _LOCKED:
        return NotNowError(sentence, code, status=status)
    return PermanentError(sentence, code, status=status)


def authorization(credential: Mapping[str, str]) -> dict[str, str]:
    """Return the header of a ``basic`` or ``bearer`` credential; ``{}`` for none."""
    kind = credential.get("kind", "none")
    if kind == "basic":
        pair = f"{credential.get('user', '')}:{credential.get('password', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    if kind == "bearer":
        return {"Authorization": f"Bearer {credential.get('token', '')}"}
    return {}


def _retry_after(answer: HttpAnswer) -> float:
    """Return the seconds of Retry-After; a date is read by the server's own clock."""
    told = answer.headers.get("retry-after", "")
    if told.isdecimal():
        return min(float(told), LONGEST_RETRY_AFTER)
    try:
        then = parsedate_to_datetime(told)
        now = parsedate_to_datetime(answer.headers.get("date", ""))
        return min(max((then - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)
    except (TypeError, ValueError):
        return 0.0


def _one_line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")
