"""Which webhooks a resend sends: counted for its preview, then listed in batches.

Both use the same conditions, so what was counted is what is sent. The search, which may
take long, happens in a reading session; a writing transaction touches one batch by key,
so the receiver never waits for it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    and_,
    false,
    func,
    insert,
    literal,
    or_,
    text,
    update,
)
from sqlalchemy import select as select_columns
from sqlmodel import Session, SQLModel, col, exists, select

from dashboard.clock import Clock
from dashboard.db import Database, announce
from dashboard.db.columns import BigId, UtcDateTime
from dashboard.db.leases import is_free
from dashboard.db.statements import rows_changed
from dashboard.errors import InvalidInputError
from dashboard.formatting import age_words
from dashboard.models.ids import first_id, new_ids, time_of
from dashboard.models.resend import Redelivery, RedeliveryOutcome, Resend, ResendState
from dashboard.models.webhook import Mark, Outcome, Webhook
from dashboard.services.runtime import Runtime
from dashboard.services.webhook_log.search import WebhookFilter, from_query, resolved

COUNTED = 100_000
"""The count is exact up to here; beyond it, "more than 100,000"."""

_COLUMNS = {
    "zoom_app_id": col(Webhook.zoom_app_id),
    "event": col(Webhook.event),
    "outcome": col(Webhook.outcome),
    "meeting_id": col(Webhook.meeting_id),
    "zoom_user_id": col(Webhook.zoom_user_id),
    "zoom_account_id": col(Webhook.zoom_account_id),
}
_SENT = ("delivered", "dead")
# All at once: the preview looks at many. Written out, for the index of what waits.
_UNDER_WAY = select(Redelivery.webhook_id).where(text("redelivery.outcome = 'waiting'"))


@dataclass(frozen=True, kw_only=True)
class Preview:
    """How many webhooks a resend would send, and which it leaves out.

    Attributes:
        delivered: To be sent: those Recall accepted before.
        dead: To be sent: those that failed.
        waiting: Left out: already queued.
        kept: Left out: Zoom posts to Recall itself, so they were not forwarded.
        under_way: Left out: part of another resend.
        taken: Left out when only failed ones are asked for: an earlier resend delivered
            them.
        erased: Left out: the data of their user was deleted.
        is_capped: There are more than `COUNTED`; only the newest were counted.
        oldest_sent_at_s: Of those to be sent, Zoom's own timestamp, whole seconds
            since the epoch; None when there is none.
    """

    delivered: int = 0
    dead: int = 0
    waiting: int = 0
    kept: int = 0
    under_way: int = 0
    taken: int = 0
    erased: int = 0
    is_capped: bool = False
    oldest_sent_at_s: int | None = None
    newest_sent_at_s: int | None = None

    @property
    def total(self) -> int:
        """How many of those counted would be sent."""
        return self.delivered + self.dead

    @property
    def left_out(self) -> int:
        """How many of those counted match and would not be sent."""
        return self.waiting + self.kept + self.under_way + self.taken + self.erased

    def ages(self, now: datetime) -> tuple[timedelta, timedelta] | None:
        """Return how old the newest and the oldest timestamp are; None without any."""
        if self.oldest_sent_at_s is None or self.newest_sent_at_s is None:
            return None
        return (
            timedelta(seconds=now.timestamp() - self.newest_sent_at_s),
            timedelta(seconds=now.timestamp() - self.oldest_sent_at_s),
        )


def preview(
    session: Session, *, filters: WebhookFilter, now: datetime, cap: int = COUNTED
) -> Preview:
    """Count what was received before `now` and matches: one look, bounded by `cap`."""
    found = (
        select(  # type: ignore[call-overload]  # SQLModel types at most four columns
            Webhook.outcome,
            Webhook.sent_at_s,
            col(Webhook.delivered_at).is_not(None).label("is_taken"),
            col(Webhook.id).in_(_UNDER_WAY).label("is_under_way"),
            col(Webhook.erased_at).is_not(None).label("is_erased"),
        )
        .where(*_matching(session, filters), col(Webhook.id) < first_id(now))
        .order_by(col(Webhook.id).desc())
        .limit(cap + 1)
        .subquery()
        .c
    )
    kinds = (found.outcome, found.is_taken, found.is_under_way, found.is_erased)
    number, oldest = func.count(), func.min(found.sent_at_s)
    query = select(*kinds, number, oldest, func.max(found.sent_at_s)).group_by(*kinds)  # type: ignore[call-overload]  # SQLModel types at most four columns
    counts: Counter[str] = Counter()
    stamps: list[int] = []
    for row in session.execute(query):
        outcome, is_taken, is_under_way, is_erased, number_of, *span = row
        is_again = is_taken and filters.outcome is Outcome.DEAD
        kind = _kind(outcome, is_again=is_again, is_under_way=is_under_way)
        kind = "erased" if is_erased else kind
        counts[kind] += number_of
        stamps += span if kind in _SENT else []
    return Preview(
        **counts,
        is_capped=counts.total() > cap,
        oldest_sent_at_s=min(stamps, default=None),
        newest_sent_at_s=max(stamps, default=None),
    )


def sendable(session: Session, filters: WebhookFilter) -> list[ColumnElement[bool]]:
    """Return the conditions of what `preview` counts as to be sent."""
    # "Not these" rather than "those": over two outcomes an index would be read whole
    # and sorted, instead of the key from where it stands.
    left_out = (Outcome.WAITING, Outcome.KEPT)
    conditions = [
        *_matching(session, filters),
        col(Webhook.outcome).not_in(left_out),
        col(Webhook.erased_at).is_(None),
        ~_is_under_way(),
    ]
    if filters.outcome is Outcome.DEAD:
        conditions.append(col(Webhook.delivered_at).is_(None))
    return conditions


def _matching(session: Session, filters: WebhookFilter) -> list[ColumnElement[bool]]:
    known = resolved(session, filters)
    if known is None:
        return [false()]
    asked = {each.name: getattr(known, each.name) for each in fields(known)}
    since, until = asked.pop("since"), asked.pop("until")
    mark = asked.pop("mark")
    # Left out, a field without a column would send more than was asked.
    strange = [name for name in asked.keys() - _COLUMNS if asked[name] is not None]
    if strange:
        raise InvalidInputError(f"Webhooks can't be resent by {', '.join(strange)}.")
    found = [
        _COLUMNS[name] == value for name, value in asked.items() if value is not None
    ]
    if mark is Mark.UNREADABLE:
        found.append(col(Webhook.is_unreadable))
    elif mark is not None:
        found.append(col(Webhook.timing) == mark)
    # Time is a bound of the key: ids begin with the millisecond of arrival.
    if since is not None:
        found.append(col(Webhook.id) >= first_id(since))
    if until is not None:
        found.append(col(Webhook.id) < first_id(until))
    return found


def _is_under_way() -> ColumnElement[bool]:
    # By the webhook: a batch looks at a thousand of them, however many wait.
    return exists().where(
        col(Redelivery.webhook_id) == col(Webhook.id),
        col(Redelivery.outcome) == RedeliveryOutcome.WAITING,
    )


def _kind(outcome: Outcome, *, is_again: bool, is_under_way: bool) -> str:
    """Return the name of the count a webhook belongs to."""
    if outcome in (Outcome.WAITING, Outcome.KEPT):
        return outcome.value
    if is_under_way:
        return "under_way"
    return "taken" if is_again else outcome.value


_LEFT_OUT = (
    ("waiting", "already queued"),
    ("under_way", "part of another resend"),
    ("taken", "delivered by an earlier resend"),
    ("erased", "the data of their user was deleted"),
    ("kept", "not forwarded: Zoom posts to Recall itself (direct routing)"),
)


def counted(preview: Preview) -> str:
    """Say how many would be sent: "10,000 webhooks"."""
    if preview.is_capped:
        return f"more than {COUNTED:,} webhooks"
    return f"{preview.total:,} webhook{'' if preview.total == 1 else 's'}"


def ages(preview: Preview, now: datetime) -> str:
    """Say how old Zoom's timestamps are: "37 min", "37 min to 26 h"; "" without any."""
    found = preview.ages(now)
    if found is None:
        return ""
    newest, oldest = (age_words(max(age, timedelta(seconds=1))) for age in found)
    return newest if newest == oldest else f"{newest} to {oldest}"


