"""Data deletions: begun when a user leaves, with a deadline, and listed for staff.

docs/erasure.md says what is deleted, what stays and why. Source of the duty and of its
ten days: docs/contracts/zoom.md 6, checked 2026-11-25.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlmodel import Session, col, select

from dashboard.models.connection import Connection, TokenState
from dashboard.models.erasure import Erasure, ErasureReason
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.services import audit, events
from dashboard.services.audit import THE_DASHBOARD, Actor
from dashboard.services.erasure.redaction import Person
from dashboard.vault import Vault

DEADLINE = timedelta(days=10)
"""From the removal; the time Zoom's developer agreement used to allow."""

SEALED = ("zoom_user_id", "zoom_account_id", "email")
"""The columns that identify the person; emptied at the end."""


_REPLACED = (ErasureReason.UNKNOWN, ErasureReason.WRONG_ACCOUNT)

LISTED = 200
"""The newest ones; pending ones come first, however old."""


_WHY = {
    ErasureReason.REMOVED_IN_ZOOM: "The user removed the app in Zoom",
    ErasureReason.STAFF_DISCONNECTED: "Disconnected by {who}",
    ErasureReason.USER_DISCONNECTED: "The user disconnected",
    ErasureReason.WRONG_ACCOUNT: "Connected with the wrong Zoom account",
    ErasureReason.UNKNOWN: "Unknown: not recorded before version 0.3.0",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A data deletion as listed."""

    erasure: Erasure
    app: ZoomApp

    @property
    def why(self) -> str:
        """Why it was begun, in words."""
        return _WHY[self.erasure.reason].format(who=self.erasure.asked_by)

    @property
    def what(self) -> str:
        """What was deleted here, in numbers; the connection itself is not counted."""
        row = self.erasure
        counted = (
            (row.webhooks, "webhook"),
            (row.meetings, "mapped meeting"),
            (row.invitations, "invitation"),
        )
        words = [
            f"{number:,} {name}{'' if number == 1 else 's'}"
            for number, name in counted
            if number
        ]
        return ", ".join(["connection and tokens", *words]).capitalize()

    @property
    def is_done(self) -> bool:
        """Whether everything that has arrived so far is deleted."""
        return (
            self.erasure.here_done_at is not None
            and self.erasure.recall_done_at is not None
        )


def begin_if_confirmed(
    session: Session, vault: Vault, row: Connection, *, now: datetime
) -> Erasure | None:
    """Begin a data deletion if a check confirmed that the user removed the app.

    Zoom's webhook alone begins none (services/token_states/rules.py). The caller
    commits.

    Args:
        session: Writing; holds the connection.
        vault: Seals the person's IDs and email.
        row: As the check left it.
        now: Aware.
    """
    removed_at = row.deauthorized_at
    if removed_at is None or row.token_state is not TokenState.RECONNECT_NEEDED:
        return None
    return begin(
        session,
        vault,
        row,
        reason=ErasureReason.REMOVED_IN_ZOOM,
        removed_at=removed_at,
        now=now,
    )


def begin(  # noqa: PLR0913 - the facts of one act, all named
    session: Session,
    vault: Vault,
    connection: Connection,
    *,
    reason: ErasureReason,
    removed_at: datetime,
    now: datetime,
    actor: Actor = THE_DASHBOARD,
) -> Erasure:
    """Begin the deletion of a connection's data; the caller commits.

    The worker carries it out (services/erasure/steps.py). A pending one for the same
    user or account is returned as it is, unless they have connected again since.

    Args:
        session: Writing.
        vault: Seals the person's IDs and email.
        connection: Of a user, or of an account with all its members.
        reason: Why; that of a pending one stays, unless it has none of its own.
        removed_at: When they removed the app, by Zoom's clock, or were disconnected;
            the deadline counts from then.
        now: Aware.
        actor: Who asked for it.
    """
    app = session.get_one(ZoomApp, connection.zoom_app_id)
    is_account = app.kind is Kind.ACCOUNT_LEVEL
    user_id = None if is_account else connection.zoom_user_id
    account_id = connection.zoom_account_id if is_account else None
    same = pending(session, vault, connection)
    if same is not None:
        if connection.granted_at <= same.removed_at:
            if same.reason in _REPLACED:
                same.reason, same.asked_by = reason, _asked_by(reason, actor)
                session.add(same)
            return same
        cancel(session, same, now=now)  # for an earlier grant
    row = Erasure(
        id=uuid4(),
        zoom_app_id=app.id,
        recall_credential_id=connection.recall_credential_id,
        reason=reason,
        asked_by=_asked_by(reason, actor),
        removed_at=removed_at,
        deadline_at=removed_at + DEADLINE,
        recall_done_at=None if connection.recall_credential_id else now,
        due_at=now,
    )
    facts = zip(SEALED, (user_id, account_id, connection.email), strict=True)
    for column, value in facts:
        if value:
            setattr(row, column, _seal(vault, row.id, column, value))
    session.add(row)
    said = events.ConnectionDisconnected(
        connection_id=connection.id, zoom_app_id=app.id, reason=reason.value
    )
    events.record(session, said, at=now, references=events.references_of(connection))
    audit.record(session, actor, "erasure.begun", subject=subject(row, app), now=now)
    return row


def _asked_by(reason: ErasureReason, actor: Actor) -> str:
    return actor.name if reason is ErasureReason.STAFF_DISCONNECTED else ""


def cancel(session: Session, row: Erasure, *, now: datetime) -> None:
    """Cancel the deletion for a user who connected again; the caller commits."""
    app = session.get_one(ZoomApp, row.zoom_app_id)
    session.delete(row)
    session.flush()
    audit.record(
        session,
        THE_DASHBOARD,
        "erasure.called_off",
        subject=f"{subject(row, app)}: connected again",
        now=now,
    )


def person(vault: Vault, row: Erasure) -> Person:
    """Return the person, as far as the deletion itself identifies them.

    Raises:
        VaultError: It was sealed with an unknown key.
    """
    opened = {
        column: vault.open_text(
            sealed, table="erasure", column=column, row=row.id
        ).get_secret_value()
        for column in SEALED
        if (sealed := getattr(row, column)) is not None
    }
    return Person(
        zoom_app_id=row.zoom_app_id,
        connection_id=None,
        user_ids=_one(opened, "zoom_user_id"),
        account_id=opened.get("zoom_account_id"),
        emails=_one(opened, "email"),
        names=frozenset(),
        numbers=frozenset(),
    )


def pending(session: Session, vault: Vault, connection: Connection) -> Erasure | None:
    """Return the pending deletion of the same user or account, or None.

    Raises:
        VaultError: One was sealed with an unknown key.
    """
    ours = select(Erasure).where(
        col(Erasure.zoom_app_id) == connection.zoom_app_id,
        col(Erasure.ended_at).is_(None),
    )
    if connection.recall_credential_id is not None:
        found = session.exec(
            ours.where(
                col(Erasure.recall_credential_id) == connection.recall_credential_id
            )
        ).first()
        if found is not None:
            return found
    for row in session.exec(ours):
        known = person(vault, row)
        is_account = known.account_id is not None
        if is_account and known.account_id == connection.zoom_account_id:
            return row
        if not is_account and connection.zoom_user_id in known.user_ids:
            return row
    return None


def _seal(vault: Vault, row_id: UUID, column: str, value: str) -> bytes:
    return vault.seal_text(SecretStr(value), table="erasure", column=column, row=row_id)


def _one(opened: Mapping[str, str], name: str) -> frozenset[str]:
    return frozenset({opened[name]} if name in opened else ())


def subject(row: Erasure, app: ZoomApp) -> str:
    """Name it for the audit log, without the person."""
    return f"erasure {row.id} of {app.name}"


def listed(session: Session) -> Sequence[Row]:
    """Return the data deletions, pending ones first, then the newest."""
    query = (
        select(Erasure, ZoomApp)
        .join(ZoomApp, col(ZoomApp.id) == col(Erasure.zoom_app_id))
        .order_by(
            col(Erasure.ended_at).is_not(None),
            col(Erasure.removed_at).desc(),
            col(Erasure.id),
        )
        .limit(LISTED)
    )
    return [Row(erasure=erasure, app=app) for erasure, app in session.exec(query)]
