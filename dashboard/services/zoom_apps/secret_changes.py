"""Changes of a zoom app's secrets as rows: how far each half has come.

The newest change of a zoom app is under way while `ended_at` is empty; a later one
takes its place. Recall is owed the secrets while `recall_due_at` is set: claimed by
moving that into the future, so that of many workers one gives them, and two changes are
never on their way to Recall at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select, update
from sqlmodel.sql.expression import SelectOfScalar

from dashboard.errors import ConflictError
from dashboard.models.ids import new_id
from dashboard.models.zoom_app import SecretChange, ZoomApp

IN_PROGRESS = "Recall is being given it at this moment."
"""The error's place while a call is under way, and after a crash in it: "perhaps"."""

FORMER_FIRST = "Webhooks signed with the former secret token go to Recall first."
"""The error's place while the call waits for those."""

LAST_CALL = "Webhooks signed with the former secret token are tried once more first."
"""The same, for those that failed several times: Recall may have been down."""

WINDOW = timedelta(minutes=30)
"""How long a request may be Zoom's all the same that no secret token here signed."""

LEASE = timedelta(seconds=60)
"""Longer than a call to Recall can take, which is given up after some ten seconds."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to give Recall the secrets, from `claim`.

    Attributes:
        change_id: The newest change then, stored at `stored_at`.
        lease_until: Tells this claim from a later one.
    """

    zoom_app_id: UUID
    change_id: int
    stored_at: datetime
    lease_until: datetime