def left_out(preview: Preview) -> Sequence[tuple[int, str]]:
    """Return what matches and is not sent: how many and why."""
    reasons = [(getattr(preview, name), why) for name, why in _LEFT_OUT]
    return [(number, why) for number, why in reasons if number]


def warning(preview: Preview, now: datetime) -> str:
    """Say before it begins that Recall may refuse what is old; "" for nothing to send.

    Source: docs/contracts/zoom.md 5.4 and recall.md 3.8, read 2026-11-23: neither
    documents how old a timestamp may be.
    """
    found = ages(preview, now)
    if not found:
        return ""
    return f"Recall may reject them because their timestamps are {found} old."


UNALTERED = (
    "Each is sent byte for byte as received, with Zoom's own timestamp and signature. "
    "The originals and their attempts don't change."
)


BATCH = 1000
"""Webhooks a transaction: some 20 ms."""

_BATCHES_A_TURN = 10
_SWEPT_FOR = timedelta(days=1)  # a lease lasts seconds, a worker may be down for longer
_ONE_LISTER = 5_270_031  # PostgreSQL's advisory lock; any number no other lock has
_TABLE = SQLModel.metadata.tables[str(Redelivery.__tablename__)]
_WAITING = col(Redelivery.outcome) == RedeliveryOutcome.WAITING


