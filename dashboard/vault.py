"""Secrets at rest: authenticated, bound to table, column and row, rotatable.

A sealed value is `version (1) | key id (4) | nonce (12) | ciphertext and tag`. Its
place is its associated data, so a value moved to another row does not open.
"""

import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from dashboard.errors import VaultError

_VERSION = b"\x01"
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12
_DRAWN_AT_ONCE = 256
_HEAD_BYTES = 1 + _KEY_ID_BYTES + _NONCE_BYTES


class Vault:
    """Seals and opens values with a list of keys, newest first.

    Thread-safe: AESGCM objects hold no state between calls.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise VaultError("There is no encryption key.")
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._newest = _key_id(keys[0])
        self._nonces: list[bytes] = []
        # A forked process would draw the same ones.
        os.register_at_fork(after_in_child=self._nonces.clear)

    @property
    def newest_key_id(self) -> str:
        """What tells the newest key from others; nothing of the key."""
        return self._newest.hex()

    def seal(self, value: bytes, *, table: str, column: str, row: object) -> bytes:
        """Return `value` encrypted with the newest key for this one place."""
        nonce = self._nonce()
        place = _place(table, column, row)
        sealed = self._ciphers[self._newest].encrypt(nonce, value, place)
        return _VERSION + self._newest + nonce + sealed

    def _nonce(self) -> bytes:
        """Return random bytes never used before.

        Drawn many at once: a call to the system gives the interpreter's lock away, and
        a request under load gets it back behind all the others. `list.pop` is atomic.
        """
        try:
            return self._nonces.pop()
        except IndexError:
            drawn = os.urandom(_NONCE_BYTES * _DRAWN_AT_ONCE)
            parts = range(0, len(drawn), _NONCE_BYTES)
            first, *rest = [drawn[at : at + _NONCE_BYTES] for at in parts]
            self._nonces.extend(rest)
            return first

    def open(self, sealed: bytes, *, table: str, column: str, row: object) -> bytes:
        """Return what was sealed for this place.

        Raises:
            VaultError: Another key, another place, or altered bytes.
        """
        if len(sealed) < _HEAD_BYTES or sealed[:1] != _VERSION:
            raise VaultError(f"{table}.{column} holds no sealed value.")
        cipher = self._ciphers.get(sealed[1 : 1 + _KEY_ID_BYTES])
        if cipher is None:
            raise VaultError(
                f"{table}.{column} was sealed with a key that is not here."
            )
        nonce = sealed[1 + _KEY_ID_BYTES : _HEAD_BYTES]
        try:
            return cipher.decrypt(
                nonce, sealed[_HEAD_BYTES:], _place(table, column, row)
            )
        except InvalidTag:
            raise VaultError(
                f"{table}.{column} was altered, or belongs to another row."
            ) from None

    def seal_text(
        self, value: SecretStr, *, table: str, column: str, row: object
    ) -> bytes:
        """Seal a secret text."""
        text = value.get_secret_value().encode()
        return self.seal(text, table=table, column=column, row=row)

    def open_text(
        self, sealed: bytes, *, table: str, column: str, row: object
    ) -> SecretStr:
        """Open a secret text.

        Raises:
            VaultError: As `open`.
        """
        opened = self.open(sealed, table=table, column=column, row=row)
        return SecretStr(opened.decode())

    def is_stale(self, sealed: bytes) -> bool:
        """Whether the value was sealed with a key older than the newest."""
        return sealed[1 : 1 + _KEY_ID_BYTES] != self._newest


def fingerprint(secret: SecretStr) -> str:
    """Return 8 hex digits of SHA-256, enough to tell two secrets apart on a page.

    Safe to show: the secrets are long and random (docs/contracts/zoom.md 3.4).
    """
    return hashlib.sha256(secret.get_secret_value().encode()).hexdigest()[:8]


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"key id:" + key).digest()[:_KEY_ID_BYTES]


def _place(table: str, column: str, row: object) -> bytes:
    return f"{table}\0{column}\0{row}".encode()
