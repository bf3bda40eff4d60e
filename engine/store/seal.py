"""Content at rest: compressed (zstandard) and sealed (AES-256-GCM), and keyed hashes.

One secret of 32 bytes lies in a key file outside the store. What does the work are
keys derived from it, one for each purpose. The context a text was sealed in, such as
``delivery|4711|adt``, is authenticated with it: a row moved to another place does not
open there.
"""

import hashlib
import os
from base64 import b32encode
from pathlib import Path
from typing import Final

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.errors import ConfigurationError, EngineError
from engine.store.folders import make_folder, sync_folder

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_PLAIN: Final = b"\x01"
_ZSTD: Final = b"\x02"
_WORTH_COMPRESSING_BYTES: Final = 160
_SMALL_BYTES: Final = 4096
"""Up to here a compressor with small tables is a third faster. Longer texts are mostly
Bundles, of which level 1 makes 3 % more bytes than level 3 in half the time."""

_MAX_OPENED_BYTES: Final = 1 << 30


class Sealer:
    """Seals and opens content with one key; for one thread at a time.

    Nonces are random: one key is good for about four thousand million texts.
    """

    __slots__ = (
        "_aead",
        "_blind",
        "_chain",
        "_compress",
        "_compress_small",
        "_decompress",
        "_pseudonym",
    )

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(_derived(key, b"content"))
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

    def seal(self, content: bytes, context: str) -> bytes:
        """Return the sealed form: one byte of method, nonce, ciphertext and tag."""
        method = _PLAIN
        if len(content) >= _WORTH_COMPRESSING_BYTES:
            small = len(content) <= _SMALL_BYTES
            method = _ZSTD
            content = (self._compress_small if small else self._compress)(content)
        nonce = os.urandom(_NONCE_BYTES)
        bound = method + context.encode()
        return method + nonce + self._aead.encrypt(nonce, content, bound)

    def open(self, sealed: bytes, context: str, *earlier: str) -> bytes:
        """Return what was sealed in this context, or in one of an earlier release.

        Raises:
            EngineError: another key, another context, or a damaged row.
        """
        method, nonce = sealed[:1], sealed[1 : 1 + _NONCE_BYTES]
        text = sealed[1 + _NONCE_BYTES :]
        for bound in (context, *earlier):
            try:
                content = self._aead.decrypt(nonce, text, method + bound.encode())
                break
            except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
                continue
        else:
            what = min((context, *earlier), key=len)
            raise EngineError(
                f"The sealed content of {what} does not open: it or its row is "
                "damaged, or it was sealed with another key or in another row."
            )
        if method == _PLAIN:
            return content
        return self._decompress(content, max_output_size=_MAX_OPENED_BYTES)

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


def load_or_create_key(path: Path) -> bytes:
    """Return the key in this file; make the file, readable by its owner, if missing.

    Raises:
        ConfigurationError: the file is not a key, or others may read it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return _created(path)
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            raise ConfigurationError(
                f"The key file {path} can be read by others. "
                f"Mend it with: chmod 600 {path}"
            )
        return _decoded(file.read(), path)


def _created(path: Path) -> bytes:
    """Make the key whole under another name first: whoever reads it sees all of it."""
    make_folder(path.parent.absolute())
    key = os.urandom(KEY_BYTES)
    scratch = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.hex().encode() + b"\n")
            file.flush()
            os.fsync(descriptor)
        os.link(scratch, path)
    except FileExistsError:  # another process was first
        return load_or_create_key(path)
    finally:
        scratch.unlink()
    try:
        sync_folder(path.parent)
    except OSError:
        path.unlink()  # nothing may be sealed with a key that a power failure takes
        raise
    return key


def _decoded(text: bytes, path: Path) -> bytes:
    try:
        key = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            f"{path} is not a key file: it should hold {2 * KEY_BYTES} hexadecimal "
            "digits."
        )
    return key


def _derived(key: bytes, purpose: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"The store's key must have {KEY_BYTES} bytes.")
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"interop " + purpose).derive(key)


def fingerprint(content: bytes) -> bytes:
    """Return the SHA-256 that proves content unchanged."""
    return hashlib.sha256(content).digest()