@dataclass(frozen=True, kw_only=True)
class NewSecrets:
    """What of a zoom app's secrets a person entered anew; neither: given again."""

    has_client_secret: bool = False
    has_secret_token: bool = False


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why Recall has not taken the secrets.

    Attributes:
        why: A sentence or two, without secrets.
        may_have_happened: Whether Recall may have them all the same.
        due_at: When to try again; aware.
    """

    why: str
    may_have_happened: bool
    due_at: datetime


def latest(session: Session, zoom_app_id: UUID) -> SecretChange | None:
    """Return the newest change of a zoom app, under way or not; None: never changed."""
    return session.exec(_newest_first(zoom_app_id)).first()


def under_way(session: Session) -> Sequence[SecretChange]:
    """Return every change under way, the oldest first. There is a row a change."""
    query = select(SecretChange).where(col(SecretChange.ended_at).is_(None))
    return session.exec(query.order_by(col(SecretChange.id))).all()


def begin(
    session: Session,
    zoom_app: ZoomApp,
    entry: NewSecrets,
    *,
    asked_by: str,
    now: datetime,
) -> SecretChange:
    """Add a change that is stored now, and end the one before; the caller commits.

    What the one before had not finished goes on in this one: Recall is given both
    secrets at once, and Zoom may yet have to be seen using the secret token. Should the
    new one be typed wrong, Zoom is asked to try again what is signed with another.

    Args:
        session: Writing, in the transaction that stores the secrets.
        zoom_app: With the new secrets.
        entry: What is new.
        asked_by: E-mail of the person, or "command line".
        now: Aware.
    """
    made = SecretChange(
        id=new_id(now),
        zoom_app_id=zoom_app.id,
        asked_by=asked_by[:254],
        has_client_secret=entry.has_client_secret,
        has_secret_token=entry.has_secret_token,
        stored_at=now,
    )
    if entry.has_secret_token:
        zoom_app.rotation_until = now + WINDOW
        session.add(zoom_app)
    if zoom_app.recall_app_id is not None or zoom_app.create_key is not None:
        made.recall_due_at = now
    before = latest(session, zoom_app.id)
    if before is not None and before.ended_at is None:
        _carry_over(before, made)
        before.ended_at = now
        session.add(before)
    end_if_done(made, now=now)
    session.add(made)
    session.flush()
    return made


def claim(
    session: Session, zoom_app: ZoomApp, *, asked_by: str, now: datetime
) -> Claim:
    """Take the right to give Recall what is stored here; the caller commits.

    Where nothing is under way, giving it again is a change of its own: its failure is
    told and mended like any other.

    Raises:
        ConflictError: A call to Recall is under way.
    """
    newest = session.exec(_newest_first(zoom_app.id).with_for_update()).first()
    if newest is None or newest.ended_at is not None:
        newest = begin(session, zoom_app, NewSecrets(), asked_by=asked_by, now=now)
    elif is_being_sent(newest, now):
        raise ConflictError(
            "Recall is being given the secrets at this moment. Look again in a moment; "
            "if its answer does not come, it is given them again by itself."
        )
    newest.recall_due_at, newest.recall_error = now + LEASE, IN_PROGRESS
    session.add(newest)
    return Claim(
        zoom_app_id=zoom_app.id,
        change_id=newest.id,
        stored_at=newest.stored_at,
        lease_until=newest.recall_due_at,
    )


def record_success(session: Session, taken: Claim, *, now: datetime) -> None:
    """Write down that Recall took the secrets; the caller commits.

    If another change was stored meanwhile, Recall may have these or those: it is owed
    the newest again.
    """
    newest = session.exec(_newest_first(taken.zoom_app_id).with_for_update()).one()
    if newest.id != taken.change_id:
        _enqueue_again(newest, now)
    elif newest.recall_due_at == taken.lease_until:
        newest.recall_at, newest.recall_due_at, newest.recall_error = now, None, ""
        end_if_done(newest, now=now)
    session.add(newest)


def record_failure(
    session: Session, taken: Claim, failure: Failure, *, now: datetime
) -> None:
    """Write down why Recall has not taken the secrets; the caller commits."""
    newest = session.exec(_newest_first(taken.zoom_app_id).with_for_update()).one()
    if newest.id != taken.change_id:
        if failure.may_have_happened:
            _enqueue_again(newest, now)
        elif newest.recall_due_at == taken.lease_until:
            # It need not wait for this call any longer.
            newest.recall_due_at, newest.recall_error = now, ""
    elif newest.recall_due_at == taken.lease_until:
        newest.recall_due_at = failure.due_at
        newest.recall_error = failure.why[:300]
    session.add(newest)


def enqueue(session: Session, zoom_app_id: UUID, *, now: datetime) -> None:
    """Owe Recall the secrets of a change under way, now; the caller commits.

    For whoever stored Recall's id: it may have been made with the former ones.
    """
    newest = latest(session, zoom_app_id)
    if newest is not None and newest.ended_at is None:
        newest.recall_at, newest.recall_due_at, newest.recall_error = None, now, ""
        session.add(newest)


def update_if_unchanged(
    session: Session, change: SecretChange, **values: object
) -> bool:
    """Change a change if it is as it was read; the caller commits.

    Args:
        session: Writing.
        change: As read.
        values: Columns and what they become.

    Returns:
        Whether it was; somebody else was faster if not.
    """
    done = session.exec(
        update(SecretChange)
        .where(
            col(SecretChange.id) == change.id,
            col(SecretChange.ended_at).is_(None),
            col(SecretChange.recall_due_at).is_not_distinct_from(change.recall_due_at),
            col(SecretChange.recall_error) == change.recall_error,
        )
        .values(**values)
    )
    return done.rowcount == 1


def is_being_sent(change: SecretChange, now: datetime) -> bool:
    """Whether a call to Recall is under way, as far as can be told."""
    due_at = change.recall_due_at
    return change.recall_error == IN_PROGRESS and due_at is not None and due_at > now


def end_if_done(change: SecretChange, *, now: datetime) -> None:
    """End a change that owes Recall nothing and does not wait for Zoom either."""
    if change.recall_due_at is None and not change.has_secret_token:
        change.ended_at = now


def _newest_first(zoom_app_id: UUID) -> SelectOfScalar[SecretChange]:
    return (
        select(SecretChange)
        .where(col(SecretChange.zoom_app_id) == zoom_app_id)
        .order_by(col(SecretChange.id).desc())
        .limit(1)
    )


def _carry_over(before: SecretChange, made: SecretChange) -> None:
    if before.recall_due_at is not None:
        made.has_client_secret |= before.has_client_secret
    if is_being_sent(before, made.stored_at):
        # Its answer, or the end of its lease, comes first: never two at once.
        made.recall_due_at, made.recall_error = before.recall_due_at, IN_PROGRESS
    if before.has_secret_token and not made.has_secret_token:
        made.has_secret_token = True
        made.recall_at = before.recall_at
        made.zoom_seen_at = before.zoom_seen_at
        made.previous_until = before.previous_until


def _enqueue_again(newest: SecretChange, now: datetime) -> None:
    newest.recall_at, newest.recall_due_at, newest.recall_error = None, now, ""
    newest.ended_at = None
