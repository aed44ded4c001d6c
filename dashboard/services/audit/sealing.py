"""What the worker does to the chain: signs it every day, and deletes what is old.

And what a data deletion does to an entry's text. Each leaves a signature.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy import update
from sqlmodel import Session, col, delete, select

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.logs import Outage
from dashboard.models.audit import AuditEntry, AuditHead, AuditSeal
from dashboard.services.audit import chain, signing, verifying
from dashboard.services.audit.entries import THE_DASHBOARD, record
from dashboard.services.audit.signing import Signer
from dashboard.settings import Settings
from dashboard.vault import Vault

_EVERY = timedelta(minutes=1)
_SWEEP_EVERY = timedelta(hours=1)
_PRUNED_AT_ONCE = 2000

_log = structlog.get_logger(__name__)


class Sealer:
    """The worker's chore: signs the head each minute that it moved, and each day."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database, self._vault, self._clock = database, vault, clock
        self._last: datetime | None = None
        self._broken = Outage(_log, "audit.broken", "audit.still_broken", "audit.whole")

    def __call__(self) -> int:
        """Seal what is new; return 1 if something was signed. Commits."""
        now = self._clock.now()
        if self._last is not None and abs(now - self._last) < _EVERY:
            return 0
        self._last = now
        with self._database.reading() as session:
            head = session.get(AuditHead, 1) or AuditHead()
            newest = verifying.newest_seal(session)
        day = now.date().isoformat()
        if newest is not None and newest.seq == head.seq and newest.day >= day:
            return 0
        problem = verifying.verify_new(self._database, self._vault)
        if problem:
            self._broken.record(reason=problem)
            _note_problem(self._database, problem)
            return 0
        self._broken.end()
        with self._database.writing() as session:
            sealed = seal(session, self._vault, now=now)
        if sealed is None:
            return 0
        _log.info("audit.sealed", seq=sealed.seq, hash=sealed.hash)
        return 1


def seal(session: Session, vault: Vault, *, now: datetime) -> AuditSeal | None:
    """Sign the end of the chain as the state of the day; the caller commits.

    Returns:
        None when the newest seal covers more than there is: the end was cut.
    """
    head = chain.locked_head(session)
    signer = Signer.ready(session, vault, now=now)
    newest, day = verifying.newest_seal(session), now.date().isoformat()
    if newest is not None:
        if newest.seq > head.seq:
            return None
        day = max(day, newest.day)  # the clock was ahead: that seal moves on meanwhile
    row = session.get(AuditSeal, day) or AuditSeal(
        day=day, seq=0, hash="", at=now, mac=""
    )
    former = session.exec(
        select(AuditSeal.mac)
        .where(col(AuditSeal.day) < day)
        .order_by(col(AuditSeal.day).desc())
        .limit(1)
    ).first()
    row.seq, row.hash, row.at = head.seq, head.hash, now
    row.mac = signer.sign(*signing.of_seal(row, former or ""))
    head.problem = ""
    session.add(row)
    session.add(head)
    return row


def _note_problem(database: Database, problem: str) -> None:
    """Commits."""
    with database.writing() as session:
        head = chain.locked_head(session)
        head.problem = problem[:300]
        session.add(head)


def redact(
    session: Session, signer: Signer, entry_id: int, texts: Mapping[str, str]
) -> None:
    """Replace an entry's texts by what a data deletion leaves; the caller commits.

    The digest stays, so the chain does; its salt goes, so nobody can guess the text.

    Args:
        session: Writing.
        signer: Signs what is left.
        entry_id: Of the entry.
        texts: New `subject`, `changes` or both.
    """
    entry = session.get(AuditEntry, entry_id, populate_existing=True)
    if entry is None:
        return
    values = {"subject": entry.subject, "changes": entry.changes, **texts}
    mac = signer.sign(
        *signing.of_redaction(
            entry, subject=values["subject"], changes=values["changes"]
        )
    )
    session.execute(
        update(AuditEntry)
        .where(col(AuditEntry.id) == entry_id)
        .values(**values, salt="", redaction=mac)
        .execution_options(synchronize_session=False)
    )


class AuditPruner:
    """The worker's chore: deletes entries older than the audit log's own retention."""

    def __init__(
        self, database: Database, vault: Vault, clock: Clock, settings: Settings
    ) -> None:
        self._database, self._vault, self._clock = database, vault, clock
        self._days = settings.audit_retention_days
        self._idle_since: datetime | None = None

    def __call__(self) -> int:
        """Delete a batch; return how many entries. Commits."""
        now = self._clock.now()
        if self._idle_since and abs(now - self._idle_since) < _SWEEP_EVERY:
            return 0
        done = prune(self._database, self._vault, days=self._days, now=now)
        self._idle_since = None if done else now
        return done


def prune(database: Database, vault: Vault, *, days: int, now: datetime) -> int:
    """Delete the oldest sealed entries older than `days`, a batch of them; commits.

    Leaves the place where the chain goes on, signed, and an entry about what was
    deleted. Deletes nothing that is not sealed, and nothing while the chain is broken.
    """
    cutoff = now - timedelta(days=days)
    with database.reading() as session:
        head = session.get(AuditHead, 1) or AuditHead()
        newest = verifying.newest_seal(session)
        if newest is None or head.problem or not _old(session, head, newest, cutoff):
            return 0
    if verifying.verify(database, vault).problem:
        return 0  # what is broken stays as it is, to be looked into
    with database.writing() as session:
        head = chain.locked_head(session)
        old = _old(session, head, newest, cutoff)
        if not old:
            return 0
        first, (last, last_hash) = head.pruned_seq + 1, old[-1]
        signer = Signer.ready(session, vault, now=now)
        head.pruned_seq, head.pruned_hash = last, last_hash
        head.pruned_mac = signer.sign(*signing.of_checkpoint(last, last_hash))
        session.add(head)
        session.flush()  # from here on the database lets them be deleted
        session.exec(delete(AuditEntry).where(col(AuditEntry.seq) <= last))
        subject = f"entries {first} to {last}, older than {days} days"
        record(session, THE_DASHBOARD, "audit.pruned", subject=subject, now=now)
    return len(old)


def _old(
    session: Session, head: AuditHead, newest: AuditSeal, cutoff: datetime
) -> list[tuple[int, str]]:
    """Return number and hash of the next entries to delete, without a gap."""
    rows = session.exec(
        select(AuditEntry.seq, AuditEntry.hash, AuditEntry.at)
        .where(col(AuditEntry.seq) > head.pruned_seq, col(AuditEntry.seq) <= newest.seq)
        .order_by(col(AuditEntry.seq))
        .limit(_PRUNED_AT_ONCE)
    ).all()
    found: list[tuple[int, str]] = []
    for seq, last_hash, at in rows:
        if at >= cutoff or seq is None:
            break
        found.append((seq, last_hash))
    return found
