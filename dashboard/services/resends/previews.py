"""What a resend would send, before it begins: how many, how old, and what is left out.

The conditions here are those the resend is gathered by, so that what was counted is
what is sent.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, false, text
from sqlmodel import Session, col, exists, func, select

from dashboard.errors import InvalidInputError
from dashboard.formatting import age_words
from dashboard.models.ids import first_id
from dashboard.models.resend import Redelivery, RedeliveryOutcome
from dashboard.models.webhook import Outcome, Webhook
from dashboard.services.webhook_log.filters import WebhookFilter, resolved

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
        delivered: To be sent: those Recall took before.
        dead: To be sent: those that were given up.
        waiting: Left out: owed to Recall already.
        kept: Left out: Zoom posts to Recall itself, so nothing was to be forwarded.
        under_way: Left out: another resend is about to send them.
        taken: Left out when only dead ones are asked for: Recall took them by an
            earlier resend.
        erased: Left out: their users removed the app, and their bytes are gone.
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
    # Left out, a field without a column would send more than was asked.
    strange = [name for name in asked.keys() - _COLUMNS if asked[name] is not None]
    if strange:
        raise InvalidInputError(f"Nothing can be resent by {', '.join(strange)}.")
    found = [
        _COLUMNS[name] == value for name, value in asked.items() if value is not None
    ]
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
    ("waiting", "wait to be sent to Recall already, so they need no resend"),
    ("under_way", "are about to be sent by another resend"),
    ("taken", "were taken by Recall since, by an earlier resend"),
    ("erased", "were erased: their users removed the app, and their bytes are gone"),
    ("kept", "were only kept: Zoom posts to Recall itself (direct routing)"),
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
    return f"Recall may refuse them: their timestamps are {found} old."


UNALTERED = (
    "Each goes out byte for byte as it came, with Zoom's own timestamp and signature; "
    "nothing is signed anew. Originals and their attempts stay as they are."
)