def run_due(runtime: Runtime, *, batch: int = BATCH) -> int:
    """Run the resends' chores: list, finish, cancel; commits; return rows changed."""
    with runtime.database.reading() as session:
        if not _is_any_open(session, now=runtime.clock.now()):
            return 0
    listed = 0
    for _ in range(_BATCHES_A_TURN):
        added = _collect_next(runtime.database, runtime.clock, batch)
        if added is None:
            break
        listed += added
    with runtime.database.writing() as session:
        settled = finish(session, now=runtime.clock.now())
        swept = cancel_waiting(session, now=runtime.clock.now(), limit=batch)
    return listed + settled + swept


def candidates(session: Session, resend: Resend, *, limit: int) -> Sequence[int]:
    """Return ids of its next webhooks, oldest first; locks nothing, however long."""
    query = select(Webhook.id).where(
        *sendable(session, from_query(resend.query)),
        col(Webhook.id) >= (resend.gathered_below or 0),
        col(Webhook.id) < first_id(time_of(resend.id)),  # what the preview counted
    )
    return session.exec(query.order_by(col(Webhook.id)).limit(limit)).all()


def collect(
    session: Session, seen: Resend, ids: Sequence[int], *, is_last: bool, now: datetime
) -> int:
    """Add these webhooks to a resend; the caller commits. May be called again.

    Args:
        session: Writing.
        seen: The resend as it was when `candidates` was asked.
        ids: From `candidates`, rising.
        is_last: Whether they are all that was left.
        now: Aware.

    Returns:
        How many were added; 0 too when another worker was faster or it was cancelled.
    """
    resend = session.get(Resend, seen.id, with_for_update=True, populate_existing=True)
    if resend is None or (resend.state, resend.gathered_below) != (
        ResendState.GATHERING,
        seen.gathered_below,
    ):
        return 0
    added = enqueue(session, resend.id, from_query(resend.query), ids, now=now)
    resend.total += added
    resend.gathered_below = None if is_last else ids[-1] + 1
    if is_last:
        resend.state = ResendState.SENDING
    session.add(resend)
    return added


