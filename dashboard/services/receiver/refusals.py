"""Refused requests: all counted, a bounded sample stored, both read for pages.

A flood of forged requests costs a few rows a second, whatever its rate.
"""

import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, insert, update
from sqlmodel import Session, col, func, select

from dashboard.db.statements import rows_changed
from dashboard.models.check import Finding, Source
from dashboard.models.ids import new_id
from dashboard.models.webhook import Refusal, RefusalCount
from dashboard.services.paging import IdPage, Place, page_by_id
from dashboard.services.receiver.signatures import Cause
from dashboard.services.validation import evidence

_SAMPLES_A_BATCH = 5
_EXPLAINED_A_SECOND = 20
_FLOOD_A_SECOND = 200
_MISMATCH_EVERY = timedelta(seconds=10)
# Of Zoom's challenges; the others were signed with another secret token.
_FINDINGS = dict.fromkeys(
    (Cause.REWRITTEN, Cause.PACKED, Cause.LENGTH, Cause.FUTURE, Cause.TOO_OLD),
    Finding.FAILED,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedRequest:
    """One refused request.

    Attributes:
        detail: What was seen; after a line break, who fixes it where. Contains no
            secret.
        status: HTTP status it was answered with.
        body_bytes: How many bytes came, or were declared when none were read.
        is_challenge: Whether it says that it is `endpoint.url_validation`, and its
            signature or its time is wrong.
    """

    zoom_app_id: UUID
    cause: Cause
    detail: str
    status: int
    body_bytes: int
    user_agent: str
    address: str
    received_at: datetime
    is_challenge: bool = False


@dataclass(kw_only=True)
class RefusalBatch:
    """What was refused since the last batch.

    Attributes:
        counts: Requests for each (zoom app, cause, hour).
        samples: At most a few for each zoom app and cause.
        mismatches: Challenges that were refused, at most one a zoom app.
    """

    counts: Counter[tuple[UUID, Cause, datetime]] = field(default_factory=Counter)
    samples: dict[tuple[UUID, Cause], list[RefusedRequest]] = field(
        default_factory=dict
    )
    mismatches: dict[UUID, RefusedRequest] = field(default_factory=dict)


class Tally:
    """Gathers refusals in memory, in bounded space; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gathered = RefusalBatch()
        self._mismatch_at: dict[UUID, datetime] = {}
        self._explained: tuple[int, int] = (0, 0)
        self._is_flooded = False

    def add(self, refused: RefusedRequest) -> bool:
        """Count one; return whether it is kept as a sample too."""
        app_id, cause = refused.zoom_app_id, refused.cause
        hour_at = refused.received_at.replace(minute=0, second=0, microsecond=0)
        with self._lock:
            gathered = self._gathered
            gathered.counts[app_id, cause, hour_at] += 1
            if refused.is_challenge:
                self._add_mismatch(refused)
            samples = gathered.samples.setdefault((app_id, cause), [])
            if len(samples) >= _SAMPLES_A_BATCH:
                return False
            samples.append(refused)
            return True

    def forget_mismatch(self, zoom_app_id: UUID) -> None:
        """A validation request of this zoom app succeeded: store the next failure."""
        self._mismatch_at.pop(zoom_app_id, None)

    def may_explain(self, now: datetime) -> bool:
        """Whether the limit of this second allows explaining one more.

        There is none in a second that follows a flood: more than 200 that asked.
        """
        second = int(now.timestamp())
        with self._lock:
            last, asked = self._explained
            if last != second:
                self._is_flooded = last == second - 1 and asked > _FLOOD_A_SECOND
                asked = 0
            self._explained = (second, asked + 1)
            return asked < _EXPLAINED_A_SECOND and not self._is_flooded

    def take(self) -> RefusalBatch | None:
        """Return what was counted and start again; None when there is nothing."""
        with self._lock:
            if not self._gathered.counts:
                return None
            gathered, self._gathered = self._gathered, RefusalBatch()
            return gathered

    def _add_mismatch(self, refused: RefusedRequest) -> None:
        last = self._mismatch_at.get(refused.zoom_app_id)
        if last is not None and abs(refused.received_at - last) < _MISMATCH_EVERY:
            return
        self._mismatch_at[refused.zoom_app_id] = refused.received_at
        self._gathered.mismatches[refused.zoom_app_id] = refused


def store(session: Session, gathered: RefusalBatch, *, sample_limit: int) -> None:
    """Write a batch; the caller commits.

    Args:
        session: Writing.
        gathered: From `Tally.take`.
        sample_limit: How many refusals are kept for each zoom app, oldest given up.
    """
    for (app_id, cause, hour_at), requests in sorted(gathered.counts.items()):
        _count(session, app_id, cause, hour_at, requests)
    rows = [
        _values(refused) for samples in gathered.samples.values() for refused in samples
    ]
    if rows:
        session.connection().execute(insert(Refusal), rows)
    for app_id in sorted({app_id for app_id, _ in gathered.samples}):
        _prune(session, app_id, sample_limit)
    for refused in gathered.mismatches.values():
        evidence.record(
            session,
            zoom_app_id=refused.zoom_app_id,
            source=Source.ZOOM_CHALLENGE,
            finding=_FINDINGS.get(refused.cause, Finding.SECRET_MISMATCH),
            detail=refused.detail,
            at=refused.received_at,
        )


def _count(
    session: Session, app_id: UUID, cause: Cause, hour_at: datetime, requests: int
) -> None:
    connection = session.connection()
    counted = connection.execute(
        update(RefusalCount)
        .where(
            col(RefusalCount.zoom_app_id) == app_id,
            col(RefusalCount.cause) == cause.value,
            col(RefusalCount.hour_at) == hour_at,
        )
        .values(requests=col(RefusalCount.requests) + requests)
    )
    if rows_changed(counted):
        return
    connection.execute(
        insert(RefusalCount).values(
            id=new_id(hour_at),
            zoom_app_id=app_id,
            cause=cause.value,
            hour_at=hour_at,
            requests=requests,
        )
    )


def _values(refused: RefusedRequest) -> dict[str, object]:
    return {
        "id": new_id(refused.received_at),
        "zoom_app_id": refused.zoom_app_id,
        "cause": refused.cause.value,
        "detail": refused.detail[:500],
        "status": refused.status,
        "body_bytes": refused.body_bytes,
        "user_agent": _printable(refused.user_agent, 120),
        "address": _printable(refused.address, 64),
        "received_at": refused.received_at,
    }


def _prune(session: Session, app_id: UUID, limit: int) -> None:
    of_app = col(Refusal.zoom_app_id) == app_id
    newest_first = col(Refusal.id).desc()
    too_many = session.exec(
        select(Refusal.id).where(of_app).order_by(newest_first).offset(limit).limit(1)
    ).first()
    if too_many is not None:
        session.connection().execute(
            delete(Refusal).where(of_app, col(Refusal.id) <= too_many)
        )


def _printable(text: str, limit: int) -> str:
    # A stranger wrote it: PostgreSQL takes no NUL, a page wants no control characters.
    return "".join(c if c.isprintable() else "?" for c in text[:limit])


COUNTED = 100

_ADDRESS = re.compile("/hooks/zoom/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_SHOWN = 12  # of an address's characters: the link beside it leads to the whole
_WORDS: dict[str, str] = {
    Cause.NO_SECRET: "No secret token",
    Cause.TOO_LARGE: "Too large",
    "empty": "Empty body",  # of a former version
    Cause.MISSING_HEADER: "Missing header",
    Cause.BAD_TIMESTAMP: "Unreadable timestamp",
    Cause.BAD_SIGNATURE: "Unreadable signature",
    Cause.SIGNATURE: "Invalid signature",
    Cause.ROTATING: "Token rotation",
    Cause.OTHER_ENVIRONMENT: "Other environment",
    Cause.OTHER_APP: "Other zoom app",
    Cause.WHITE_SPACE: "White space in secret",
    Cause.REWRITTEN: "Body rewritten",
    Cause.PACKED: "Body packed",
    Cause.LENGTH: "Body cut",
    Cause.FUTURE: "Future timestamp",
    Cause.TOO_OLD: "Too old",
    Cause.MALFORMED: "No plainToken",
}
_HARMLESS = {Cause.TOO_LARGE, Cause.TOO_OLD, Cause.MALFORMED}


@dataclass(frozen=True, kw_only=True)
class CauseCount:
    """How many requests were refused for one cause; `words` say it."""

    cause: str
    requests: int

    @property
    def words(self) -> str:
        """The cause in words."""
        return cause_words(self.cause)


@dataclass(frozen=True, kw_only=True)
class RefusalRow:
    """A refusal as the page shows it.

    Attributes:
        words: The cause in words.
        tone: "trouble" when a person can fix it, else "off".
        seen: What was seen.
        fix: Who fixes it where; "" when the refusal does not say.
        names: The zoom app that the explanation names, when it is one of ours.
    """

    refusal: Refusal
    words: str
    tone: str
    seen: str
    fix: str
    names: UUID | None


def cause_words(cause: str) -> str:
    """Return a cause in words; one that a newer version wrote, without lines."""
    return _WORDS.get(cause, cause.replace("_", " ").capitalize())


def rows(
    refusals: Sequence[Refusal], *, app_names: Mapping[UUID, str]
) -> Sequence[RefusalRow]:
    """Take the stored explanations apart for the page, in the same order."""
    return [_row_of(refusal, app_names) for refusal in refusals]


def page(
    session: Session, *, place: Place, zoom_app_id: UUID | None = None
) -> IdPage[Refusal]:
    """Return a page of the sample, newest first."""
    query = select(Refusal)
    if zoom_app_id is not None:
        query = query.where(col(Refusal.zoom_app_id) == zoom_app_id)
    return page_by_id(session, query, Refusal.id, place)


def count_sample(session: Session, *, zoom_app_id: UUID | None = None) -> int:
    """Return how many are in the sample, at most `COUNTED` + 1."""
    some = select(Refusal.id).limit(COUNTED + 1)
    if zoom_app_id is not None:
        some = some.where(col(Refusal.zoom_app_id) == zoom_app_id)
    return session.exec(select(func.count()).select_from(some.subquery())).one()


def by_cause(
    session: Session, *, since: datetime, zoom_app_id: UUID | None = None
) -> Sequence[CauseCount]:
    """Return how many requests were refused since then, the commonest cause first.

    Counted by the hour: the hour in which `since` lies is counted whole.
    """
    hour = since.replace(minute=0, second=0, microsecond=0)
    total = func.sum(col(RefusalCount.requests))
    query = (
        select(RefusalCount.cause, total)
        .where(col(RefusalCount.hour_at) >= hour)
        .group_by(col(RefusalCount.cause))
        .order_by(total.desc(), col(RefusalCount.cause))
    )
    if zoom_app_id is not None:
        query = query.where(col(RefusalCount.zoom_app_id) == zoom_app_id)
    return [
        CauseCount(cause=cause, requests=int(requests))
        for cause, requests in session.exec(query)
    ]


def _row_of(refusal: Refusal, app_names: Mapping[UUID, str]) -> RefusalRow:
    seen, _, fix = refusal.detail.partition("\n")
    addresses = _ADDRESS.findall(fix)
    named = UUID(addresses[-1]) if addresses else None
    return RefusalRow(
        refusal=refusal,
        words=cause_words(refusal.cause),
        tone="off" if refusal.cause in _HARMLESS else "trouble",
        seen=seen,
        fix=_ADDRESS.sub(lambda found: found[1][-_SHOWN:], fix),
        names=named if named in app_names else None,
    )
