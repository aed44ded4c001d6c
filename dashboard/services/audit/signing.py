"""The keys of the seals: random, and stored encrypted by the vault.

So whoever has the database alone can sign nothing, and a rotation of the vault's keys
keeps old seals valid.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlmodel import Session, select

from dashboard.models.audit import AuditEntry, AuditKey, AuditSeal
from dashboard.services.audit import chain
from dashboard.vault import Vault

_KEY_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Signs and checks with the audit keys."""

    keys: Mapping[int, bytes]

    @classmethod
    def load(cls, session: Session, vault: Vault) -> Self:
        """Return the signer with every key there is; reads only.

        Raises:
            VaultError: A key was altered, or encrypted with a key that is not here.
        """
        rows = session.exec(select(AuditKey)).all()
        return cls(
            keys={
                row.id: vault.open(row.key, table="audit_key", column="key", row=row.id)
                for row in rows
            }
        )

    @classmethod
    def ready(cls, session: Session, vault: Vault, *, now: datetime) -> Self:
        """As `load`, with a first key when there is none; the caller commits."""
        found = cls.load(session, vault)
        if not found.keys:
            chain.locked_head(session)  # one process makes it
            found = cls.load(session, vault)
        if not found.keys:
            add_key(session, vault, now=now)
            found = cls.load(session, vault)
        return found

    def sign(self, *parts: object) -> str:
        """Return the MAC of the parts, with the key's number before it."""
        newest = max(self.keys)
        return f"{newest}:{self._mac(newest, parts)}"

    def is_signed(self, mac: str, *parts: object) -> bool:
        """Whether this is the parts' MAC by one of the keys."""
        number, _, _ = mac.partition(":")
        if not number.isdecimal() or int(number) not in self.keys:
            return False
        expected = f"{number}:{self._mac(int(number), parts)}"
        return hmac.compare_digest(mac, expected)

    def _mac(self, number: int, parts: tuple[object, ...]) -> str:
        text = "\0".join(str(part) for part in parts)
        return hmac.digest(self.keys[number], text.encode(), "sha256").hex()


def add_key(session: Session, vault: Vault, *, now: datetime) -> None:
    """Add a key, which signs from now on; the caller commits.

    At the first seal, and when the vault's keys are rotated: whoever had the former
    ones could have opened the key before.
    """
    chain.locked_head(session)
    numbers = session.exec(select(AuditKey.id)).all()
    number = max(numbers, default=0) + 1
    sealed = vault.seal(
        secrets.token_bytes(_KEY_BYTES), table="audit_key", column="key", row=number
    )
    session.add(AuditKey(id=number, made_at=now, key=sealed))
    session.flush()


def of_seal(seal: AuditSeal, former_mac: str) -> tuple[object, ...]:
    """Return what a day's seal signs: its state, and the seal of the day before."""
    return "seal", seal.day, seal.seq, seal.hash, former_mac


def of_checkpoint(seq: int, last_hash: str) -> tuple[object, ...]:
    """Return what is signed where retention cut the chain."""
    return "pruned", seq, last_hash


def of_redaction(
    entry: AuditEntry, *, subject: str, changes: str
) -> tuple[object, ...]:
    """Return what is signed when a data deletion takes an entry's text away."""
    text_digest = chain.digest("", subject, changes)
    return "redaction", entry.seq, entry.digest, text_digest
