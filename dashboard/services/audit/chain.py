"""The form in which entries are hashed, and who extends the chain; pure but `extend`.

An entry's hash covers its fields, a salted digest of its text, and the former entry's
hash. The text is under the digest, so that a data deletion can take it away and the
chain stays whole (docs/decisions/0019-audit-chain.md).
"""

import hashlib
import json
import secrets
from collections.abc import Sequence
from datetime import UTC

from sqlmodel import Session, col, select

from dashboard.db.statements import insert
from dashboard.models.audit import AuditEntry, AuditHead

_SALT_BYTES = 16


def digest(salt: str, subject: str, changes: str) -> str:
    """Return the digest of an entry's text, hex."""
    return _sha256(json.dumps([salt, subject, changes]))


def entry_hash(former: str, entry: AuditEntry) -> str:
    """Return the hash of an entry after the entry that has the hash `former`."""
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    return _sha256(
        json.dumps(
            [
                former,
                entry.seq,
                entry.id,
                at,
                str(entry.staff_id or ""),
                entry.actor,
                entry.act,
                entry.address,
                entry.times,
                entry.digest,
            ]
        )
    )


def extend(session: Session, entries: Sequence[AuditEntry]) -> None:
    """Give entries their places at the end of the chain; the caller commits at once.

    Locks the head until then. Called last in a transaction, so nobody who waits for
    the head holds a lock that its owner wants.
    """
    head = locked_head(session)
    for entry in entries:
        entry.salt = secrets.token_hex(_SALT_BYTES)
        entry.digest = digest(entry.salt, entry.subject, entry.changes)
        entry.seq = head.seq + 1
        entry.hash = entry_hash(head.hash, entry)
        head.seq, head.hash = entry.seq, entry.hash
        session.add(entry)
    session.add(head)


def locked_head(session: Session) -> AuditHead:
    """Return the end of the chain, locked until the caller commits.

    One that was deleted is made from the last entry; `verify` says so when it differs
    from what was signed.
    """
    found = _head(session)
    if found is None:
        last = session.exec(
            select(AuditEntry)
            .order_by(col(AuditEntry.seq).desc().nulls_last())
            .limit(1)
        ).first()
        seq, end = (last.seq or 0, last.hash) if last is not None else (0, "")
        new = insert(session, AuditHead).on_conflict_do_nothing()
        rest = {"pruned_seq": 0, "pruned_hash": "", "pruned_mac": "", "problem": ""}
        session.connection().execute(new.values(id=1, seq=seq, hash=end, **rest))
        found = _head(session)
    assert found is not None  # noqa: S101 - it was made above, or by another process
    return found


def _head(session: Session) -> AuditHead | None:
    return session.get(AuditHead, 1, with_for_update=True, populate_existing=True)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
