"""Resends: starting one, its progress, and cancelling it.

A resend sends each of its webhooks to Recall again, by a `Redelivery` of its own.
The webhook, its bytes, headers and former attempts stay as they are, and nothing is
signed again: Recall may reject a timestamp that is old by now. (Zoom documents no
tolerance, docs/contracts/zoom.md 5.4; Recall neither, recall.md 3.8; read 2026-11-23.)
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select

from dashboard.errors import ConflictError, NotFoundError
from dashboard.models.ids import new_id, time_of
from dashboard.models.resend import Redelivery, RedeliveryOutcome, Resend, ResendState
from dashboard.models.webhook import Outcome, Webhook
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.erasure.redaction import of_webhook
from dashboard.services.paging import IdPage, Place, page_by_id
from dashboard.services.resends import collecting
from dashboard.services.resends.collecting import Preview, preview
from dashboard.services.runtime import Runtime
from dashboard.services.webhook_log.search import WebhookFilter, to_query

LATEST_FORM = timedelta(hours=1)
"""How long after its preview a resend may begin."""

_SKEW = timedelta(minutes=1)  # between the clocks of two web processes


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a resend is.

    Attributes:
        waiting: Listed and not yet sent, or to be tried again.
        dead: Refused by Recall or given up.
    """

    resend: Resend
    waiting: int
    delivered: int
    dead: int
    cancelled: int

    @property
    def sent(self) -> int:
        """How many have an answer of Recall, good or bad."""
        return self.delivered + self.dead

    @property
    def unsent(self) -> int:
        """How many of a cancelled one will not be sent."""
        return self.cancelled + self.unlisted

    @property
    def unlisted(self) -> int:
        """How many are not listed, as far as the preview knew: yet, or cancelled so."""
        if self.resend.gathered_below is None:
            return 0
        return max(self.resend.expected - self.resend.total, 0)

    def a_second(self, now: datetime) -> float:
        """Return how many were sent in a second, on the average so far."""
        span = (self.resend.ended_at or now) - self.resend.asked_at
        return self.sent / max(span.total_seconds(), 1)


@dataclass(frozen=True, kw_only=True)
class History:
    """Resends newest first; the rest as in `paging.IdPage`."""

    rows: Sequence[Progress]
    older_before: int | None
    newer_after: int | None


@dataclass(frozen=True, kw_only=True)
class DeadPage:
    """Failed redeliveries, newest first, and their webhooks by ID."""

    found: IdPage[Redelivery]
    webhooks: dict[int, Webhook]


def add(  # noqa: PLR0913 - one act's facts, all named
    session: Session,
    *,
    resend_id: int,
    filters: WebhookFilter,
    expected: int,
    asked_by: str,
    now: datetime,
) -> bool:
    """Add a resend of what matches; the caller commits. May be called twice.

    Its webhooks are listed by the worker, see `collecting`. Only what was received
    before the preview is part of it.

    Args:
        session: Writing.
        resend_id: From `models.ids.new_id`, made for the preview.
        filters: Which webhooks.
        expected: How many the preview counted.
        asked_by: E-mail of the person, or words.
        now: Aware.

    Returns:
        False when it was added before: the form was sent twice.

    Raises:
        ConflictError: The preview is too old to be what is sent.
        InvalidInputError: The filter cannot be kept.
    """
    resend = Resend(
        id=resend_id,
        asked_by=asked_by,
        query=to_query(filters),
        asked_at=now,
        expected=expected,
        gathered_below=0,
    )
    return _add(session, resend)


def add_one(
    session: Session, webhook_id: int, *, resend_id: int, asked_by: str, now: datetime
) -> bool:
    """Add a resend of one delivered or failed webhook; otherwise as `add`.

    Raises:
        NotFoundError: There is no such webhook.
        ConflictError: It is waiting already, here or in another resend, was only
            kept, or is erased; or the page is too old.
    """
    one = Resend(
        id=resend_id,
        asked_by=asked_by,
        asked_at=now,
        state=ResendState.SENDING,
        expected=1,
        total=1,
    )
    if not _add(session, one):
        return False
    if not collecting.enqueue(
        session, resend_id, WebhookFilter(), [webhook_id], now=now
    ):
        webhook = session.get(Webhook, webhook_id)
        if webhook is None:
            raise NotFoundError("webhook")
        if webhook.erased_at is not None:
            raise ConflictError(of_webhook(webhook.erased_at))
        if webhook.outcome is Outcome.KEPT:
            raise ConflictError(
                "This webhook was not forwarded: Zoom posted it to Recall itself."
            )
        raise ConflictError("This webhook is already queued.")
    return True


def mark_cancelled(session: Session, resend_id: int, *, now: datetime) -> None:
    """Mark a resend as cancelled; the caller commits, then cancels what waits.

    Raises:
        NotFoundError: There is none.
        ConflictError: It has ended.
    """
    resend = session.get(Resend, resend_id, with_for_update=True)
    if resend is None:
        raise NotFoundError("resend")
    if resend.ended_at is not None:
        raise ConflictError(
            f"This resend is already {resend.state.value}. Nothing was changed."
        )
    resend.state, resend.ended_at = ResendState.CANCELLED, now
    session.add(resend)  # `gathered_below` stays: how far it was listed


def find(session: Session, resend_id: int) -> Resend | None:
    """Return a resend, or None."""
    return session.get(Resend, resend_id)


def progress(session: Session, resend_id: int) -> Progress:
    """Count a resend's webhooks by outcome, from the index.

    Raises:
        NotFoundError: There is none.
    """
    resend = session.get(Resend, resend_id, populate_existing=True)
    if resend is None:
        raise NotFoundError("resend")
    return _progress(session, [resend])[0]


