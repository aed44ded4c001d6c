"""Adds lines to a connection's timeline: what changed, and who did it."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, SQLModel, col, select

from dashboard.clients.recall.replies import RecallLog
from dashboard.db.statements import insert
from dashboard.formatting import grouped
from dashboard.models.connection import (
    Connection,
    ConnectionEvent,
    SyncStatus,
    TokenState,
)
from dashboard.models.ids import new_id

_TABLE = SQLModel.metadata.tables[str(ConnectionEvent.__tablename__)]
_LONGEST = 500
_NAMED = 5
_LOG_ENTRIES = 50
_STATES = {TokenState.UNHEALTHY_IN_RECALL: "Error in Recall"}
_BECAME = "became"
_RUNNING = (SyncStatus.NOT_STARTED, SyncStatus.IN_PROGRESS)
_SYNCS = {
    SyncStatus.NOT_STARTED: "Recall started syncing meetings.",
    SyncStatus.IN_PROGRESS: "Recall started syncing meetings.",
    SyncStatus.COMPLETED: "Recall finished syncing meetings.",
    SyncStatus.FAILED: "Recall could not sync meetings.",
}


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """The fields whose changes a timeline shows."""

    state: TokenState
    pmi: int | None
    email: str
    account: str | None
    sync: SyncStatus
    block: str


def note(  # noqa: PLR0913 - one line, all its parts named
    session: Session,
    connection_id: UUID,
    *,
    at: datetime,
    source: str,
    kind: str,
    words: str,
    mark: str | None = None,
) -> bool:
    """Add a line, unless one with its mark exists; return whether it was added.

    The connection must be in the database already. The caller commits.

    Args:
        session: Writing.
        connection_id: Whose.
        at: When it happened, by the clock of its source; aware.
        source: "dashboard", "zoom" or "recall".
        kind: "state", "pmi", "who", "became", "sync", "mapping", "grant", "log" or
            "act".
        words: One sentence without secrets; cut at 500 characters.
        mark: At most 64 characters that identify this line of its source.
    """
    event = ConnectionEvent(
        id=new_id(at),
        connection_id=connection_id,
        at=at,
        source=source,
        kind=kind,
        words=words,
        mark=mark,
    )
    # `RETURNING` works on both databases; a count of rows does not.
    statement = _insert(session).values(_row(event)).returning(_TABLE.c.id)
    return session.connection().execute(statement).first() is not None


def note_many(session: Session, events: Sequence[ConnectionEvent]) -> None:
    """Add lines of many connections at once, as `note` does; the caller commits."""
    if events:
        session.connection().execute(_insert(session), [_row(one) for one in events])


@contextmanager
def watching(session: Session, row: Connection, *, at: datetime) -> Iterator[None]:
    """Note what changes of a connection meanwhile; the caller commits.

    Args:
        session: Writing.
        row: In the database already.
        at: When it changed; aware.
    """
    before = _seen(row)
    yield
    for source, kind, words in _changes(row, before, _seen(row)):
        note(session, row.id, at=at, source=source, kind=kind, words=words)


def connected(session: Session, row: Connection, *, is_new: bool, at: datetime) -> None:
    """Note that a user connected, or did so again; the caller commits."""
    words = "Connected." if is_new else "Reconnected with a new authorization."
    note(session, row.id, at=at, source="dashboard", kind="grant", words=words)


def removed(session: Session, row: Connection, *, at: datetime) -> None:
    """Note that Zoom says the app was removed; the caller commits."""
    words = "Zoom reported that the user removed the app."
    mark = f"removed {at.isoformat()}"
    note(session, row.id, at=at, source="zoom", kind="grant", words=words, mark=mark)


def became(session: Session, row: Connection, word: str, *, at: datetime) -> None:
    """Note that Zoom says a user was deactivated, say; the caller commits."""
    words, mark = f"Zoom reported that the user was {word}.", f"{word} {at.isoformat()}"
    note(session, row.id, at=at, source="zoom", kind=_BECAME, words=words, mark=mark)


def last_became(session: Session, row: Connection) -> str:
    """Return what Zoom last said a user became since they consented; "" for nothing."""
    query = select(ConnectionEvent.mark).where(
        col(ConnectionEvent.connection_id) == row.id,
        col(ConnectionEvent.kind) == _BECAME,
        col(ConnectionEvent.at) >= row.granted_at,
    )
    newest = query.order_by(col(ConnectionEvent.at).desc()).limit(1)
    return (session.exec(newest).first() or "").partition(" ")[0]


def acted(
    session: Session, connection_id: UUID, words: str, *, who: str, at: datetime
) -> None:
    """Note what a person did; the caller commits.

    Args:
        session: Writing.
        connection_id: To which.
        words: "Meeting sync asked for".
        who: As the audit log names them; "" when it is not known.
        at: Aware.
    """
    sentence = f"{words}, by {who}." if who else f"{words}."
    note(session, connection_id, at=at, source="dashboard", kind="act", words=sentence)


def mapped(
    session: Session, came: Mapping[UUID, Collection[int]], *, at: datetime
) -> None:
    """Note which meetings Recall has mapped to connections; the caller commits."""
    note_many(
        session,
        [
            ConnectionEvent(
                id=new_id(at),
                connection_id=connection_id,
                at=at,
                source="recall",
                kind="mapping",
                words=f"Recall mapped {_numbers(meetings)}.",
            )
            for connection_id, meetings in came.items()
        ],
    )


def unmapped(
    session: Session, connection_id: UUID, gone: Collection[int], *, at: datetime
) -> None:
    """Note which meetings Recall maps no longer; the caller commits."""
    words = f"No longer known to Recall: {_numbers(gone)}."
    note(session, connection_id, at=at, source="recall", kind="mapping", words=words)


def keep_log(
    session: Session, connection_id: UUID, entries: Sequence[RecallLog]
) -> int:
    """Keep the newest of Recall's log of a credential; return how many are new.

    Entries have no id (docs/contracts/recall.md 3.6, checked 2026-11-25): time and
    text identify them. The caller commits.

    Args:
        session: Writing.
        connection_id: Whose log it is.
        entries: As Recall gave them, in any order, without secrets.
    """
    newest = sorted(entries, key=lambda entry: entry.created_at)[-_LOG_ENTRIES:]
    added = 0
    for entry in newest:
        text = f"{entry.created_at.isoformat()} {entry.message}"
        added += note(
            session,
            connection_id,
            at=entry.created_at,
            source="recall",
            kind="log",
            words=entry.message,
            mark=hashlib.sha256(text.encode(errors="replace")).hexdigest(),
        )
    return added


def _seen(row: Connection) -> _Seen:
    return _Seen(
        state=row.token_state,
        pmi=row.pmi,
        email=row.email,
        account=row.zoom_account_id,
        sync=row.sync_status,
        block=row.recording_block,
    )


def _changes(
    row: Connection, before: _Seen, after: _Seen
) -> Iterator[tuple[str, str, str]]:
    """Yield source, kind and words of each change."""
    if after.state is not before.state:
        words = f"Token state changed: {_word(before.state)} → {_word(after.state)}. "
        yield "dashboard", "state", words + row.token_reason
    if after.pmi != before.pmi:
        yield "zoom", "pmi", _about_pmi(row, before.pmi)
    if before.email and after.email != before.email:
        yield "zoom", "who", f"The email changed from {before.email} to {after.email}."
    if before.account and after.account != before.account:
        yield (
            "zoom",
            "who",
            f"The user moved from Zoom account {before.account} to {after.account}.",
        )
    if _has_synced(before.sync, after.sync):
        yield "recall", "sync", _SYNCS[after.sync]
    if after.block and not before.block:
        yield "zoom", "state", f"A setting of the host blocks bots: {after.block}"
    if before.block and not after.block:
        yield "zoom", "state", "Zoom grants join tokens again; bots can record."


def _about_pmi(row: Connection, former: int | None) -> str:
    if former is None:
        return f"The PMI is {grouped(row.pmi)}."
    if row.pmi is None:
        return f"Zoom says that the user has no PMI. It was {grouped(former)}."
    says = f" (source: {row.pmi_changed_by})" if row.pmi_changed_by else ""
    return f"The PMI changed from {grouped(former)} to {grouped(row.pmi)}{says}."


def _has_synced(before: SyncStatus, after: SyncStatus) -> bool:
    both_run = before in _RUNNING and after in _RUNNING
    return after is not before and after in _SYNCS and not both_run


def _word(state: TokenState) -> str:
    return _STATES.get(state, state.value.replace("_", " ").capitalize())


def _numbers(meeting_ids: Collection[int]) -> str:
    named = ", ".join(map(grouped, sorted(meeting_ids)[:_NAMED]))
    more = len(meeting_ids) - _NAMED
    count = "1 meeting" if len(meeting_ids) == 1 else f"{len(meeting_ids)} meetings"
    return f"{count}: {named}" + (f" and {more} more" if more > 0 else "")


def _insert(session: Session) -> Any:  # noqa: ANN401 - of either dialect
    return insert(session, _TABLE).on_conflict_do_nothing()


def _row(event: ConnectionEvent) -> dict[str, Any]:
    return event.model_dump() | {"words": event.words[:_LONGEST]}
