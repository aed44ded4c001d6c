"""Delete what is stored here about a user who left; see docs/erasure.md.

Webhook rows stay without their content: that a webhook came and was delivered is not
personal data. Nor are the hashes of its bytes, which distinguish Zoom's retries from
new events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, delete, exists, func, or_, select, update

from dashboard.db import Database, leases
from dashboard.db.statements import rows_changed
from dashboard.models.api_token import ApiReplay
from dashboard.models.connection import (
    AccountMember,
    AttemptOutcome,
    ConnectAttempt,
    Connection,
    MeetingMapping,
)
from dashboard.models.delivery_log import FailedDelivery
from dashboard.models.endpoint import (
    DeliveryOutcome,
    EndpointAttempt,
    EndpointDelivery,
)
from dashboard.models.ids import first_id
from dashboard.models.invitation import Invitation
from dashboard.models.resend import Redelivery, RedeliveryOutcome
from dashboard.models.staff import Staff
from dashboard.models.watch import Milestone
from dashboard.models.webhook import Attempt, Outcome, Webhook, WebhookBody
from dashboard.services import events, former_emails
from dashboard.services.erasure import redaction
from dashboard.services.erasure.redaction import Person, Redactor
from dashboard.vault import Vault

_BATCH = 100
_NUMBERS_AT_ONCE = 500
_GIVEN_UP = "Given up: the data of its user had to be deleted."


@dataclass(kw_only=True)
class Erased:
    """What a pass deleted.

    Attributes:
        left: How many webhooks still wait for delivery.
    """

    left: int = 0
    webhooks: int = 0
    meetings: int = 0
    invitations: int = 0


class _Place(TypedDict):
    table: str
    row: int


def find_person(session: Session, known: Person) -> Person:
    """Return the person with everything stored about them here.

    Args:
        session: Reading.
        known: Their IDs and email.
    """
    row = find_connection(session, known)
    if row is None:
        return replace(known, numbers=numbers_of(session, known))
    members = session.exec(
        select(AccountMember).where(col(AccountMember.connection_id) == row.id)
    ).all()
    mapped = session.exec(
        select(MeetingMapping.meeting_id).where(
            col(MeetingMapping.connection_id) == row.id
        )
    ).all()
    everybody: list[Connection | AccountMember] = [row, *members]
    former = former_emails.of(session, row.id)
    ids = {one.zoom_user_id for one in everybody if one.zoom_user_id}
    found = replace(
        known,
        connection_id=row.id,
        user_ids=known.user_ids | ids,
        emails=known.emails | {one.email for one in (*everybody, *former) if one.email},
        names=known.names | {one.display_name for one in everybody if one.display_name},
    )
    pmis = {pmi for one in everybody for pmi in (one.pmi, one.previous_pmi) if pmi}
    named = numbers_of(session, found)
    return replace(found, numbers=frozenset({*pmis, *mapped, *named}))


def find_connection(
    session: Session, known: Person, *, is_locked: bool = False
) -> Connection | None:
    """Return the connection of a user, or of an account, if there is one."""
    query = select(Connection).where(col(Connection.zoom_app_id) == known.zoom_app_id)
    if known.account_id is not None:
        query = query.where(col(Connection.zoom_account_id) == known.account_id)
    else:
        query = query.where(col(Connection.zoom_user_id).in_(known.user_ids))
    if is_locked:
        query = query.with_for_update()
    return session.exec(query).first()


def erase(  # noqa: PLR0913 - the facts of one pass, all named
    database: Database,
    vault: Vault,
    known: Person,
    *,
    removed_at: datetime,
    is_first: bool,
    is_last_call: bool,
    now: datetime,
) -> Erased | None:
    """Delete everything stored about a person; commits, in several transactions.

    May be repeated, to delete what arrived meanwhile.

    Args:
        database: Read from, then written to.
        vault: Opens webhooks whose columns don't name the person.
        known: The person, as far as the deletion identifies them.
        removed_at: A person who connected again after this is not deleted.
        is_first: Search everything, not only what arrived since.
        is_last_call: Give up what is still to be delivered: the deadline is near.
        now: Aware.

    Returns:
        What was deleted; None when the person has reconnected.
    """
    with database.reading() as session:
        person = find_person(session, known)
        redactor = Redactor(person, but=_staff(session))
    done = _erase_webhooks(
        database,
        vault,
        person,
        redactor,
        since=None if is_first else removed_at,
        is_last_call=is_last_call,
        now=now,
    )
    replays = _replays_of(database, vault, person, redactor)
    with database.reading() as session:
        changes = redaction.sentence_changes(session, person, redactor)
        done.left += redaction.still_gathering(session, redactor)
    with database.writing() as session:
        row = find_connection(session, person, is_locked=True)
        if row is not None and row.granted_at > removed_at:
            return None
        redaction.apply_changes(session, changes, vault, now=now)
        _forget_attempts(session, person, removed_at=removed_at)
        _delete_failed_deliveries(session, person)
        session.exec(delete(ApiReplay).where(col(ApiReplay.id).in_(replays)))
        done.invitations = _delete_invitations(session, person)
        if row is not None:
            mapped = col(MeetingMapping.connection_id) == row.id
            query = select(func.count()).select_from(MeetingMapping).where(mapped)
            done.meetings = session.exec(query).one()
            _forget_milestones(session, row)
            _say_erased(session, row, now=now)
            # Deletes its grant, mappings, members, former emails and timeline.
            session.delete(row)
    return done


def _replays_of(
    database: Database, vault: Vault, person: Person, redactor: Redactor
) -> Sequence[str]:
    """Return the stored answers of the API, a day's at most, that name the person."""
    with database.reading() as session:
        row = find_connection(session, person)
        rows = session.exec(select(ApiReplay).where(col(ApiReplay.body).is_not(None)))
        found = [(one.id, one.body) for one in rows]
    marks = [] if row is None else [str(row.id), row.reference and f'"{row.reference}"']
    named = []
    for key, sealed in found:
        body = vault.open(sealed or b"", table="api_replay", column="body", row=key)
        text = body.decode(errors="replace")
        is_named = any(mark and mark in text for mark in marks)
        if is_named or redactor.redact(text) != text:
            named.append(key)
    return named