def page(session: Session, *, place: Place) -> History:
    """Return resends newest first."""
    found = page_by_id(session, select(Resend), Resend.id, place)
    return History(
        rows=_progress(session, found.rows),
        older_before=found.older_before,
        newer_after=found.newer_after,
    )


def dead(session: Session, resend_id: int, *, place: Place) -> DeadPage:
    """Return what Recall refused of a resend, newest first."""
    query = select(Redelivery).where(
        col(Redelivery.resend_id) == resend_id,
        col(Redelivery.outcome) == RedeliveryOutcome.DEAD,
    )
    found = page_by_id(session, query, Redelivery.id, place)
    ids = [each.webhook_id for each in found.rows]
    webhooks = session.exec(select(Webhook).where(col(Webhook.id).in_(ids)))
    return DeadPage(found=found, webhooks={each.id: each for each in webhooks})


def tried_again(session: Session, resend_id: int) -> Redelivery | None:
    """Return the next of those that failed once and are to be tried again, if any."""
    query = select(Redelivery).where(
        col(Redelivery.resend_id) == resend_id,
        col(Redelivery.outcome) == RedeliveryOutcome.WAITING,
        col(Redelivery.outcome_reason) != "",
    )
    return session.exec(query.order_by(col(Redelivery.due_at)).limit(1)).first()


def only_webhook(session: Session, resend_id: int) -> Webhook | None:
    """Return the webhook of a resend of one; None when it has more or was pruned."""
    query = select(Webhook).join(
        Redelivery, col(Redelivery.webhook_id) == col(Webhook.id)
    )
    found = session.exec(query.where(col(Redelivery.resend_id) == resend_id).limit(2))
    rows = found.all()
    return rows[0] if len(rows) == 1 else None


def _add(session: Session, resend: Resend) -> bool:
    """Add it unless it is there: its id is that of the form it came by."""
    if session.get(Resend, resend.id) is not None:
        return False
    age = resend.asked_at - time_of(resend.id)
    if not -_SKEW <= age <= LATEST_FORM:
        raise ConflictError(
            "This preview is too old. Nothing was started; check the new preview below."
        )
    try:
        with session.begin_nested():
            session.add(resend)
            session.flush()
    except IntegrityError:  # the other click was faster
        return False
    return True


def _progress(session: Session, resends: Sequence[Resend]) -> list[Progress]:
    query = (
        select(Redelivery.resend_id, Redelivery.outcome, func.count())
        .where(col(Redelivery.resend_id).in_([each.id for each in resends]))
        .group_by(col(Redelivery.resend_id), col(Redelivery.outcome))
    )
    counts = Counter(
        {(each, outcome): number for each, outcome, number in session.exec(query)}
    )
    return [
        Progress(
            resend=each,
            **{
                outcome.value: counts[each.id, outcome] for outcome in RedeliveryOutcome
            },
        )
        for each in resends
    ]


_CANCELLED_AT_ONCE = 2000


def begin(
    runtime: Runtime, resend_id: int, filters: WebhookFilter, *, actor: Actor
) -> Preview | None:
    """Start a resend of what matched when its preview was made; commits.

    Returns:
        What it will send; None when this form started it before.

    Raises:
        ConflictError: There is nothing to send, or the preview is too old.
        InvalidInputError: The filter cannot be kept.
    """
    now = runtime.clock.now()
    with runtime.database.reading() as session:
        if find(session, resend_id) is not None:
            return None
        found = preview(session, filters=filters, now=time_of(resend_id))
    if not found.total:
        raise ConflictError(
            "No webhook that can be resent matches. Nothing was started."
        )
    with runtime.database.writing() as session:
        is_new = add(
            session,
            resend_id=resend_id,
            filters=filters,
            expected=found.total,
            asked_by=actor.name,
            now=now,
        )
        if not is_new:
            return None
        which = to_query(filters) or "everything"
        subject = f"{resend_id}: {found.total:,} webhooks, {which}"
        audit.record(session, actor, "resend.begun", subject=subject, now=now)
    return found


def begin_one(
    runtime: Runtime, webhook_id: int, *, resend_id: int | None, actor: Actor
) -> int:
    """Start the resend of one webhook; commits.

    Args:
        runtime: Clock and database are used.
        webhook_id: Which one.
        resend_id: Of the form; None for one that cannot be submitted twice.
        actor: Who asks.

    Returns:
        The resend's id.

    Raises:
        NotFoundError: There is no such webhook.
        ConflictError: It is already queued, was not forwarded, or the page is too old.
    """
    now = runtime.clock.now()
    resend_id = new_id(now) if resend_id is None else resend_id
    with runtime.database.writing() as session:
        if add_one(
            session, webhook_id, resend_id=resend_id, asked_by=actor.name, now=now
        ):
            audit.record(
                session, actor, "webhook.resent", subject=str(webhook_id), now=now
            )
    return resend_id


def cancel(runtime: Runtime, resend_id: int, *, actor: Actor) -> Progress:
    """Cancel a resend; commits. What was sent stays sent.

    What waits is cancelled in batches; if this process dies, the worker goes on.

    Raises:
        NotFoundError: There is none.
        ConflictError: It has ended.
    """
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        mark_cancelled(session, resend_id, now=now)
        collecting.cancel_waiting(session, now=now, limit=_CANCELLED_AT_ONCE)
        audit.record(
            session, actor, "resend.cancelled", subject=str(resend_id), now=now
        )
    swept = _CANCELLED_AT_ONCE
    while swept == _CANCELLED_AT_ONCE:
        with runtime.database.writing() as session:
            swept = collecting.cancel_waiting(
                session, now=now, limit=_CANCELLED_AT_ONCE
            )
    with runtime.database.reading() as session:
        return progress(session, resend_id)
