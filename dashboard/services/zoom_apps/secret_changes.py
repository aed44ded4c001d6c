"""Changes of a zoom app's secrets as rows: how far each half has come.

The newest change of a zoom app is under way while `ended_at` is empty; a later one
takes its place. Recall is owed the secrets while `recall_due_at` is set: claimed by
moving that into the future, so that of many workers one gives them, and two changes are
never on their way to Recall at once.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, TextClause
from sqlmodel import Session, SQLModel, col, func, or_, select, update
from sqlmodel.sql.expression import SelectOfScalar

from dashboard.db import announce
from dashboard.errors import ConflictError, VaultError
from dashboard.models.circuit import OpenCircuit
from dashboard.models.ids import first_id, new_id
from dashboard.models.webhook import Refusal, WebhookBody
from dashboard.models.zoom_app import SecretChange, ZoomApp
from dashboard.services.receiver.signatures import MISMATCHES, signing_secret
from dashboard.services.relay.queues import WEBHOOK, is_waiting
from dashboard.services.zoom_apps import apps
from dashboard.vault import Vault

IN_PROGRESS = "Being sent to Recall now."
"""The error's place while a call is under way, and after a crash in it: "perhaps"."""

FORMER_FIRST = "Webhooks signed with the previous secret token are delivered first."
"""The error's place while the call waits for those."""

LAST_CALL = (
    "Webhooks signed with the previous secret token are retried once more first."
)
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


