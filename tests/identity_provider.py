"""An identity provider on a port of this machine: it signs whatever it is told to."""

import threading
from base64 import urlsafe_b64encode
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import orjson
from joserfc import jwt
from joserfc.jwk import RSAKey
from typing_extensions import override

KEY = RSAKey.generate_key(2048, {"kid": "one"})
CLIENT = "console"


def signed(claims, key=KEY, algorithm="RS256"):
    """Return an ID token."""
    return jwt.encode({"alg": algorithm, "kid": "one"}, claims, key, [algorithm])


class Provider:
    """Remembers what a browser asked, and answers its code once."""

    def __init__(self):
        self.asked = {}
        self.claims = {"sub": "4711", "preferred_username": "Eve", "groups": ["ops"]}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _answers(self))
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def visit(self, place, now):
        """Be somebody who signs in there; return the query they come back with."""
        asked = {k: v[0] for k, v in parse_qs(urlsplit(place).query).items()}
        at = int(now.timestamp())
        self.asked["code"] = asked["code_challenge"], {
            "iss": self.address, "aud": CLIENT, "iat": at, "exp": at + 300,
            "nonce": asked["nonce"], **self.claims,
        }  # fmt: skip
        return {"code": "code", "state": asked["state"]}

    def token(self, form):
        """Return the answer to a code, or None where the proof does not fit."""
        challenge, claims = self.asked.pop(form["code"][0], ("", {}))
        proof = sha256(form["code_verifier"][0].encode()).digest()
        if urlsafe_b64encode(proof).rstrip(b"=").decode() != challenge:
            return None
        return {"access_token": "x", "token_type": "Bearer", "id_token": signed(claims)}


def _answers(provider):
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            base = provider.address
            known = {
                "/.well-known/openid-configuration": {
                    "issuer": base,
                    "authorization_endpoint": f"{base}/authorize",
                    "token_endpoint": f"{base}/token",
                    "jwks_uri": f"{base}/keys",
                },
                "/keys": {"keys": [KEY.as_dict(private=False)]},
            }
            self.tell(known.get(self.path))

        def do_POST(self):
            size = int(self.headers["Content-Length"])
            self.tell(provider.token(parse_qs(self.rfile.read(size).decode())))

        def tell(self, found):
            self.send_response(200 if found else 400)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(orjson.dumps(found or {"error": "invalid_grant"}))

        @override
        def log_message(self, *_):
            """Say nothing."""

    return Answers


@contextmanager
def identity_provider():
    """Run a provider."""
    provider = Provider()
    thread = threading.Thread(target=provider.server.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        provider.server.shutdown()
        thread.join()
        provider.server.server_close()