def _say_erased(session: Session, row: Connection, *, now: datetime) -> None:
    """Record the event, and forget the customer's words in those before."""
    events.forget(session, row.id)
    said = events.ConnectionErased(connection_id=row.id, zoom_app_id=row.zoom_app_id)
    events.record(session, said, at=now, references=events.references_of(row))


def _staff(session: Session) -> Sequence[str]:
    """Return the emails of staff: who did what is not Zoom's data."""
    return [email.lower() for email in session.exec(select(Staff.email))]


def _forget_attempts(session: Session, person: Person, *, removed_at: datetime) -> None:
    """Forget which browsers the person's attempts began in, and what was said in them.

    Another attempt of the same browser is theirs too, but for one under way that was
    begun after the removal: they are reconnecting.
    """
    ours = col(ConnectAttempt.zoom_app_id) == person.zoom_app_id
    links = select(Invitation.id).where(_invites(person))
    theirs: ColumnElement[bool] = col(ConnectAttempt.invitation_id).in_(links)
    if person.connection_id is not None:
        theirs = or_(theirs, col(ConnectAttempt.connection_id) == person.connection_id)
    browsers = set(
        session.exec(select(ConnectAttempt.browser_hash).where(ours, theirs))
    ) - {""}
    session.exec(
        update(ConnectAttempt)
        .where(
            ours,
            or_(theirs, col(ConnectAttempt.browser_hash).in_(browsers)),
            or_(
                col(ConnectAttempt.outcome) != AttemptOutcome.OPEN,
                col(ConnectAttempt.created_at) <= removed_at,
            ),
        )
        .values(
            detail="",
            reference="",
            tags="",
            return_url="",
            browser_hash="",
            code_verifier=None,
            connection_id=None,
            invitation_id=None,
        )
        .execution_options(synchronize_session=False)
    )


def _invites(person: Person) -> ColumnElement[bool]:
    emails = {email.lower() for email in person.emails}
    names_them = or_(
        col(Invitation.zoom_user_id).in_(person.user_ids),
        func.lower(Invitation.email).in_(emails),
    )
    if person.connection_id is not None:
        its = col(Invitation.connection_id) == person.connection_id
        names_them = or_(names_them, its)
    return and_(col(Invitation.zoom_app_id) == person.zoom_app_id, names_them)


def _delete_invitations(session: Session, person: Person) -> int:
    deleted = session.exec(
        delete(Invitation)
        .where(_invites(person))
        .execution_options(synchronize_session=False)
    )
    return rows_changed(deleted)


def _delete_failed_deliveries(session: Session, person: Person) -> None:
    """Delete what Zoom's log said of events about the person."""
    about: ColumnElement[bool] = col(FailedDelivery.zoom_user_id).in_(person.user_ids)
    if person.account_id is not None:
        about = or_(about, col(FailedDelivery.zoom_account_id) == person.account_id)
    numbers = sorted(person.numbers)
    ours = col(FailedDelivery.zoom_app_id) == person.zoom_app_id
    for at in range(0, max(len(numbers), 1), _NUMBERS_AT_ONCE):
        nameless = and_(
            col(FailedDelivery.zoom_user_id).is_(None),
            col(FailedDelivery.meeting_id).in_(numbers[at : at + _NUMBERS_AT_ONCE]),
        )
        session.exec(delete(FailedDelivery).where(ours, or_(about, nameless)))


def _forget_milestones(session: Session, row: Connection) -> None:
    session.exec(
        update(Milestone)
        .where(col(Milestone.connection_id) == row.id)
        .values(connection_id=None)
    )


def numbers_of(session: Session, person: Person) -> frozenset[int]:
    """Return the meetings named in webhooks about the person."""
    query = select(Webhook.meeting_id).where(
        _named(person), col(Webhook.meeting_id).is_not(None)
    )
    return frozenset(n for n in session.exec(query.distinct()) if n is not None)