def given_at(session: Session, zoom_app_id: UUID) -> datetime | None:
    """Return when Recall last took the client secret stored here; None: not known."""
    newest = latest(session, zoom_app_id)
    return None if newest is None else newest.recall_at


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
            "The secrets are being sent to Recall right now. Check again in a moment. "
            "If Recall doesn't answer, they are sent again automatically."
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
    """Queue the secrets of a change under way for Recall, now; the caller commits.

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


TRIES = 7
"""So often a webhook signed with a former secret token is tried before Recall is given
the new one all the same: some four minutes (services/relay/retries.py)."""

_KNOWN_AFTER = timedelta(seconds=5)
"""When every process knows of a change: longer than the keyring keeps what it knows."""


class FormerWebhooks(StrEnum):
    """What Recall is to get before a new secret token."""

    NONE = "none"
    FIRST = "first"
    ONCE_MORE = "once_more"


_LOOKED_AT = 200
_BODY = SQLModel.metadata.tables[str(WebhookBody.__tablename__)]
_CIRCUIT = SQLModel.metadata.tables[str(OpenCircuit.__tablename__)]
_REFUSAL = SQLModel.metadata.tables[str(Refusal.__tablename__)]


def is_in_use(session: Session, vault: Vault, zoom_app: ZoomApp) -> bool:
    """Whether Zoom may be signing with the secret token stored here.

    It is not if a change to it is under way, and Zoom was not seen using it since.
    """
    change = latest(session, zoom_app.id)
    if change is None or change.ended_at is not None or not change.has_secret_token:
        return True
    if change.zoom_seen_at is not None:
        return True
    since = change.stored_at
    return seen_with_current(session, vault, zoom_app, since=since) is not None


def seen_with_current(
    session: Session, vault: Vault, zoom_app: ZoomApp, *, since: datetime
) -> datetime | None:
    """Return when Zoom was seen signing with the secret token stored here; or None.

    Looks at the newest 200 webhooks: the first of them, or one soon after.

    Args:
        session: Reading.
        vault: Opens what the signature is proven with.
        zoom_app: Whose.
        since: When the secret token was stored; aware.
    """
    newest = (
        select(WEBHOOK.c.id, WEBHOOK.c.verdict)
        .where(WEBHOOK.c.zoom_app_id == zoom_app.id, WEBHOOK.c.id >= first_id(since))
        .order_by(WEBHOOK.c.id.desc())
        .limit(_LOOKED_AT)
        .subquery()
    )
    first, last = (
        session.connection()
        .execute(
            select(func.min(newest.c.id), func.max(newest.c.id)).where(
                newest.c.verdict == "current"
            )
        )
        .one()
    )
    for webhook_id in (first, last):
        if webhook_id is not None and is_by_current(
            session, vault, zoom_app, webhook_id
        ):
            at: datetime | None = session.connection().scalar(
                select(WEBHOOK.c.received_at).where(WEBHOOK.c.id == webhook_id)
            )
            return at
    return None


def seen_with_former(
    session: Session, zoom_app_id: UUID, *, since: datetime
) -> datetime | None:
    """Return when Zoom was last seen signing with the former secret token; or None."""
    at: datetime | None = session.connection().scalar(
        select(WEBHOOK.c.received_at)
        .where(
            WEBHOOK.c.zoom_app_id == zoom_app_id,
            WEBHOOK.c.id >= first_id(since),
            WEBHOOK.c.verdict == "previous",
        )
        .order_by(WEBHOOK.c.id.desc())
        .limit(1)
    )
    return at


def seen_with_neither(
    session: Session, zoom_app_id: UUID, *, since: datetime
) -> datetime | None:
    """Return when a request was last refused for its signature; or None."""
    at: datetime | None = session.connection().scalar(
        select(_REFUSAL.c.received_at)
        .where(
            _REFUSAL.c.zoom_app_id == zoom_app_id,
            _REFUSAL.c.id >= first_id(since),
            _REFUSAL.c.cause.in_(sorted(cause.value for cause in MISMATCHES)),
        )
        .order_by(_REFUSAL.c.id.desc())
        .limit(1)
    )
    return at


def is_by_current(
    session: Session, vault: Vault, zoom_app: ZoomApp, webhook_id: int
) -> bool:
    """Whether the bytes of a webhook are signed with the secret token stored here."""
    row = (
        session.connection()
        .execute(
            select(_BODY.c.headers, _BODY.c.body).where(
                _BODY.c.webhook_id == webhook_id
            )
        )
        .one_or_none()
    )
    if row is None:
        return False
    place: dict[str, Any] = {"table": _BODY.name, "row": webhook_id}
    try:
        headers = json.loads(vault.open(row.headers, column="headers", **place))
        body = vault.open(row.body, column="body", **place)
        [current, *_] = apps.secret_tokens(vault, zoom_app)
    except VaultError:
        return False
    return signing_secret(headers, body, [current]) is not None


def with_wrong_verdict(
    session: Session, vault: Vault, zoom_app: ZoomApp, change: SecretChange
) -> list[int]:
    """Return the webhooks of the first seconds after a change that have the wrong word.

    A process that did not know of it yet called the former secret token the current
    one: such a webhook would wait for Recall to be given another.
    """
    doubtful = session.connection().scalars(
        select(WEBHOOK.c.id).where(
            WEBHOOK.c.zoom_app_id == zoom_app.id,
            WEBHOOK.c.id >= first_id(change.stored_at),
            WEBHOOK.c.id < first_id(change.stored_at + _KNOWN_AFTER),
            WEBHOOK.c.verdict == "current",
        )
    )
    return [
        webhook_id
        for webhook_id in doubtful.all()
        if not is_by_current(session, vault, zoom_app, webhook_id)
    ]


def correct_verdicts(session: Session, webhook_ids: Sequence[int]) -> None:
    """Give them the right word; the caller commits."""
    session.connection().execute(
        update(WEBHOOK).where(WEBHOOK.c.id.in_(webhook_ids)).values(verdict="previous")
    )


def former_webhooks(
    session: Session, zoom_app: ZoomApp, change: SecretChange
) -> FormerWebhooks:
    """Say whether Recall should get webhooks first that only the former one proves.

    Not for what it refuses; and for what it does not take after some tries once more,
    for it may have been down. But as long as the workspace as a whole stands still,
    all of them: nothing else could be delivered either.
    """
    if not change.has_secret_token or change.recall_at is not None:
        return FormerWebhooks.NONE
    held = set(
        session.connection().scalars(
            select(_CIRCUIT.c.id).where(
                _CIRCUIT.c.id.in_([zoom_app.id, zoom_app.workspace_id]),
                _CIRCUIT.c.is_holding,
            )
        )
    )
    is_down = zoom_app.workspace_id in held
    if zoom_app.id in held and not is_down:
        return FormerWebhooks.NONE
    tried = session.connection().scalar(
        select(func.min(WEBHOOK.c.claim)).where(*_former(zoom_app, change))
    )
    if tried is None:
        return FormerWebhooks.NONE
    return (
        FormerWebhooks.FIRST if is_down or tried < TRIES else FormerWebhooks.ONCE_MORE
    )


def make_former_due(
    session: Session, zoom_app: ZoomApp, change: SecretChange, *, now: datetime
) -> None:
    """Make due what only the former secret token proves; the caller commits."""
    session.connection().execute(
        update(WEBHOOK)
        .where(*_former(zoom_app, change), WEBHOOK.c.lease_until.is_(None))
        .values(due_at=now)
    )
    announce(session.connection())


def _former(
    zoom_app: ZoomApp, change: SecretChange
) -> tuple[ColumnElement[bool] | TextClause, ...]:
    return (
        WEBHOOK.c.zoom_app_id == zoom_app.id,
        is_waiting(WEBHOOK),
        or_(WEBHOOK.c.verdict != "current", WEBHOOK.c.received_at < change.stored_at),
    )
