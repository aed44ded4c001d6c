"""Grants that the dashboard holds itself, at rest: sealed, and found by Recall's key.

A key is all that Recall shows for the token (docs/contracts/recall.md 5, checked
2026-11-25); it is stored as a hash, so it is shown to Recall once and to nobody later.
"""

import hashlib
import re
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, select

from dashboard.clients.zoom.grants import GrantTokens
from dashboard.errors import NotFoundError
from dashboard.models.held_grant import HeldGrant
from dashboard.vault import Vault

_KEY = re.compile(r"[A-Za-z0-9_-]{43}")
_RENEWED_FROM, _RENEWED_OVER = 0.5, 0.25
_PARTS = 1000


def hashed(key: str) -> str:
    """Return how a key is stored: SHA-256, hex. Nothing is won by trying values."""
    return hashlib.sha256(key.encode()).hexdigest()


def find_by_key(session: Session, key: str) -> HeldGrant | None:
    """Return the grant whose key this is, or None."""
    if _KEY.fullmatch(key) is None:
        return None
    query = select(HeldGrant).where(col(HeldGrant.key_hash) == hashed(key))
    return session.exec(query).first()


def get(session: Session, connection_id: UUID) -> HeldGrant:
    """Return the connection's grant.

    Raises:
        NotFoundError: The dashboard holds none of it.
    """
    row = session.get(HeldGrant, connection_id)
    if row is None:
        raise NotFoundError("grant held here")
    return row


def add(  # noqa: PLR0913 - the facts of one grant, all named
    session: Session,
    vault: Vault,
    connection_id: UUID,
    tokens: GrantTokens,
    *,
    key: str,
    asked_at: datetime,
    now: datetime,
) -> HeldGrant:
    """Keep a connection's first pair of tokens; the caller commits.

    Args:
        session: Writing.
        vault: Seals the pair.
        connection_id: Whose; it has no grant here yet.
        tokens: From Zoom.
        key: From `new_key`.
        asked_at: When Zoom was asked for them: they live from then at the earliest.
        now: Aware.
    """
    row = HeldGrant(
        connection_id=connection_id,
        key_hash=hashed(key),
        access_token=b"",
        refresh_token=b"",
        version=0,
        expires_at=now,
        obtained_at=now,
        refresh_due_at=now,
    )
    put(session, vault, row, tokens, asked_at=asked_at, now=now)
    return row


def put(  # noqa: PLR0913 - the facts of one pair, all named
    session: Session,
    vault: Vault,
    row: HeldGrant,
    tokens: GrantTokens,
    *,
    asked_at: datetime,
    now: datetime,
) -> None:
    """Keep a newer pair of tokens in place of the one before; the caller commits.

    What failed before does not count any more. The lease is left as it is.
    """
    for column, token in (
        ("access_token", tokens.access_token),
        ("refresh_token", tokens.refresh_token),
    ):
        sealed = vault.seal_text(
            token, table="held_grant", column=column, row=row.connection_id
        )
        setattr(row, column, sealed)
    row.version += 1
    lives = timedelta(seconds=tokens.expires_in)
    row.expires_at, row.obtained_at = asked_at + lives, now
    row.refresh_due_at = asked_at + lives * _renewed_at(row.connection_id)
    row.asked_at = row.failed_at = row.lost_at = None
    row.failures, row.failure = 0, ""
    session.add(row)


def drop(session: Session, connection_id: UUID) -> None:
    """Forget a connection's grant if there is one; the caller commits."""
    row = session.get(HeldGrant, connection_id, with_for_update=True)
    if row is not None:
        session.delete(row)
        session.flush()


def access_token(vault: Vault, row: HeldGrant) -> SecretStr:
    """Open the access token."""
    return vault.open_text(
        row.access_token,
        table="held_grant",
        column="access_token",
        row=row.connection_id,
    )


def refresh_token(vault: Vault, row: HeldGrant) -> SecretStr:
    """Open the refresh token; for whoever has claimed the refresh."""
    return vault.open_text(
        row.refresh_token,
        table="held_grant",
        column="refresh_token",
        row=row.connection_id,
    )


def _renewed_at(connection_id: UUID) -> float:
    """Return at which part of its life a token is renewed: 50 to 75 %, spread out."""
    part = connection_id.int % _PARTS / _PARTS
    return _RENEWED_FROM + _RENEWED_OVER * part