def _erase_webhooks(  # noqa: PLR0913 - the facts of one pass, all named
    database: Database,
    vault: Vault,
    person: Person,
    redactor: Redactor,
    *,
    since: datetime | None,
    is_last_call: bool,
    now: datetime,
) -> Erased:
    """Delete the content of webhooks about a person, one transaction a batch; commits.

    Webhooks that still wait for delivery or for the reader stay until that is done:
    Recall must get the `app_deauthorized` itself.

    Args:
        database: Read from, then written to.
        vault: Opens webhooks whose columns don't name the person.
        person: The person.
        redactor: Of the person.
        since: Only webhooks that came after this; None for all.
        is_last_call: Give up pending deliveries: the deadline is near.
        now: Aware.

    Returns:
        How many were deleted, and are left.
    """
    found = Erased()
    for ids in _found(database, vault, person, redactor, since=since):
        with database.writing() as session:
            if is_last_call:
                _give_up(session, ids, now=now)
            number = _erase_batch(session, ids, redactor, now=now)
            found.webhooks += number
            found.left += len(ids) - number
    return found


def _found(
    database: Database,
    vault: Vault,
    person: Person,
    redactor: Redactor,
    *,
    since: datetime | None,
) -> Iterator[Sequence[int]]:
    """Yield the IDs of webhooks about a person, a batch at a time."""
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
        yield [row.webhook_id for row in bodies if _names(vault, row, redactor)]


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


def _names(vault: Vault, row: WebhookBody, redactor: Redactor) -> bool:
    place: _Place = {"table": "webhook_body", "row": row.webhook_id}
    body = vault.open(row.body, column="body", **place)
    headers = vault.open(row.headers, column="headers", **place)
    text = f"{body.decode(errors='replace')} {headers.decode(errors='replace')}"
    return redactor.redact(text) != text


def _named(person: Person) -> ColumnElement[bool]:
    ours = col(Webhook.zoom_app_id) == person.zoom_app_id
    if person.account_id is not None:
        return and_(ours, col(Webhook.zoom_account_id) == person.account_id)
    return and_(ours, col(Webhook.zoom_user_id).in_(person.user_ids))


def _about(person: Person) -> Sequence[ColumnElement[bool]]:
    """Return conditions: webhooks that name the person, and their nameless meetings."""
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


def _give_up(session: Session, ids: Sequence[int], *, now: datetime) -> None:
    session.exec(
        update(Webhook)
        .where(
            col(Webhook.id).in_(ids),
            col(Webhook.outcome) == Outcome.WAITING,
            leases.is_free(Webhook.lease_until, now),
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
    session.exec(
        update(EndpointDelivery)
        .where(
            col(EndpointDelivery.webhook_id).in_(ids),
            col(EndpointDelivery.outcome) == DeliveryOutcome.WAITING,
        )
        .values(
            outcome=DeliveryOutcome.DEAD,
            outcome_reason=_GIVEN_UP,
            lease_until=None,
            ended_at=now,
        )
    )


def _erase_batch(
    session: Session, ids: Sequence[int], redactor: Redactor, *, now: datetime
) -> int:
    is_pending = exists().where(
        col(Redelivery.webhook_id) == col(Webhook.id),
        col(Redelivery.outcome) == RedeliveryOutcome.WAITING,
    )
    is_copied = exists().where(
        col(EndpointDelivery.webhook_id) == col(Webhook.id),
        col(EndpointDelivery.outcome) == DeliveryOutcome.WAITING,
    )
    rows = session.exec(
        select(Webhook)
        .where(
            col(Webhook.id).in_(ids),
            col(Webhook.outcome) != Outcome.WAITING,
            col(Webhook.is_unread).is_(False),
            leases.is_free(Webhook.lease_until, now),
            ~is_pending,
            ~is_copied,
        )
        .order_by(col(Webhook.id))
        .with_for_update(skip_locked=True)
    ).all()
    done = [row.id for row in rows]
    for row in rows:
        row.zoom_user_id = row.zoom_account_id = row.meeting_id = None
        row.outcome_reason = redactor.redact(row.outcome_reason)[:500]
        row.erased_at = now
        session.add(row)
    session.exec(delete(WebhookBody).where(col(WebhookBody.webhook_id).in_(done)))
    for attempt in session.exec(
        select(Attempt).where(col(Attempt.webhook_id).in_(done))
    ):
        attempt.answer = ""
        attempt.verdict = redactor.redact(attempt.verdict)[:500]
        session.add(attempt)
    copies = select(EndpointDelivery.id).where(
        col(EndpointDelivery.webhook_id).in_(done)
    )
    session.exec(
        update(EndpointAttempt)
        .where(col(EndpointAttempt.delivery_id).in_(copies))
        .values(answer="")
        .execution_options(synchronize_session=False)
    )
    for again in session.exec(
        select(Redelivery).where(col(Redelivery.webhook_id).in_(done))
    ):
        again.outcome_reason = redactor.redact(again.outcome_reason)[:500]
        session.add(again)
    return len(done)
