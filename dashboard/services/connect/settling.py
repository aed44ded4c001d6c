"""Which credential a lost answer was about: only when there can be no doubt."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.clients.recall.replies import RecallCredential
from dashboard.db import Database
from dashboard.models.connection import AttemptOutcome, ConnectAttempt, Connection
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.recall.credentials import Settle

_CLOCKS_DIFFER_BY = timedelta(minutes=1)
_ASKING_LASTS = timedelta(minutes=2)


def settler(
    database: Database, app: ZoomApp, attempt_id: UUID, *, since: datetime
) -> Settle:
    """Return how to find the credential of a lost answer asked for at `since`.

    It is the only one that is newer than `since` and unknown here, and no other
    browser's answer is owed: taking another person's credential for this one's would
    show one person's name to another.
    """

    def settle(found: Sequence[RecallCredential]) -> RecallCredential | None:
        earliest = since - _CLOCKS_DIFFER_BY
        young = [one for one in found if one.created_at and one.created_at >= earliest]
        with database.reading() as session:
            unknown = [one for one in young if not _is_known(session, one.id)]
            if len(unknown) != 1 or _others_wait(session, app, attempt_id, since):
                return None
        return unknown[0]

    return settle


def _is_known(session: Session, credential_id: UUID) -> bool:
    query = select(Connection.id).where(
        col(Connection.recall_credential_id) == credential_id
    )
    return session.exec(query).first() is not None


def _others_wait(
    session: Session, app: ZoomApp, attempt_id: UUID, since: datetime
) -> bool:
    query = select(ConnectAttempt.id).where(
        col(ConnectAttempt.zoom_app_id) == app.id,
        col(ConnectAttempt.id) != attempt_id,
        col(ConnectAttempt.outcome) == AttemptOutcome.UNREACHABLE,
        col(ConnectAttempt.ended_at) > since - _ASKING_LASTS,
    )
    return session.exec(query).first() is not None