def enqueue(
    session: Session,
    resend_id: int,
    filters: WebhookFilter,
    ids: Sequence[int],
    *,
    now: datetime,
) -> int:
    """Add a redelivery of each webhook that may be sent; the caller commits.

    Each is checked again: what is already queued, here or in another resend, is left
    out.

    Returns:
        How many were added.
    """
    if session.connection().dialect.name == "postgresql":
        # Two listers at once would not see each other's rows. SQLite has one writer.
        lock = text("SELECT pg_advisory_xact_lock(:number)")
        session.connection().execute(lock, {"number": _ONE_LISTER})
    first = new_ids(now, len(ids))
    place = func.row_number().over(order_by=col(Webhook.id))
    values = {
        "id": literal(first - 1, BigId)
        + place,  # rising with the webhooks': sent in order
        "resend_id": literal(resend_id, BigId),
        "webhook_id": col(Webhook.id),
        "zoom_app_id": col(Webhook.zoom_app_id),
        "outcome": literal(RedeliveryOutcome.WAITING, _TABLE.c.outcome.type),
        "outcome_reason": literal(""),
        "attempts": literal(0),
        "due_at": literal(now, UtcDateTime),
        "claim": literal(0),
    }
    rows = select_columns(*values.values()).where(
        col(Webhook.id).in_(ids), *sendable(session, filters)
    )
    added = session.connection().execute(
        insert(_TABLE).from_select(list(values), rows, include_defaults=False),
        execution_options={"preserve_rowcount": True},
    )
    number = rows_changed(added)
    if number:
        announce(session.connection())
    return number


def finish(session: Session, *, now: datetime) -> int:
    """Mark resends with nothing left to send as done; the caller commits."""
    waiting = exists().where(col(Redelivery.resend_id) == col(Resend.id), _WAITING)
    done = session.connection().execute(
        update(Resend)
        .where(col(Resend.state) == ResendState.SENDING, ~waiting)
        .values(state=ResendState.DONE, ended_at=now)
    )
    return rows_changed(done)


def cancel_waiting(session: Session, *, now: datetime, limit: int) -> int:
    """Cancel what cancelled resends still have waiting; the caller commits.

    What a worker is sending at this moment is left to it: it ends as what came of it,
    or waits again and is called off the next time.

    Returns:
        How many were cancelled, at most `limit`.
    """
    free = and_(_WAITING, is_free(Redelivery.lease_until, now))
    some = (
        select(Redelivery.id)
        .join(Resend, col(Resend.id) == col(Redelivery.resend_id))
        .where(_cancelled(now), free)
        .limit(limit)
    )
    # The conditions are there twice: a row may have been claimed meanwhile.
    swept = session.connection().execute(
        update(Redelivery)
        .where(col(Redelivery.id).in_(some), free)
        .values(
            outcome=RedeliveryOutcome.CANCELLED,
            outcome_reason="Cancelled before it was sent.",
            lease_until=None,
            ended_at=now,
        )
    )
    return rows_changed(swept)


def _collect_next(database: Database, clock: Clock, batch: int) -> int | None:
    """Collect a batch of the oldest resend; commits; None when none is collecting."""
    with database.reading() as session:
        query = select(Resend).where(col(Resend.state) == ResendState.GATHERING)
        seen = session.exec(query.order_by(col(Resend.id)).limit(1)).first()
        if seen is None:
            return None
        ids = candidates(session, seen, limit=batch)
    with database.writing() as session:
        is_last, now = len(ids) < batch, clock.now()
        return collect(session, seen, ids, is_last=is_last, now=now)


def _is_any_open(session: Session, *, now: datetime) -> bool:
    is_open = col(Resend.state).in_([ResendState.GATHERING, ResendState.SENDING])
    left = exists().where(col(Redelivery.resend_id) == col(Resend.id), _WAITING)
    query = select(Resend.id).where(or_(is_open, and_(_cancelled(now), left)))
    return session.exec(query.limit(1)).first() is not None


def _cancelled(now: datetime) -> ColumnElement[bool]:
    return and_(
        col(Resend.state) == ResendState.CANCELLED,
        col(Resend.ended_at) > now - _SWEPT_FOR,
    )
