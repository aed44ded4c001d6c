"""Erasing what Zoom told of a user: bytes, headers, and what tells whom it was about.

The rows stay: that a webhook came and was delivered is no personal data. Nor are the
hashes of its bytes, which tell a repeat of Zoom's from a new event.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypedDict

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, delete, exists, or_, select, update

from dashboard.db import Database
from dashboard.models.ids import first_id
from dashboard.models.resend import Redelivery, RedeliveryOutcome
from dashboard.models.webhook import Attempt, Outcome, Webhook, WebhookBody
from dashboard.services.erasure.redaction import Covering, Person
from dashboard.vault import Vault

_BATCH = 100
_NUMBERS_AT_ONCE = 500
_GIVEN_UP = (
    "Given up: the user removed the app, and what Zoom told of them had to be deleted."
)


class _Place(TypedDict):
    table: str
    row: int


def numbers_of(session: Session, person: Person) -> frozenset[int]:
    """Return the meetings that the webhooks about the user name."""
    query = select(Webhook.meeting_id).where(
        _named(person), col(Webhook.meeting_id).is_not(None)
    )
    return frozenset(n for n in session.exec(query.distinct()) if n is not None)


def erase(  # noqa: PLR0913 - the facts of one pass, all named
    database: Database,
    vault: Vault,
    person: Person,
    covering: Covering,
    *,
    since: datetime | None,
    is_last_call: bool,
    now: datetime,
) -> int:
    """Erase the webhooks about a user, a batch a transaction; commits.

    What is owed to Recall still, or not read here yet, stays until it is done:
    Recall has to get the `app_deauthorized` itself.

    Args:
        database: Read from, then written to.
        vault: Opens what does not say in a column whom it is about.
        person: Whom.
        covering: Of them.
        since: Of those, only what came since then; None for all there are.
        is_last_call: Give up what is still owed: the deadline is near.
        now: Aware.

    Returns:
        How many are left.
    """
    left = 0
    for ids in _found(database, vault, person, covering, since=since):
        with database.writing() as session:
            if is_last_call:
                _give_up(session, ids, now=now)
            left += len(ids) - _erase_batch(session, ids, covering, now=now)
    return left


def _found(
    database: Database,
    vault: Vault,
    person: Person,
    covering: Covering,
    *,
    since: datetime | None,
) -> Iterator[Sequence[int]]:
    """Yield the ids of webhooks about a person, a batch at a time."""
    for about in _about(person):
        yield from _batches(database, about)
    if person.account_id is not None:
        return  # every event names the account
    nameless = and_(
        col(Webhook.zoom_app_id) == person.zoom_app_id,
        col(Webhook.zoom_user_id).is_(None),
        col(Webhook.meeting_id).is_not(None),
        col(Webhook.id) >= (0 if since is None else first_id(since)),
    )
    for ids in _batches(database, nameless):
        with database.reading() as session:
            query = select(WebhookBody).where(col(WebhookBody.webhook_id).in_(ids))
            bodies = session.exec(query).all()
        yield [row.webhook_id for row in bodies if _tells_of(vault, row, covering)]


def _batches(database: Database, about: ColumnElement[bool]) -> Iterator[Sequence[int]]:
    after = -1
    while True:
        query = select(Webhook.id).where(
            about, col(Webhook.id) > after, col(Webhook.erased_at).is_(None)
        )
        with database.reading() as session:
            ids = session.exec(query.order_by(col(Webhook.id)).limit(_BATCH)).all()
        if not ids:
            return
        after = ids[-1]
        yield ids


def _tells_of(vault: Vault, row: WebhookBody, covering: Covering) -> bool:
    place: _Place = {"table": "webhook_body", "row": row.webhook_id}
    body = vault.open(row.body, column="body", **place)
    headers = vault.open(row.headers, column="headers", **place)
    text = f"{body.decode(errors='replace')} {headers.decode(errors='replace')}"
    return covering.cover(text) != text


def _named(person: Person) -> ColumnElement[bool]:
    ours = col(Webhook.zoom_app_id) == person.zoom_app_id
    if person.account_id is not None:
        return and_(ours, col(Webhook.zoom_account_id) == person.account_id)
    return and_(ours, col(Webhook.zoom_user_id).in_(person.user_ids))


def _about(person: Person) -> Sequence[ColumnElement[bool]]:
    """Return conditions: by whom they name, and of meetings that name nobody."""
    numbers = sorted(person.numbers)
    parts = [
        numbers[at : at + _NUMBERS_AT_ONCE]
        for at in range(0, len(numbers), _NUMBERS_AT_ONCE)
    ]
    return [
        _named(person),
        *(
            and_(
                col(Webhook.zoom_app_id) == person.zoom_app_id,
                col(Webhook.zoom_user_id).is_(None),
                col(Webhook.meeting_id).in_(part),
            )
            for part in parts
        ),
    ]


def _is_free(now: datetime) -> ColumnElement[bool]:
    lease = col(Webhook.lease_until)
    return or_(lease.is_(None), lease <= now)


def _give_up(session: Session, ids: Sequence[int], *, now: datetime) -> None:
    session.exec(
        update(Webhook)
        .where(
            col(Webhook.id).in_(ids),
            col(Webhook.outcome) == Outcome.WAITING,
            _is_free(now),
        )
        .values(outcome=Outcome.DEAD, outcome_reason=_GIVEN_UP, due_at=now)
    )
    session.exec(
        update(Redelivery)
        .where(
            col(Redelivery.webhook_id).in_(ids),
            col(Redelivery.outcome) == RedeliveryOutcome.WAITING,
        )
        .values(
            outcome=RedeliveryOutcome.CANCELLED,
            outcome_reason=_GIVEN_UP,
            lease_until=None,
            ended_at=now,
        )
    )


def _erase_batch(
    session: Session, ids: Sequence[int], covering: Covering, *, now: datetime
) -> int:
    is_owed = exists().where(
        col(Redelivery.webhook_id) == col(Webhook.id),
        col(Redelivery.outcome) == RedeliveryOutcome.WAITING,
    )
    rows = session.exec(
        select(Webhook)
        .where(
            col(Webhook.id).in_(ids),
            col(Webhook.outcome) != Outcome.WAITING,
            col(Webhook.is_unread).is_(False),
            _is_free(now),
            ~is_owed,
        )
        .order_by(col(Webhook.id))
        .with_for_update(skip_locked=True)
    ).all()
    done = [row.id for row in rows]
    for row in rows:
        row.zoom_user_id = row.zoom_account_id = row.meeting_id = None
        row.outcome_reason = covering.cover(row.outcome_reason)[:500]
        row.erased_at = now
        session.add(row)
    session.exec(delete(WebhookBody).where(col(WebhookBody.webhook_id).in_(done)))
    for attempt in session.exec(
        select(Attempt).where(col(Attempt.webhook_id).in_(done))
    ):
        attempt.answer = ""
        attempt.verdict = covering.cover(attempt.verdict)[:500]
        session.add(attempt)
    for again in session.exec(
        select(Redelivery).where(col(Redelivery.webhook_id).in_(done))
    ):
        again.outcome_reason = covering.cover(again.outcome_reason)[:500]
        session.add(again)
    return len(done)
