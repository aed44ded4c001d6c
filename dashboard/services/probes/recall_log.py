"""New entries of Recall's log of an app, as evidence that proves nothing by itself.

Entries have no id and no level (docs/contracts/recall.md 3.6, checked 2026-11-23), so
what is new is told by time and text.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, select

from dashboard.clients.http.scrubbing import scrub
from dashboard.clients.recall.replies import RecallLog
from dashboard.models.check import Check, Finding, Source
from dashboard.models.watch import ProbeSchedule
from dashboard.services.validation import evidence

_KEPT_A_LOOK = 20
_TOO_FAR_AHEAD = timedelta(hours=1)
_CUT = "…"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry, or several of the same text in one look.

    Attributes:
        text: Without secrets.
        told_at: Of the newest.
        times: How many they are.
    """

    text: str
    told_at: datetime
    times: int = 1

    @property
    def detail(self) -> str:
        """The text, with how often it came."""
        return self.text if self.times == 1 else f"{self.text} ({self.times} times)"


def new_entries(
    entries: Sequence[RecallLog],
    *,
    seen_at: datetime | None,
    known: Collection[str],
    secrets: Sequence[SecretStr],
    now: datetime,
) -> list[Entry]:
    """Return what is new in a page of the log, oldest first. Pure.

    Args:
        entries: As Recall gave them, in any order.
        seen_at: Of the newest that was kept; None when none was.
        known: What was kept of that very instant.
        secrets: The app's and the workspace's: Recall may echo them.
        now: What is dated far ahead of it is passed over: it would hide the rest.
    """
    found: dict[str, Entry] = {}
    for each in sorted(entries, key=lambda one: one.created_at):
        text = _clean(each.message, secrets)
        is_old = seen_at is not None and (
            each.created_at < seen_at
            or (each.created_at == seen_at and _is_known(text, known))
        )
        if is_old or not text or each.created_at > now + _TOO_FAR_AHEAD:
            continue
        before = found.pop(text, None)
        times = before.times + 1 if before else 1
        found[text] = Entry(text=text, told_at=each.created_at, times=times)
    return list(found.values())[-_KEPT_A_LOOK:]


def store_log(
    session: Session,
    row: ProbeSchedule,
    entries: Sequence[RecallLog],
    *,
    secrets: Sequence[SecretStr],
    now: datetime,
) -> int:
    """Add what is new to the evidence; the caller commits.

    Returns:
        How many were added.
    """
    known = _kept_at(session, row.zoom_app_id, row.log_seen_at)
    found = new_entries(
        entries, seen_at=row.log_seen_at, known=known, secrets=secrets, now=now
    )
    for entry in found:
        evidence.record(
            session,
            zoom_app_id=row.zoom_app_id,
            source=Source.RECALL_LOG,
            finding=Finding.NOTED,
            detail=entry.detail,
            told_at=entry.told_at,
            at=now,
        )
        row.log_seen_at = max(row.log_seen_at or entry.told_at, entry.told_at)
    return len(found)


def _clean(message: str, secrets: Sequence[SecretStr]) -> str:
    text = scrub(message, secrets)
    if text.endswith(_CUT) and " " in text:
        # A secret that was cut through would not be known any more.
        text = f"{text.rpartition(' ')[0]} {_CUT}"
    return text


def _is_known(text: str, known: Collection[str]) -> bool:
    return any(one == text or one.startswith(f"{text} (") for one in known)


def _kept_at(
    session: Session, zoom_app_id: UUID, instant: datetime | None
) -> Collection[str]:
    if instant is None:
        return ()
    query = (
        select(Check.detail)
        .where(
            col(Check.zoom_app_id) == zoom_app_id,
            col(Check.source) == Source.RECALL_LOG,
            col(Check.told_at) == instant,
        )
        .order_by(col(Check.id).desc())
        .limit(_KEPT_A_LOOK)
    )
    return session.exec(query).all()
