"""Recall's record and log of an app, as evidence about validation.

`webhook_last_validation` is null until Recall's URL was validated for the first time
(docs/contracts/recall.md 3.1 and 3.8, checked 2026-11-23).
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, select

from dashboard.clients.http.scrubbing import scrub
from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import RecallLog
from dashboard.errors import UpstreamError
from dashboard.models.check import Check, Finding, Source
from dashboard.models.watch import ProbeSchedule
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import Observation

GONE = (
    "This app no longer exists in Recall. An admin can create it again or adopt an "
    "existing one."
)
_SAID_AGAIN_AFTER = timedelta(hours=1)
_DIGITS = re.compile("[0-9]+")


@dataclass(frozen=True, kw_only=True)
class RecordAnswer:
    """One read of the record.

    Attributes:
        is_answered: Whether Recall answered at all; "no such app" is an answer.
        wait_s: What it asked to wait, in seconds.
    """

    seen: Observation
    is_answered: bool = True
    wait_s: float | None = None


def read(recall: Recall, recall_app_id: UUID) -> RecordAnswer:
    """Ask Recall for its record of an app; never raises UpstreamError."""
    try:
        last = recall.get_app(recall_app_id).webhook_last_validation
    except UpstreamError as error:
        if is_gone(error):
            return RecordAnswer(seen=Observation(finding=Finding.GONE, detail=GONE))
        detail = f"Recall's API could not be reached. {error}"
        return RecordAnswer(
            seen=Observation(finding=Finding.FAILED, detail=detail),
            is_answered=False,
            wait_s=error.retry_after_s,
        )
    if last is None:
        detail = "Recall's API names no validation of its URL."
        return RecordAnswer(seen=Observation(finding=Finding.NOT_SEEN, detail=detail))
    detail = f"Recall's API says it was last validated {last:%Y-%m-%d %H:%M:%S} UTC."
    return RecordAnswer(
        seen=Observation(finding=Finding.GOOD, detail=detail, told_at=last)
    )


def is_gone(error: UpstreamError) -> bool:
    """Whether Recall itself says that it has no such app.

    Its API answers in JSON; a page with this status comes from something else.
    """
    return error.status == HTTPStatus.NOT_FOUND and is_recalls_own(error)


def is_recalls_own(error: UpstreamError) -> bool:
    """Whether a refusal is in Recall's own form, not the page of a firewall."""
    return error.code is not None or error.detail is not None


def store_record(
    session: Session, zoom_app_id: UUID, seen: Observation, *, at: datetime
) -> bool:
    """Add it to the evidence if it is new, or an hour old; the caller commits.

    Returns:
        Whether it was added.
    """
    query = select(Check).where(
        col(Check.zoom_app_id) == zoom_app_id, col(Check.source) == Source.RECALL_API
    )
    last = session.exec(query.order_by(col(Check.id).desc()).limit(1)).first()
    is_new = timedelta(0) <= at - last.at < _SAID_AGAIN_AFTER if last else False
    if last is not None and is_new and _says_the_same(last, seen):
        return False
    evidence.record(
        session,
        zoom_app_id=zoom_app_id,
        source=Source.RECALL_API,
        finding=seen.finding,
        detail=seen.detail,
        told_at=seen.told_at,
        at=at,
    )
    return True


def _says_the_same(last: Check, seen: Observation) -> bool:
    # Numbers in a failure's sentence are seconds to wait: nothing new.
    return (last.finding, last.told_at, _DIGITS.sub("", last.detail)) == (
        seen.finding,
        seen.told_at,
        _DIGITS.sub("", seen.detail[:300]),
    )


_KEPT_A_READ = 20
_TOO_FAR_AHEAD = timedelta(hours=1)
_CUT = "…"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry, or several of the same text in one read.

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
    return list(found.values())[-_KEPT_A_READ:]


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
        .limit(_KEPT_A_READ)
    )
    return session.exec(query).all()
