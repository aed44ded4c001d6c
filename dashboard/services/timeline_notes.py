"""Notes in a connection's timeline what a piece of work changed of it."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.clients.recall_replies import RecallLog
from dashboard.models.connection import (
    Connection,
    MeetingMapping,
    SyncStatus,
    TokenState,
)
from dashboard.services.meeting_numbers import grouped
from dashboard.services.timeline import note

_NAMED = 5
_LOG_ENTRIES = 50
_STATES = {TokenState.UNHEALTHY_IN_RECALL: "unhealthy in Recall"}
_RUNNING = (SyncStatus.NOT_STARTED, SyncStatus.IN_PROGRESS)
_SYNCS = {
    SyncStatus.NOT_STARTED: "Recall begins to read the meetings.",
    SyncStatus.IN_PROGRESS: "Recall begins to read the meetings.",
    SyncStatus.COMPLETED: "Recall has read the meetings.",
    SyncStatus.FAILED: "Recall could not read the meetings.",
}


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What a timeline tells changes of."""

    state: TokenState
    pmi: int | None
    sync: SyncStatus
    block: str
    mapped: frozenset[int]


@contextmanager
def watching(
    session: Session, row: Connection, *, at: datetime, reads_mappings: bool = False
) -> Iterator[None]:
    """Note what changes of a connection meanwhile; the caller commits.

    Args:
        session: Writing.
        row: In the database already.
        at: When it changed; aware.
        reads_mappings: Whether mapped meetings may change.
    """
    before = _seen(session, row, reads_mappings=reads_mappings)
    yield
    after = _seen(session, row, reads_mappings=reads_mappings)
    for source, kind, words in _changes(row, before, after):
        note(session, row.id, at=at, source=source, kind=kind, words=words)


def connected(session: Session, row: Connection, *, is_new: bool, at: datetime) -> None:
    """Note that a user connected, or did so again; the caller commits."""
    words = "Connected." if is_new else "Connected again: a new grant."
    note(session, row.id, at=at, source="dashboard", kind="grant", words=words)


def removed(session: Session, row: Connection, *, at: datetime) -> None:
    """Note that Zoom says the app was removed; the caller commits."""
    words = "Zoom says that the user removed the app."
    mark = f"removed {at.isoformat()}"
    note(session, row.id, at=at, source="zoom", kind="grant", words=words, mark=mark)


def acted(
    session: Session, connection_id: UUID, words: str, *, who: str, at: datetime
) -> None:
    """Note what somebody did by hand; the caller commits.

    Args:
        session: Writing.
        connection_id: To which.
        words: "Meeting sync asked for".
        who: As the audit log names them; "" when it is not known.
        at: Aware.
    """
    sentence = f"{words}, by {who}." if who else f"{words}."
    note(session, connection_id, at=at, source="dashboard", kind="act", words=sentence)


def keep_log(
    session: Session, connection_id: UUID, entries: Sequence[RecallLog]
) -> int:
    """Keep the newest of Recall's log of a credential; return how many are news.

    Entries have no id (contracts/recall.md 3.6, checked 2026-11-25): time and text tell
    them apart. The caller commits.

    Args:
        session: Writing.
        connection_id: Whose log it is.
        entries: As Recall gave them, in any order, without secrets.
    """
    newest = sorted(entries, key=lambda entry: entry.created_at)[-_LOG_ENTRIES:]
    added = 0
    for entry in newest:
        told = f"{entry.created_at.isoformat()} {entry.message}"
        added += note(
            session,
            connection_id,
            at=entry.created_at,
            source="recall",
            kind="log",
            words=entry.message,
            mark=hashlib.sha256(told.encode(errors="replace")).hexdigest(),
        )
    return added


def _seen(session: Session, row: Connection, *, reads_mappings: bool) -> _Seen:
    mapped: Sequence[int] = ()
    if reads_mappings:
        query = select(MeetingMapping.meeting_id).where(
            col(MeetingMapping.connection_id) == row.id
        )
        mapped = session.exec(query).all()
    return _Seen(
        state=row.token_state,
        pmi=row.pmi,
        sync=row.sync_status,
        block=row.recording_block,
        mapped=frozenset(mapped),
    )


def _changes(
    row: Connection, before: _Seen, after: _Seen
) -> Iterator[tuple[str, str, str]]:
    """Yield source, kind and words of each change."""
    if after.state is not before.state:
        words = f"From {_word(before.state)} to {_word(after.state)}. "
        yield "dashboard", "state", words + row.token_reason
    if after.pmi != before.pmi and after.pmi is not None:
        yield "zoom", "pmi", _about_pmi(row, before.pmi)
    if _has_synced(before.sync, after.sync):
        yield "recall", "sync", _SYNCS[after.sync]
    if after.block and not before.block:
        yield "zoom", "state", f"A setting of the host keeps bots out: {after.block}"
    if before.block and not after.block:
        yield "zoom", "state", "Zoom gives join tokens again; bots may record."
    if came := after.mapped - before.mapped:
        yield "recall", "mapping", f"Recall mapped {_numbers(came)}."
    if gone := before.mapped - after.mapped:
        yield "recall", "mapping", f"No longer mapped at Recall: {_numbers(gone)}."


def _about_pmi(row: Connection, former: int | None) -> str:
    if former is None:
        return f"The PMI is {grouped(row.pmi)}."
    says = f", says {row.pmi_changed_by}" if row.pmi_changed_by else ""
    return f"The PMI changed from {grouped(former)} to {grouped(row.pmi)}{says}."


def _has_synced(before: SyncStatus, after: SyncStatus) -> bool:
    both_run = before in _RUNNING and after in _RUNNING
    return after is not before and after in _SYNCS and not both_run


def _word(state: TokenState) -> str:
    return _STATES.get(state, state.value.replace("_", " "))


def _numbers(meeting_ids: Collection[int]) -> str:
    named = ", ".join(map(grouped, sorted(meeting_ids)[:_NAMED]))
    more = len(meeting_ids) - _NAMED
    count = "1 meeting" if len(meeting_ids) == 1 else f"{len(meeting_ids)} meetings"
    return f"{count}: {named}" + (f" and {more} more" if more > 0 else "")
