"""Content at rest: compressed (zstandard) and sealed (AES-256-GCM), and keyed hashes.

Secrets of 32 bytes lie in a key file outside the store. What does the work are keys
derived from them, one for each purpose. The context a text was sealed in, such as
``delivery|4711|adt``, is authenticated with it: a row moved to another place does not
open there. Its first byte tells the key, so keys may change while earlier texts stay.
"""

import hashlib
import os
from base64 import b32encode
from typing import Final

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.errors import EngineError
from engine.store.key_file import KEY_BYTES, Keys

_NONCE_BYTES: Final = 12
_WORTH_COMPRESSING_BYTES: Final = 160
_SMALL_BYTES: Final = 4096
"""Up to here a compressor with small tables is a third faster. Longer texts are mostly
Bundles, of which level 1 makes 3 % more bytes than level 3 in half the time."""

_MAX_OPENED_BYTES: Final = 1 << 30


class Sealer:
    """Seals and opens content with the keys of a store; for one thread at a time.

    Nonces are random: one key is good for about four thousand million texts.
    """

    __slots__ = (
        "_aeads",
        "_blind",
        "_chain",
        "_compress",
        "_compress_small",
        "_decompress",
        "_keys",
        "_pseudonym",
    )

    def __init__(self, keys: Keys | bytes) -> None:
        self._keys = keys if isinstance(keys, Keys) else Keys([keys])
        self._aeads: dict[int, AESGCM] = {}
        key = self._keys.first
        self._blind = HMAC(_derived(key, b"blind index"), SHA256())
        self._chain = HMAC(_derived(key, b"audit chain"), SHA256())
        self._pseudonym = HMAC(_derived(key, b"pseudonym"), SHA256())
        self._compress = zstandard.ZstdCompressor(level=1).compress
        small = zstandard.ZstdCompressionParameters.from_level(
            3, source_size=_SMALL_BYTES
        )
        self._compress_small = zstandard.ZstdCompressor(
            compression_params=small
        ).compress
        self._decompress = zstandard.ZstdDecompressor().decompress

    def seal(self, content: bytes, context: str, number: int = 0) -> bytes:
        """Return the sealed form: a first byte, nonce, ciphertext and tag.

        The first byte is twice the ``number`` of the key, less one where the content is
        not compressed. The key in use seals if none is named.
        """
        number = number or self._keys.in_use
        first = 2 * number - 1
        if len(content) >= _WORTH_COMPRESSING_BYTES:
            small = len(content) <= _SMALL_BYTES
            first += 1
            content = (self._compress_small if small else self._compress)(content)
        aead = self._aeads.get(number) or self._aead(number)
        if aead is None:
            raise EngineError(f"There is no key {number} to seal with.")
        nonce, begins = os.urandom(_NONCE_BYTES), bytes((first,))
        return begins + nonce + aead.encrypt(nonce, content, begins + context.encode())

    def open(self, sealed: bytes, context: str, *earlier: str) -> bytes:
        """Return what was sealed in this context, or in one of an earlier release.

        Raises:
            EngineError: another key, another context, or a damaged row.
        """
        content = self._decrypted(sealed, context, *earlier)
        if content is None:
            what = min((context, *earlier), key=len)
            raise EngineError(
                f"The sealed content of {what} does not open: it or its row is "
                "damaged, or it was sealed with another key or in another row."
            )
        if sealed[0] % 2:
            return content
        return self._decompress(content, max_output_size=_MAX_OPENED_BYTES)

    def _decrypted(self, sealed: bytes, *contexts: str) -> bytes | None:
        begins, nonce = sealed[:1], sealed[1 : 1 + _NONCE_BYTES]
        text = sealed[1 + _NONCE_BYTES :]
        number = (sealed[0] + 1) // 2 if sealed else 0
        aead = self._aeads.get(number) or self._aead(number)
        if aead is None:
            return None
        for bound in contexts:
            try:
                return aead.decrypt(nonce, text, begins + bound.encode())
            except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
                continue
        return None

    def _aead(self, number: int) -> AESGCM | None:
        """Return the cipher of a key, made once; None where there is no such key."""
        key = self._keys.find(number)
        if key is None:
            return None
        aead = self._aeads[number] = AESGCM(_derived(key, b"content"))
        return aead

    def open_undamaged(self, sealed: bytes, *contexts: str) -> bytes | None:
        """Return what was sealed; None when it does not open.

        For rows claimed together: a damaged one must not keep the others back.
        """
        try:
            return self.open(sealed, *contexts)
        except EngineError:
            return None

    def blind(self, value: str) -> bytes:
        """Return a keyed hash of 16 bytes: equal values have equal ones."""
        blind = self._blind.copy()
        blind.update(value.encode())
        return blind.finalize()[:16]

    def blind_number(self, value: str) -> int:
        """Return a keyed hash as a positive 63-bit number, for narrow indexes."""
        blind = self._blind.copy()
        blind.update(value.encode())
        return int.from_bytes(blind.finalize()[:8]) >> 1

    def pseudonym(self, value: str) -> str:
        """Return a word of 16 letters for a value: the same for the same, always.

        80 bits of a keyed hash: without the key nobody can turn it back or try values.
        """
        hidden = self._pseudonym.copy()
        hidden.update(value.encode())
        return b32encode(hidden.finalize()[:10]).decode("ascii")

    def chain(self, previous: bytes, row: bytes) -> bytes:
        """Return the next link of the audit chain."""
        chain = self._chain.copy()
        chain.update(previous + row)
        return chain.finalize()


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"interop " + purpose).derive(key)


def fingerprint(content: bytes) -> bytes:
    """Return the SHA-256 that proves content unchanged."""
    return hashlib.sha256(content).digest()
