"""A passkey in software: answers challenges as a browser and its authenticator do."""

import json
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import bytes_to_base64url, encode_cbor

PRESENT, VERIFIED, ATTESTED = 1, 4, 64


@dataclass
class SoftPasskey:
    """One passkey; ``flags`` says what its device claims of the user."""

    host: str = "localhost"
    origin: str = "http://localhost"
    flags: int = PRESENT | VERIFIED
    handle: bytes = b"a passkey's id of some length"
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def made(self, options):
        """Return what registers this passkey."""
        numbers = self.key.public_key().public_numbers()
        x, y = (each.to_bytes(32) for each in (numbers.x, numbers.y))
        public = encode_cbor({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        place = len(self.handle).to_bytes(2) + self.handle
        told = self._told(self.flags | ATTESTED) + bytes(16) + place + public
        stated = {"fmt": "none", "attStmt": {}, "authData": told}
        return self._credential(
            clientDataJSON=self._client("webauthn.create", options["challenge"]),
            attestationObject=encode_cbor(stated),
        )

    def signed(self, options):
        """Return the answer to a challenge."""
        client = self._client("webauthn.get", options["challenge"])
        told = self._told(self.flags)
        signature = self.key.sign(told + sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._credential(
            clientDataJSON=client, authenticatorData=told, signature=signature
        )

    def _told(self, flags):
        return sha256(self.host.encode()).digest() + bytes([flags]) + bytes(4)

    def _client(self, kind, challenge):
        said = {"type": kind, "challenge": challenge, "origin": self.origin}
        return json.dumps(said).encode()

    def _credential(self, **response):
        name = bytes_to_base64url(self.handle)
        encoded = {key: bytes_to_base64url(value) for key, value in response.items()}
        return {"id": name, "rawId": name, "type": "public-key", "response": encoded}
