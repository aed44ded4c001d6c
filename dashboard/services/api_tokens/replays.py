"""Requests that may be repeated: each is carried out once for its `Idempotency-Key`.

The first that comes takes the key for itself, with a lease. Its answer is stored, and
whoever repeats the request within a day gets that. Nothing is stored of a request that
failed for the moment (5xx, 429): it may be tried again.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, select

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.db.statements import rows_changed
from dashboard.models.api_token import ApiReplay
from dashboard.vault import Vault

KEPT = timedelta(hours=24)
LEASE = timedelta(seconds=60)
LONGEST_KEY = 255

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_BATCH = 200


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer as it is stored."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """The request is the caller's to carry out; `id` names its row."""

    id: str


@dataclass(frozen=True, kw_only=True)
class Refused:
    """It is not to be carried out now.

    Attributes:
        is_other: The key was used for another request; else the first is under way.
    """

    is_other: bool


def is_key(text: str) -> bool:
    """Whether a text can be a key: 1 to 255 visible ASCII characters."""
    return _KEY.fullmatch(text) is not None


def fingerprint(method: str, path: str, body: bytes) -> str:
    """Return what tells one request from another: SHA-256, hex."""
    text = f"{method} {path}\n".encode(errors="surrogateescape")
    return hashlib.sha256(text + body).hexdigest()


def claim(  # noqa: PLR0913 - what was asked, all named
    database: Database,
    vault: Vault,
    *,
    token_id: UUID,
    key: str,
    request_hash: str,
    now: datetime,
) -> Claimed | Answer | Refused:
    """Take the key, or return what is known of it; commits.

    One whose lease is over, for its process died, may be taken again.
    """
    row_id = hashlib.sha256(f"{token_id}:{key}".encode()).hexdigest()
    try:
        with database.writing() as session:
            found = session.get(ApiReplay, row_id, with_for_update=True)
            if found is not None and _is_over(found, now):
                session.delete(found)
                session.flush()
                found = None
            if found is not None:
                return _known(vault, found, request_hash)
            session.add(
                ApiReplay(
                    id=row_id,
                    token_id=token_id,
                    request_hash=request_hash,
                    created_at=now,
                    lease_until=now + LEASE,
                )
            )
            session.flush()
    except IntegrityError:  # of two at once the other was faster
        return Refused(is_other=False)
    return Claimed(id=row_id)


def store(database: Database, vault: Vault, claimed: Claimed, answer: Answer) -> None:
    """Store the answer for those that repeat the request; commits."""
    sealed = vault.seal(answer.body, table="api_replay", column="body", row=claimed.id)
    with database.writing() as session:
        row = session.get(ApiReplay, claimed.id, with_for_update=True)
        if row is not None:
            row.status, row.body = answer.status, sealed
            row.content_type = answer.content_type[:60]
            session.add(row)


def give_back(database: Database, claimed: Claimed) -> None:
    """Let the request be tried again: nothing came of it; commits."""
    with database.writing() as session:
        session.exec(delete(ApiReplay).where(col(ApiReplay.id) == claimed.id))


def forget_old(database: Database, clock: Clock) -> int:
    """Delete what was stored for a day: a chore of the worker; commits."""
    oldest = clock.now() - KEPT
    with database.reading() as session:
        if not _old(session, oldest):
            return 0
    with database.writing() as session:
        old = _old(session, oldest)
        done = session.exec(delete(ApiReplay).where(col(ApiReplay.id).in_(old)))
        return rows_changed(done)


def _old(session: Session, oldest: datetime) -> list[str]:
    query = select(ApiReplay.id).where(col(ApiReplay.created_at) < oldest)
    return list(session.exec(query.limit(_BATCH)))


def _is_over(row: ApiReplay, now: datetime) -> bool:
    """Whether its day or its lease is over, also after the clock was set back."""
    is_kept = row.created_at - KEPT < now < row.created_at + KEPT
    is_leased = row.lease_until - 2 * LEASE < now < row.lease_until
    return not is_kept or (row.status is None and not is_leased)


def _known(vault: Vault, row: ApiReplay, request_hash: str) -> Answer | Refused:
    if row.request_hash != request_hash:
        return Refused(is_other=True)
    if row.status is None or row.body is None:
        return Refused(is_other=False)
    body = vault.open(row.body, table="api_replay", column="body", row=row.id)
    return Answer(status=row.status, content_type=row.content_type, body=body)
