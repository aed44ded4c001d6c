"""What Zoom's own log says of deliveries that failed, and who must act about it.

Says no more than the log: who answered is named only where the answer itself shows it
(docs/contracts/zoom.md 5.9, checked 2026-11-30).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from dashboard.models.delivery_log import FailedDelivery
from dashboard.models.ids import first_id
from dashboard.models.webhook import Webhook
from dashboard.services.facts.acting import Fact, Problem
from dashboard.services.receiver.events import URL_VALIDATION
from dashboard.services.receiver.requests import PHRASES

PAGE, DASHBOARD = "page", "dashboard"
"""Who answered, as far as the answer shows it (`FailedDelivery.answered_by`)."""

MOST = 10
"""Rows that are read at once."""

_DAY = timedelta(days=1)
_TRIES_ON = "Zoom tries again, for 85 minutes."
_RETRIED_FOR = timedelta(minutes=90)
_NO_ANSWER = {
    1: "gave no answer within 3 s",
    2: "refused the connection",
    4: "gave no answer within 3 s",
    6: "has an address that Zoom doesn't call",
    7: "broke off the connection",
    9: "has a certificate that Zoom doesn't accept",
    11: "has a certificate of another host",
    12: "failed Zoom's check of TLS",
    13: "could not be looked up in DNS",
    16: "was called too often, by Zoom's count",
}


@dataclass(frozen=True, kw_only=True)
class SentByZoom:
    """One failed try of Zoom's.

    Attributes:
        arrived: The webhook of the same event, if one is stored here.
        fact: How it stands.
    """

    row: FailedDelivery
    arrived: Webhook | None
    fact: Fact

    @property
    def answer(self) -> str:
        """What Zoom was answered, as a clause: "dash.example.com answered 502"."""
        return _answer(self.row)[1]


def find(
    session: Session, *where: ColumnElement[bool], now: datetime, limit: int = MOST
) -> Sequence[SentByZoom]:
    """Return failed tries by conditions that an index of (column, id) answers.

    Newest first.
    """
    newest = (
        select(FailedDelivery).where(*where).order_by(col(FailedDelivery.id).desc())
    )
    rows = session.exec(newest.limit(limit)).all()
    keys = {row.dedupe for row in rows} - {None}
    known = session.exec(select(Webhook).where(col(Webhook.dedupe).in_(keys)))
    arrived = {webhook.dedupe: webhook for webhook in known}
    return [_sent(row, arrived.get(row.dedupe or b""), now) for row in rows]


def of_webhook(session: Session, webhook: Webhook) -> Sequence[SentByZoom]:
    """Return the failed tries at a webhook that arrived, oldest first."""
    same = col(FailedDelivery.dedupe) == webhook.dedupe
    return list(reversed(find(session, same, now=webhook.received_at)))


def of_validation(
    session: Session, zoom_app_id: UUID, *, after: datetime | None, now: datetime
) -> Fact | None:
    """Return the newest validation request that failed; None if one passed since."""
    found = find(
        session,
        col(FailedDelivery.zoom_app_id) == zoom_app_id,
        col(FailedDelivery.event) == URL_VALIDATION,
        now=now,
        limit=1,
    )
    newest = next(iter(found), None)
    if newest is None or (after is not None and newest.row.sent_at <= after):
        return None
    return newest.fact


def of_last_day(
    session: Session, zoom_app_id: UUID | None, *, now: datetime
) -> Sequence[SentByZoom]:
    """Return what Zoom sent in the last day and nobody took, newest first."""
    where = [col(FailedDelivery.id) >= first_id(now - _DAY)]
    if zoom_app_id is not None:
        where.append(col(FailedDelivery.zoom_app_id) == zoom_app_id)
    return lost(find(session, *where, now=now))


def lost(found: Sequence[SentByZoom]) -> Sequence[SentByZoom]:
    """Return those of which nothing has arrived here, as far as that is known."""
    return [each for each in found if each.arrived is None and each.row.dedupe]


def _sent(row: FailedDelivery, arrived: Webhook | None, now: datetime) -> SentByZoom:
    return SentByZoom(row=row, arrived=arrived, fact=standing(row, arrived, now=now))


def standing(row: FailedDelivery, arrived: Webhook | None, *, now: datetime) -> Fact:
    """Return how one failed try stands. Pure."""
    what = "a validation request" if row.event == URL_VALIDATION else row.event
    problem, answer, why = _answer(row)
    reason = " ".join(filter(None, (why, _since(row, arrived, now))))
    return Fact(
        problem=problem if arrived is None else Problem.NONE,
        word="Failed" if arrived is None else "Arrived later",
        tone="trouble" if arrived is None else "off",
        sentence=f"Zoom sent {what or 'an event'} at {row.sent_at:%Y-%m-%d %H:%M} UTC, "
        f"and {answer}.",
        reason=reason,
        since=row.sent_at,
        proof="Zoom's delivery log.",
        proof_at=row.sent_at,
    )


def _answer(row: FailedDelivery) -> tuple[Problem, str, str]:
    """Return the problem, the answer as a clause, and what follows from it."""
    said = f"answered {row.status}"
    if row.is_to_recall and row.status is not None:
        return Problem.ZOOM_GOT_RECALLS, f"Recall {said}", ""
    if row.answered_by == PAGE:
        said = "answered" if row.status is None else said
        why = "The dashboard answers Zoom with no page, so something before it did."
        return Problem.ANSWERED_IN_FRONT, f"{row.host} {said} with a web page", why
    if row.status is None:
        return Problem.ZOOM_GOT_NO_ANSWER, f"{row.host} {_failure(row.code)}", ""
    if row.status not in PHRASES:
        why = f"The dashboard never answers {row.status}: something before it did."
        return Problem.ANSWERED_IN_FRONT, f"{row.host} {said}", why
    if row.answered_by == DASHBOARD:
        return Problem.ANSWERED_HERE, f"the dashboard {said}", ""
    why = "The log doesn't show whether the dashboard or something before it answered."
    return Problem.ANSWERED_HERE, f"{row.host} {said}", why


def _failure(code: int | None) -> str:
    if code in _NO_ANSWER:
        return _NO_ANSWER[code]
    if not code:
        return "did not take it; Zoom's log doesn't say why"
    return f"did not take it; Zoom's number for the reason is {code}"


def _since(row: FailedDelivery, arrived: Webhook | None, now: datetime) -> str:
    if arrived is not None:
        return f"It arrived at {arrived.received_at:%Y-%m-%d %H:%M} UTC."
    is_retried = row.status is None or row.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if row.event == URL_VALIDATION:
        return ""
    if not is_retried:
        return "Zoom doesn't send it again."
    is_over = now - row.sent_at > _RETRIED_FOR
    again = "Zoom has stopped trying." if is_over else _TRIES_ON
    nothing = "Nothing like it has arrived here. " if row.dedupe else ""
    return f"{nothing}{again}"
